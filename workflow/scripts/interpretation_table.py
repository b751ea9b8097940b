"""Build an interpretation's table.md and table.csv."""

from pathlib import Path

from pj.jobs import logged
from pj.report import interpretations
from pj.settings import Interpretation

with logged(snakemake.log[0]):
    interpretation = Interpretation.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.markdown).parent
    interpretations.write(interpretation, folder, folder)
