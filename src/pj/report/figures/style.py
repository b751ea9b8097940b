"""How all figures look, and how they are written."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pj import files

mpl.use("Agg")
# text stays text in an SVG, and equal curves make equal files
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "pj", "font.size": 9}
# for scripts that Matplotlib's own font lacks, where they are installed
SCRIPTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Noto Sans",
    "Arial Unicode MS",
)
_installed = {font.name for font in font_manager.fontManager.ttflist}
mpl.rcParams["font.family"] = ["DejaVu Sans", *(name for name in SCRIPTS if name in _installed)]
FORMATS = {"png": 150, "svg": 150}  # dots an inch
SMALL = {"png": 100}  # for what is kept
# Okabe & Ito's colours, told apart by colour-blind readers too.
FEW = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
DASHES = ("-", "--", "-.", ":")
VALUES = "pj values"  # of a PNG's texts
LEGEND = 2.2  # inches, the width of a legend's lines
MARGIN = 0.8  # inches of a figure's height that a legend leaves, for the headline
LOG_SPREAD = 50  # losses that spread wider than this factor are drawn on a logarithmic axis


def save(figure: Figure, path: Path, formats: Mapping[str, int], values: Any = None) -> None:
    """Write a figure to ``path`` with each format's extension; equal figures make equal files.

    ``values`` is what a page shows of it under a pointer: JSON that a PNG carries as text.
    """
    for extension, dpi in formats.items():
        with files.replaced(path.with_name(f"{path.name}.{extension}")) as temporary:
            undated = {"svg": "Date", "pdf": "CreationDate"}.get(extension, "Software")
            metadata: dict[str, str | None] = {undated: None}
            if values is not None and extension == "png":
                metadata[VALUES] = json.dumps(values, separators=(",", ":"))
            figure.savefig(temporary, format=extension, dpi=dpi, metadata=metadata)


def plain(text: str) -> str:
    """Return a text that is drawn as it is written: no mathematics, and not hidden for a leading ``_``."""
    text = re.sub(r"(?<!\\)\$", r"\\$", text)
    return f" {text}" if text.startswith("_") else text


def wrapped(text: str, inches: float, size: float) -> str:
    """Return a text, drawn as it is written, in lines that fit a width in letters of a size in points."""
    lines = [
        line
        for part in plain(text).splitlines()
        for line in textwrap.wrap(part, max(8, int(inches * 115 / size)))
    ]
    return "\n".join(lines)


def headline(figure: Figure, title: str, rest: str) -> None:
    """Write a title over a figure, and below it what it is of, in lines that fit the figure."""
    inches = figure.get_figwidth() - 0.2
    figure.suptitle("\n".join((wrapped(title, inches, 10), wrapped(rest, inches, 10))), fontsize=10)


def spread(seeds: int) -> str:
    """Return what lines and bands are, of so many seeds."""
    return "mean over seeds, band from the lowest to the highest" if seeds > 1 else "one seed, so no band"


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str], title: str | None = None) -> None:
    """Add a legend to the right of a figure, which grows so that all of it is seen."""
    drawn = figure.legend(
        handles,
        [wrapped(label, LEGEND, 8) for label in labels],
        loc="outside right center",
        frameon=False,
        fontsize=8,
        title=title,
        title_fontsize=8,
        alignment="left",
    )
    extent = drawn.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    figure.set_figwidth(figure.get_figwidth() + extent.width / figure.dpi)
    figure.set_figheight(max(figure.get_figheight(), extent.height / figure.dpi + MARGIN))


def frames(figure_width: float, height: float, count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``count`` frames of a size in inches, in rows of four, and their axes."""
    columns, rows = min(4, max(count, 1)), -(-max(count, 1) // 4)
    figure = Figure(figsize=(figure_width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)  # measures texts
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def open_frame(axes: Axes) -> None:
    """Give axes a light grid, and leave their frame open above and to the right."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


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
