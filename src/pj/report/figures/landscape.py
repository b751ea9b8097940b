"""Figures of landscapes: the loss along lines and over planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pj.config.settings import Analysed
from pj.report.figures.style import DASHES, colours, frames, headline, legend, log_if_wide, plain, wrapped
from pj.report.tables.analyses import Found, complete, first_seeds
from pj.report.text.labels import scale_label


def draw(landscape: Analysed, found: Found) -> Figure:
    """Return the figure: the loss along one direction, one line per run, and over a plane for a run each."""
    shown = first_seeds(found, landscape.variants)
    figure, axes = frames(3.6, 3.6, 1 + len(shown))
    palette = colours(len(landscape.variants))
    for variant, colour, dash in zip(landscape.variants, palette, DASHES * len(palette), strict=False):
        for i, run in enumerate(complete(found, variant)):
            label = plain(variant.title) if i == 0 else None
            values = np.asarray(run["line"]["loss"], dtype=float)  # null, not finite, leaves a gap
            axes[0].plot(run["line"]["offsets"], values, dash, color=colour, lw=1.2, label=label)
    log_if_wide(axes[0])
    axes[0].set(title="one direction, one line per seed", xlabel="share of each filter's norm", ylabel="loss")
    if shown:
        legend(figure, *axes[0].get_legend_handles_labels())
    planes = [np.asarray(run["plane"]["loss"], dtype=float) for _, run in shown]
    for (variant, run), plane, own in zip(shown, planes, axes[1:], strict=True):
        _contours(own, run["plane"]["offsets"], plane, planes)
        own.set(
            title=wrapped(f"{variant.title}: two directions, first seed", 2.8, 9),
            xlabel="second direction",
            ylabel="first direction",
        )
    for own in axes:
        own.title.set_fontsize(9)
    first = landscape.variants[0]
    what = "every line is one run, so no bands; contours are of the loss, the same levels in every frame"
    headline(figure, landscape.title, f"{first.spec.data.name}, {scale_label(first.scale)}; {what}")
    return figure


def _contours(axes: Axes, offsets: list[float], plane: np.ndarray[Any, Any], planes: Sequence[Any]) -> None:
    """Draw a plane with the levels of all planes, logarithmic, so that they compare; not finite is white."""
    all_values = np.concatenate([p.ravel() for p in planes])
    positive = all_values[np.isfinite(all_values) & (all_values > 0)]
    if not len(positive):
        return
    levels = np.unique(np.geomspace(positive.min(), max(positive.max(), positive.min() * 1.01), 13))
    masked = np.ma.masked_invalid(plane).clip(min=positive.min())
    axes.contourf(offsets, offsets, masked, levels, cmap="Greys", norm="log", alpha=0.6)
    lines = axes.contour(offsets, offsets, masked, levels, colors="black", linewidths=0.6)
    axes.clabel(lines, fontsize=6, fmt=lambda v: f"{v:.2g}")
    axes.plot(0, 0, "+", color="#D55E00", ms=9)
    axes.set_aspect("equal")
