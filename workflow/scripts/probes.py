"""Build a study's probes.csv, probes_table.csv and probes_table.md from its probed runs."""

from pathlib import Path

from pj.jobs import logged
from pj.report import probes
from pj.settings import Study

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    probes.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.measures).parent,
    )
