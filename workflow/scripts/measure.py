"""Measure a finished run for an analysis: its loss landscape, its accuracy when pruned, its Grad-CAM, …"""

from pathlib import Path

from pj.config.analyses import ANALYSES
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    from pj.runs import analysis  # torch sees the slot's GPU only

    key = snakemake.wildcards.analysis
    analysis.measure(
        key,
        ANALYSES[key].asked.model_validate_json(snakemake.params.settings),
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        code=snakemake.params.code,
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
