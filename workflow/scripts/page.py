"""Build report.html: the scorecard, all tables and all figures in one file."""

import json
from pathlib import Path

from pj.jobs import logged
from pj.report import html, source

with logged(snakemake.log[0]):
    output = Path(snakemake.output[0])
    sources, judgements = source.results(output.parent, json.loads(snakemake.params.settings))
    html.write(judgements, sources, output)
