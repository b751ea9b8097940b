"""Build claims.csv, claims.md and claims.tex: a verdict for every claim."""

import json
from pathlib import Path

from pj.report.pages import source
from pj.report.tables import claims
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    folder = Path(snakemake.output.csv).parent
    _, judgements = source.results(folder, json.loads(snakemake.params.settings))
    claims.write(judgements, folder)
