"""Write the scorecard, report.md or report.html, depending on the rule, from all tables and figures."""

import json
from pathlib import Path

from pj import report
from pj.report.pages import source
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    output = Path(snakemake.output[0])
    found = source.results(output.parent, json.loads(snakemake.params.settings))
    report.writer(snakemake.rule)(*found, output)
