"""Build report.html: the scorecard, all tables and all figures in one file."""

import json
from pathlib import Path

from pj.report.pages import html, source
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    output = Path(snakemake.output[0])
    sources, judgements = source.results(output.parent, json.loads(snakemake.params.settings))
    html.write(judgements, sources, output)
