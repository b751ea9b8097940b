"""Which tables and figures a configuration asks for: those that the pages show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pj.config import sweeps
from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.messages import nearest
from pj.files import json_of

FOLDER = "results"
NEEDS = {  # of figures and tables that only some studies have
    "sweep": "a sweep of one key, over numbers",
    "probes": "the key probes",
    "probes_table": "the key probes",
    "path": "the key path",
    "weights": "the key path",
}
known: list[str] = []  # files that may be asked for; the Snakefile fills it


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


def whole(asked: Any) -> bool:
    """Whether Snakemake (its ``dag_settings``) was asked for everything."""
    return not (asked.targets or asked.until or asked.omit_from or asked.batch)


def instead(target: str) -> str:
    """Return what there is instead of a target that no rule makes; nothing if no name is near."""
    path = Path(target)
    beside = [Path(name).name for name in known if Path(name).parent == path.parent]
    if not beside:
        return nearest(target, known).removeprefix(". ")
    more = " (tables also as .tex, .csv and .json, figures as .svg)"
    made = f"{path.parent} gets {', '.join(beside)}{more if path.parent != Path(FOLDER) else ''}."
    needs = path.parent.parent == Path(FOLDER, "studies") and path.stem in NEEDS and path.name not in beside
    return f"{made} {path.name} of a study needs {NEEDS[path.stem]}." if needs else made


def closing_lines(since: float = 0.0) -> list[str]:
    """Return what a workflow says last: how many claims hold, and where to look.

    Nothing if the page is older than ``since`` (seconds since the epoch), so that it was not asked for.
    """
    page, scorecard = Path(FOLDER, "report.html"), Path(FOLDER, "claims.json")
    if not page.is_file() or page.stat().st_mtime < since:
        return []
    above = json_of(scorecard).get("above", "")
    return [*filter(None, [str(above).replace("*", "")]), f"Open {page}"]
