"""Build a pruning's pruning.png and pruning.svg."""

from pathlib import Path

from pj.jobs import logged
from pj.report import pruning_figures
from pj.settings import Pruning

with logged(snakemake.log[0]):
    pruning = Pruning.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.png).parent
    pruning_figures.write(pruning, folder, folder)
