"""Measure the loss around a finished run."""

import json
from pathlib import Path

from pj.config.settings import Slices
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    from pj.landscape import surface  # torch sees the slot's GPU only

    surface.write(
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        Slices.model_validate(json.loads(snakemake.params.settings)["slices"]),
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
