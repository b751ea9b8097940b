"""Build an interpretation's image.png, sheet.png, tests.png and tests.svg."""

from pathlib import Path

from pj.jobs import logged
from pj.report import interpretation_figures
from pj.settings import Interpretation

with logged(snakemake.log[0]):
    interpretation = Interpretation.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.image).parent
    interpretation_figures.write(interpretation, folder, folder)
