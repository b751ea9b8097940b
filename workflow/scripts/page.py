"""Build report.html: the scorecard, all tables and all figures in one file."""

import json
from pathlib import Path

from pj import claims, config, verdicts
from pj.evidence import Evidence
from pj.jobs import logged
from pj.report import html

with logged(snakemake.log[0]):
    loaded = config.of_settings(json.loads(snakemake.params.settings))
    output = Path(snakemake.output[0])
    judgements = verdicts.judge(claims.of(loaded), Evidence(output.parent), loaded)
    html.write(judgements, loaded, output.parent, output)
