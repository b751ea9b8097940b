"""Build a pruning's table.md and table.csv."""

from pathlib import Path

from pj.config.settings import Pruning
from pj.report.tables import prunings
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    pruning = Pruning.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.markdown).parent
    prunings.write(pruning, folder, folder)
