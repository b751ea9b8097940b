"""The analyses of finished runs, by their key in config.yaml. A new one is a module here and a line below."""

from __future__ import annotations

from pj.config.analyses.declaration import Analysis
from pj.config.analyses.interpret import INTERPRET
from pj.config.analyses.landscape import LANDSCAPE
from pj.config.analyses.pruning import PRUNING
from pj.errors import UserError

DECLARED = (PRUNING, INTERPRET, LANDSCAPE)
ANALYSES: dict[str, Analysis] = {analysis.key: analysis for analysis in DECLARED}
if len(ANALYSES) < len(DECLARED):
    raise UserError("two analyses have the same key; give each its own")
