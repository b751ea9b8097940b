"""Build a landscape's table.md and table.csv."""

from pathlib import Path

from pj.config.settings import Landscape
from pj.report.tables import landscapes
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    landscape = Landscape.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.markdown).parent
    landscapes.write(landscape, folder, folder)
