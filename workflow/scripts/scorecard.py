"""Build claims.csv and claims.md: a verdict for every claim."""

import json
from pathlib import Path

from pj import claims, config, verdicts
from pj.evidence import Evidence
from pj.jobs import logged
from pj.report import scorecard

with logged(snakemake.log[0]):
    loaded = config.of_settings(json.loads(snakemake.params.settings))
    folder = Path(snakemake.output.csv).parent
    scorecard.write(verdicts.judge(claims.of(loaded), Evidence(folder), loaded), folder)
