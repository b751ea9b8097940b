"""Build a study's path.png, path.svg and weights.png from its DessiLBI runs."""

from pathlib import Path

from pj.config.settings import Study
from pj.report.figures import paths
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    paths.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.path).parent,
    )
