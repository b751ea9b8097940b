"""Build a study's table.md, table.csv and runs.csv from its runs' evaluations."""

from pathlib import Path

from pj.config.settings import Study
from pj.report.tables import studies
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    studies.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.markdown).parent,
    )
