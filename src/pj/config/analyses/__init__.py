"""The analyses of finished runs, by their key in config.yaml. A new one is a module here and a line below."""

from __future__ import annotations

from pj.config.analyses.declaration import Analysis
from pj.config.analyses.interpret import INTERPRET
from pj.config.analyses.landscape import LANDSCAPE
from pj.config.analyses.pruning import PRUNING

ANALYSES: dict[str, Analysis] = {analysis.key: analysis for analysis in (PRUNING, INTERPRET, LANDSCAPE)}
