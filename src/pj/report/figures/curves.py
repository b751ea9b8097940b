"""A study's learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pj.config.settings import Study, Variant
from pj.report.figures.style import (
    FORMATS,
    colours,
    frames,
    headline,
    legend,
    log_if_wide,
    open_frame,
    plain,
    save,
    spread,
)
from pj.report.text.labels import study_label
from pj.runs import places, records

PANELS = ("loss", "accuracy")
MOST_EPOCHS = 200  # whose values a page shows; of more every second one, and so on


def write(study: Study, runs: Path, folder: Path, formats: Mapping[str, int] = FORMATS) -> None:
    """Write curves.png and curves.svg of a study: loss and accuracy by epoch, one colour per variant.

    Held-out curves (validation where there is a split, else test) are solid, running training curves
    dashed; with several seeds the mean of the complete runs, and a band from the lowest to the highest.
    Diverged runs are drawn by themselves, up to a cross at the last epoch before.
    """
    figure = draw(study, runs)
    save(figure, folder / "curves", formats, values(study, runs, figure))


def draw(study: Study, runs: Path) -> Figure:
    """Return the figure. Runs that are not there are left out."""
    figure, axes_of = frames(4, 4, 2)
    panels = dict(zip(PANELS, axes_of, strict=True))
    losses = {variant.spec.loss.model_dump_json() for variant in study.variants}
    labels = {"loss": "loss" if len(losses) < 2 else "loss (each variant's own)", "accuracy": "accuracy (%)"}
    crossed = False
    count = len(study.variants)
    for i, (variant, colour) in enumerate(zip(study.variants, colours(count), strict=True)):
        # thinner ones lie on top, so that curves that coincide are all seen
        width = 1.2 + 1.6 * (1 - i / count)
        held_out = _held_out(variant)
        complete, diverged = _curves(variant, runs)
        drawn = [curve for curve in diverged if len(curve)]
        crossed = crossed or bool(drawn)
        title = plain(variant.title) + _fate(len(complete), len(diverged), len(variant.seeds), bool(drawn))
        for quantity, axes in panels.items():
            for column, style, label in (
                (f"train_{quantity}", "--", None),
                (f"{held_out}_{quantity}", "-", title),
            ):
                _mean(axes, [c[column] for c in complete], colour, style, label, width)
                for curve in diverged:
                    _diverging(axes, curve[column], colour, style)
    for quantity, axes in panels.items():
        axes.set(xlabel="epoch", ylabel=labels[quantity])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        open_frame(axes)
    log_if_wide(panels["loss"])
    legend(figure, *panels["accuracy"].get_legend_handles_labels(), _legend_title(study, crossed))
    seeds = max((len(variant.seeds) for variant in study.variants), default=0)
    headline(figure, study.title, f"{study_label(study)}; {spread(seeds)}")
    return figure


def values(study: Study, runs: Path, figure: Figure) -> dict[str, Any]:
    """Return what a page shows of a figure under a pointer: where its panels are, and the means by epoch.

    Of each variant and panel: held-out values, then those of training, one per epoch, None where none is.
    """
    figure.draw_without_rendering()  # places the panels
    panels = [
        {
            "name": name,
            "box": [round(x, 4) for x in (box.x0, 1 - box.y1, box.width, box.height)],
            "limits": [round(x, 4) for x in axes.get_xlim()],
        }
        for name, axes in zip(PANELS, figure.axes, strict=True)
        for box in [axes.get_position()]
    ]
    found = {variant.name: _curves(variant, runs)[0] for variant in study.variants}
    last = max((int(curve.index.max()) for curves in found.values() for curve in curves), default=1)
    epochs = list(range(1, last + 1, -(-last // MOST_EPOCHS)))
    series = [
        {"title": variant.title, "colour": to_hex(colour)}
        | {
            panel: [
                _rounded(found[variant.name], f"{split}_{panel}", epochs)
                for split in (_held_out(variant), "train")
            ]
            for panel in PANELS
        }
        for variant, colour in zip(study.variants, colours(len(study.variants)), strict=True)
        if found[variant.name]
    ]
    return {"epochs": epochs, "panels": panels, "series": series}


def _rounded(curves: Sequence[pd.DataFrame], column: str, epochs: Sequence[int]) -> list[float | None]:
    means = _finite([curve[column] for curve in curves]).mean(axis=1).reindex(list(epochs))
    return [None if pd.isna(value) else float(f"{value:.4g}") for value in means]


def _held_out(variant: Variant) -> str:
    return "validation" if variant.spec.data.validation else "test"


def _finite(curves: Sequence[pd.Series]) -> pd.DataFrame:
    table = pd.concat(curves, axis=1)
    return table.where(table.abs() != float("inf"))


def _curves(variant: Variant, runs: Path) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the curves of a variant's complete runs, and of its diverged ones before they diverged."""
    complete, diverged = [], []
    for seed in variant.seeds:
        folder = places.folder(runs, variant.spec.run, seed)
        state = records.state(folder)
        if state == "missing":
            continue
        curve = pd.read_csv(records.table(folder, records.METRICS), index_col="epoch")
        if state == "complete":
            complete.append(curve)
        else:
            diverged.append(curve.iloc[:-1])
    return complete, diverged


def _mean(
    axes: Axes, curves: Sequence[pd.Series], colour: Any, style: str, label: str | None, width: float
) -> None:
    """Draw the mean over seeds and its spread; a variant without a complete run keeps its legend entry."""
    if not curves:
        axes.plot([], [], style, color=colour, label=label)
        return
    table = _finite(curves)
    mean = table.mean(axis=1)
    marker = "o" if len(mean) == 1 else None  # a line through one point cannot be seen
    axes.plot(mean.index, mean.to_numpy(), style, color=colour, label=label, lw=width, marker=marker, ms=4)
    if table.shape[1] > 1:
        axes.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.15, lw=0)


def _fate(complete: int, diverged: int, seeds: int, drawn: bool) -> str:
    """Return what a legend adds to a variant without runs, or of which some diverged.

    One that diverged in its first epoch has no curve.
    """
    if not diverged:
        return "" if complete else " (not run)"
    return f" ({diverged} of {seeds} diverged{'' if drawn else ' in the first epoch'})"


def _diverging(axes: Axes, curve: pd.Series, colour: Any, style: str) -> None:
    """Draw a diverged run by itself, a cross at its last epoch."""
    finite = curve[curve.abs() != float("inf")].dropna()
    axes.plot(finite.index, finite.to_numpy(), style, color=colour, lw=0.8)
    axes.plot(finite.index[-1:], finite.to_numpy()[-1:], "x", color=colour, ms=7)


def _legend_title(study: Study, crossed: bool) -> str:
    held_out = sorted({_held_out(variant) for variant in study.variants})
    lines = [f"solid: {' or '.join(held_out)}", "dashed: train (running)"]
    return "\n".join([*lines, *(["×: diverged after"] if crossed else [])])
