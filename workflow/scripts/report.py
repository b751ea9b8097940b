"""Build results/report.md from every study's table and the table of modes."""

import json
from pathlib import Path

from pj.jobs import logged
from pj.report import document
from pj.settings import Study

with logged(snakemake.log[0]):
    studies = json.loads(snakemake.params.settings)["studies"]
    document.write(
        [Study.model_validate_json(study) for study in studies],
        Path("results/studies"),
        Path(snakemake.input.modes),
        Path(snakemake.output[0]),
    )
