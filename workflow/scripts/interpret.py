"""Measure what a finished run looks at."""

import json
from pathlib import Path

from pj.config.settings import View
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    from pj.interpret import measure  # torch sees the slot's GPU only

    measure.write(
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        View.model_validate(json.loads(snakemake.params.settings)["view"]),
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
