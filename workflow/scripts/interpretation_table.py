"""Build an interpretation's table.md and table.csv."""

from pathlib import Path

from pj.config.settings import Interpretation
from pj.report.tables import interpretations
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    interpretation = Interpretation.model_validate_json(snakemake.params.settings)
    folder = Path(snakemake.output.markdown).parent
    interpretations.write(interpretation, folder, folder)
