"""A study's learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pj import files
from pj.config import Study
from pj.records import METRICS

mpl.use("Agg")
# text stays text in an SVG, and equal curves make equal files
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "pj", "font.size": 9}
FORMATS = ("png", "svg")
LOG_SPREAD = 50  # losses that spread wider than this factor are drawn on a logarithmic axis


def write(study: Study, runs: Path, folder: Path) -> None:
    """Write curves.png and curves.svg of a study: loss and accuracy by epoch, a colour a variant.

    Held-out curves (validation where there is a split, else test) are solid, running training curves
    dashed; with several seeds the mean, and a band from the lowest to the highest seed.
    """
    figure = draw(study, runs)
    for extension in FORMATS:
        with files.replaced(folder / f"curves.{extension}") as temporary:
            metadata = {"Date": None} if extension == "svg" else {"Software": None}
            figure.savefig(temporary, format=extension, dpi=150, metadata=metadata)


def draw(study: Study, runs: Path) -> Figure:
    """Return the figure."""
    variants = study.variants
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    held_out = "validation" if any(v.spec.data.validation for v in variants) else "test"
    for variant, colour in zip(variants, _colours(len(variants)), strict=True):
        curves = [pd.read_csv(runs / variant.spec.run / f"seed{seed}" / METRICS) for seed in variant.seeds]
        for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
            _curve(axes, curves, f"train_{quantity}", colour, "--", None)
            _curve(axes, curves, f"{held_out}_{quantity}", colour, "-", variant.title)
    for axes, quantity in ((loss, "loss"), (accuracy, "accuracy (%)")):
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    _scale_losses(loss)
    figure.suptitle(f"{study.title} — {study.label}")
    figure.legend(
        *accuracy.get_legend_handles_labels(),
        loc="outside right center",
        frameon=False,
        title=f"solid: {held_out}\ndashed: train (running)",
    )
    return figure


def _curve(
    axes: Axes,
    curves: Sequence[pd.DataFrame],
    column: str,
    colour: Any,
    style: str,
    label: str | None,
) -> None:
    """Draw the mean over seeds of finite values, its spread, and a cross where a run diverged."""
    table = pd.concat([c.set_index("epoch")[column] for c in curves], axis=1)
    table = table.where(table.abs() != float("inf"))
    mean = table.mean(axis=1)
    marker = "o" if mean.count() == 1 else None  # a line through one point cannot be seen
    axes.plot(mean.index, mean.to_numpy(), style, color=colour, label=label, lw=1.4, marker=marker, ms=4)
    if table.shape[1] > 1:
        axes.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.15, lw=0)
    for values in (table.iloc[:, i].dropna() for i in range(table.shape[1])):
        if 0 < len(values) < len(table):
            axes.plot(values.index[-1:], values.to_numpy()[-1:], "x", color=colour, ms=7)


def _scale_losses(axes: Axes) -> None:
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()])
    positive = drawn[np.isfinite(drawn) & (drawn > 0)]
    if len(positive) and positive.max() > LOG_SPREAD * positive.min():
        axes.set_yscale("log")


def _colours(count: int) -> list[Any]:
    """Return colours that differ in lightness too, so that they survive a grey print."""
    return [mpl.colormaps["viridis"](i / max(count - 1, 1) * 0.92) for i in range(count)]
