"""Build a study's curves.png and curves.svg from its runs' metrics.csv."""

from pathlib import Path

from pj.jobs import logged
from pj.report import figures
from pj.settings import Study

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    figures.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.png).parent,
    )
