"""Draw one figure of an analysis from what was measured of its runs."""

from pathlib import Path

from pj.config.settings import ANALYSED
from pj.report.figures import analyses
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    key, output = snakemake.wildcards.analysis, Path(snakemake.output[0])
    analysed = ANALYSED[key].model_validate_json(snakemake.params.settings)
    analyses.write(key, analysed, output.parent, output.parent, snakemake.wildcards.figure)
