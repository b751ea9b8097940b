"""Tables, figures and pages, by the name of the rule that writes them."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

REGISTRY = {
    # of a study: write(study, runs, folder)
    "tables": "pj.report.tables.studies:write",
    "figures": "pj.report.figures.curves:write",
    "probes": "pj.report.tables.probes:write",
    "probe_figures": "pj.report.figures.probes:write",
    "paths": "pj.report.figures.paths:write",
    "sweeps": "pj.report.figures.sweep:write",
    # of everything: write(judgements, sources, words, output)
    "numbers": "pj.report.tables.numbers:write",
    "scorecard": "pj.report.tables.claims:write",
    "page": "pj.report.pages.html:write",
    "report": "pj.report.pages.markdown:write",
}


def writer(rule: str) -> Any:
    """Return the function that does a rule's work."""
    return resolve_name(REGISTRY[rule])
