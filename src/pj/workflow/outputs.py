"""Which tables and figures a configuration asks for: those that the pages show."""

from __future__ import annotations

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
        f"{FOLDER}/modes/table.md",
    ]


def figures(config: Config) -> list[str]:
    """Return the figures, those of studies first."""
    studies = config.settings.studies
    return [
        *(f"{FOLDER}/studies/{name}/curves.png" for name in studies),
        *(f"{FOLDER}/studies/{name}/probes.png" for name, study in studies.items() if study.probes),
        *(f"{FOLDER}/studies/{name}/path.png" for name, study in studies.items() if study.path),
        *(
            f"{FOLDER}/{key}/{name}/{figure}.png"
            for key, analysis in ANALYSES.items()
            for name in config.analyses(key)
            for figure in analysis.figures
        ),
    ]
