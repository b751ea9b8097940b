"""How all figures look, and how they are written."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pj import files

mpl.use("Agg")
# text stays text in an SVG, and equal curves make equal files
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "pj", "font.size": 9}
FORMATS = {"png": 150, "svg": 150}  # dots an inch
SMALL = {"png": 100}  # for what is kept
# Okabe & Ito's colours, told apart by colour-blind readers too.
FEW = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
VALUES = "pj values"  # of a PNG's texts
LOG_SPREAD = 50  # losses that spread wider than this factor are drawn on a logarithmic axis


def save(figure: Figure, path: Path, formats: Mapping[str, int], values: Any = None) -> None:
    """Write a figure to ``path`` with each format's extension; equal figures make equal files.

    ``values`` is what a page shows of it under a pointer: JSON that a PNG carries as text.
    """
    for extension, dpi in formats.items():
        with files.replaced(path.with_name(f"{path.name}.{extension}")) as temporary:
            metadata: dict[str, str | None] = {"Date": None} if extension == "svg" else {"Software": None}
            if values is not None and extension == "png":
                metadata[VALUES] = json.dumps(values, separators=(",", ":"))
            figure.savefig(temporary, format=extension, dpi=dpi, metadata=metadata)


def headline(figure: Figure, title: str, rest: str) -> None:
    """Write a title over a figure, and below it what it is of, in lines that fit the figure."""
    letters = int(figure.get_figwidth() * 13)
    lines = [line for text in (title, rest) for line in textwrap.wrap(text, letters)]
    figure.suptitle("\n".join(lines), fontsize=10)


def log_if_wide(axes: Axes) -> None:
    """Make the axis of lines that spread over decades logarithmic."""
    drawn = np.concatenate(
        [np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()] or [np.array([])]
    )
    positive = drawn[np.isfinite(drawn) & (drawn > 0)]
    if len(positive) and positive.max() > LOG_SPREAD * positive.min():
        axes.set_yscale("log")


def colours(count: int) -> list[Any]:
    """Return distinct colours for a few variants; for many, which are steps of one quantity, a scale."""
    if count <= len(FEW):
        return list(FEW[:count])
    return [mpl.colormaps["viridis"](i / (count - 1) * 0.92) for i in range(count)]
