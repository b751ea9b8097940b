"""Measure what a finished run keeps of its accuracy as units are removed."""

import json
from pathlib import Path

from pj.config.settings import Percents
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    from pj.pruning import curve  # torch sees the slot's GPU only

    content = json.loads(snakemake.params.settings)
    curve.write(
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        Percents.model_validate(content["settings"]),
        content["methods"],
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
