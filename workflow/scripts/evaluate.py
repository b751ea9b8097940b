"""Build a run's evaluation.json from its checkpoint, learning curve and data."""

import json
from pathlib import Path

from pj.evaluation import evaluate
from pj.jobs import logged

with logged(snakemake.log[0]):
    evaluate(
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        device=json.loads(snakemake.params.settings)["device"],
        threads=snakemake.threads,
    )
