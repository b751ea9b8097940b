"""The figures of analyses of finished runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name

from pj.config.analyses import ANALYSES
from pj.config.settings import Analysed
from pj.report.figures.style import FORMATS, save
from pj.report.tables.analyses import collect


def write(
    key: str,
    analysed: Analysed,
    measured: Path,
    folder: Path,
    name: str,
    formats: Mapping[str, int] = FORMATS,
) -> None:
    """Write one figure of an analysis into ``folder``, from what lies in ``measured``."""
    draw = resolve_name(ANALYSES[key].figures[name].draw)
    save(draw(analysed, collect(analysed.variants, measured)), folder / name, formats)
