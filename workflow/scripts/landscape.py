"""Measure the loss around a finished run."""

import json
from pathlib import Path

from pj import slots
from pj.jobs import logged
from pj.settings import Slices

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    from pj import loss_surface  # torch sees the slot's GPU only

    loss_surface.write(
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        Slices.model_validate(json.loads(snakemake.params.settings)["slices"]),
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
