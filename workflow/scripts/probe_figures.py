"""Build a study's probes.png and probes.svg from its probes.csv and probes_table.csv."""

from pathlib import Path

from pj.jobs import logged
from pj.report import probe_figures
from pj.settings import Study

with logged(snakemake.log[0]):
    study = Study.model_validate_json(snakemake.params.settings)
    probe_figures.write(study, Path(snakemake.output.png).parent)
