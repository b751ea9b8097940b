"""Build a study's table.md, table.csv and runs.csv from its runs' evaluations."""

from pathlib import Path

from pj.jobs import logged
from pj.report import tables
from pj.settings import Study

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    tables.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.markdown).parent,
    )
