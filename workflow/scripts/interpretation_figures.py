"""Build an interpretation's image.png, sheet.png, tests.png and tests.svg."""

from pathlib import Path

from pj.config.settings import Interpretation
from pj.report.figures import interpretations
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    interpretation = Interpretation.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.image).parent
    interpretations.write(interpretation, folder, folder)
