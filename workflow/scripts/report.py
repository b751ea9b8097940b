"""Build report.md: the scorecard, every table, and links to the figures."""

import json
from pathlib import Path

from pj.report.pages import markdown, source
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    output = Path(snakemake.output[0])
    sources, judgements = source.results(output.parent, json.loads(snakemake.params.settings))
    markdown.write(judgements, sources, output)
