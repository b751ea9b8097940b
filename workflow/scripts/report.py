"""Build results/report.md from every study's table and the table of modes."""

import json
from pathlib import Path

from pj.jobs import logged
from pj.report import document
from pj.settings import Interpretation, Landscape, Pruning, Study

with logged(snakemake.log[0]):
    content = json.loads(snakemake.params.settings)
    document.write(
        [Study.model_validate_json(study) for study in content["studies"]],
        [Landscape.model_validate_json(landscape) for landscape in content["landscapes"]],
        [Pruning.model_validate_json(pruning) for pruning in content["prunings"]],
        [Interpretation.model_validate_json(text) for text in content["interpretations"]],
        Path("results"),
        Path(snakemake.output[0]),
    )
