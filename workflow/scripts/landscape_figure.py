"""Build a landscape's landscape.png and landscape.svg."""

from pathlib import Path

from pj.jobs import logged
from pj.report import landscape_figures
from pj.settings import Landscape

with logged(snakemake.log[0]):
    landscape = Landscape.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.png).parent
    landscape_figures.write(landscape, folder, folder)
