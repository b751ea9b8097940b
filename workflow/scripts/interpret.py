"""Measure what a finished run looks at."""

import json
from pathlib import Path

from pj import slots
from pj.jobs import logged
from pj.settings import View

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    from pj import interpretation  # torch sees the slot's GPU only

    interpretation.write(
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        View.model_validate(json.loads(snakemake.params.settings)["view"]),
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
