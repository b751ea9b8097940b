"""Build a study's probes.png and probes.svg from its probes.csv and probes_table.csv."""

from pathlib import Path

from pj.config.settings import Study
from pj.report.figures import probes
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    probes.write(study, Path(snakemake.output.png).parent)
