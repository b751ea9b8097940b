"""Build a study's curves.png and curves.svg from its runs' metrics.csv."""

from pathlib import Path

from pj.config.settings import Study
from pj.report.figures import curves
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    curves.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.png).parent,
    )
