"""Build a study's path.png, path.svg and weights.png from its DessiLBI runs."""

from pathlib import Path

from pj.jobs import logged
from pj.report import paths
from pj.settings import Study

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    paths.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.path).parent,
    )
