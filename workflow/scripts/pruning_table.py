"""Build a pruning's table.md and table.csv."""

from pathlib import Path

from pj.jobs import logged
from pj.report import prunings
from pj.settings import Pruning

with logged(snakemake.log[0]):
    pruning = Pruning.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.markdown).parent
    prunings.write(pruning, folder, folder)
