"""Build a pruning's pruning.png and pruning.svg."""

from pathlib import Path

from pj.config.settings import Pruning
from pj.report.figures import prunings
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    pruning = Pruning.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.png).parent
    prunings.write(pruning, folder, folder)
