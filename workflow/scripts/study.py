"""Write a study's tables, curves, probes or paths, depending on the rule, from its runs."""

from pathlib import Path

from pj import report
from pj.config.settings import Study
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    report.writer(snakemake.rule)(study, Path("results/runs"), Path(snakemake.output[0]).parent)
