"""Build claims.csv, claims.md and claims.tex: a verdict for every claim."""

import json
from pathlib import Path

from pj.jobs import logged
from pj.report import scorecard, source

with logged(snakemake.log[0]):
    folder = Path(snakemake.output.csv).parent
    _, judgements = source.results(folder, json.loads(snakemake.params.settings))
    scorecard.write(judgements, folder)
