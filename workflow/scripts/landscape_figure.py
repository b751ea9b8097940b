"""Build a landscape's landscape.png and landscape.svg."""

from pathlib import Path

from pj.config.settings import Landscape
from pj.report.figures import landscapes
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    landscape = Landscape.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.png).parent
    landscapes.write(landscape, folder, folder)
