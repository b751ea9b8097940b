"""Build report.md: the scorecard, every table, and links to the figures."""

import json
from pathlib import Path

from pj.jobs import logged
from pj.report import document, source

with logged(snakemake.log[0]):
    output = Path(snakemake.output[0])
    sources, judgements = source.results(output.parent, json.loads(snakemake.params.settings))
    document.write(judgements, sources, output)
