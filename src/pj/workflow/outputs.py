"""Which tables and figures a configuration asks for: those that the pages show."""

from __future__ import annotations

import json
from pathlib import Path

from pj.config import sweeps
from pj.config.analyses import ANALYSES
from pj.config.loading import Config

FOLDER = "results"


def tables(config: Config) -> list[str]:
    """Return the tables, those of studies first."""
    studies = config.settings.studies
    return [
        *(f"{FOLDER}/studies/{name}/table.md" for name in studies),
        *(f"{FOLDER}/studies/{name}/probes_table.md" for name, study in studies.items() if study.probes),
        *(f"{FOLDER}/{key}/{name}/table.md" for key in ANALYSES for name in config.analyses(key)),
        *([f"{FOLDER}/modes/table.md"] if config.settings.modes else []),
    ]


def figures(config: Config) -> list[str]:
    """Return the figures, those of studies first."""
    studies = config.settings.studies
    return [
        *(f"{FOLDER}/studies/{name}/curves.png" for name in studies),
        *(
            f"{FOLDER}/studies/{name}/sweep.png"
            for name, study in studies.items()
            if sweeps.axis(study.sweep)
        ),
        *(f"{FOLDER}/studies/{name}/probes.png" for name, study in studies.items() if study.probes),
        *(f"{FOLDER}/studies/{name}/path.png" for name, study in studies.items() if study.path),
        *(
            f"{FOLDER}/{key}/{name}/{figure}.png"
            for key, analysis in ANALYSES.items()
            for name in config.analyses(key)
            for figure in analysis.figures
        ),
    ]


def pages_asked() -> bool:
    """Whether the pages are among what was asked for; the Snakefile replaces this, which alone knows."""
    return False


def closing_lines(since: float = 0.0) -> list[str]:
    """Return what a workflow says last: how many claims hold, and where to look.

    Nothing if the page is older than ``since`` (seconds since the epoch), so that it was not asked for.
    """
    page, scorecard = Path(FOLDER, "report.html"), Path(FOLDER, "claims.json")
    if not page.is_file() or page.stat().st_mtime < since:
        return []
    above = json.loads(scorecard.read_text(encoding="utf-8"))["above"] if scorecard.is_file() else ""
    return [*filter(None, [above.replace("*", "")]), f"Open {page}"]
