"""Build a study's probes.csv, probes_table.csv and probes_table.md from its probed runs."""

from pathlib import Path

from pj.config.settings import Study
from pj.report.tables import probes
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    probes.write(
        study,
        Path("results/runs"),
        Path(snakemake.output.measures).parent,
    )
