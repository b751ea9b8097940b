"""Build a landscape's table.md and table.csv."""

from pathlib import Path

from pj.jobs import logged
from pj.report import landscapes
from pj.settings import Landscape

with logged(snakemake.log[0]):
    landscape = Landscape.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.markdown).parent
    landscapes.write(landscape, folder, folder)
