"""Write the table of an analysis from what was measured of its runs."""

from pathlib import Path

from pj.config.settings import ANALYSED
from pj.report.tables import analyses
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    key, folder = snakemake.wildcards.analysis, Path(snakemake.output[0]).parent
    analyses.write(key, ANALYSED[key].model_validate_json(snakemake.params.settings), folder, folder)
