"""A study's accuracy against the value that its sweep varies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from pj.config import flat
from pj.config.settings import Study, Variant
from pj.report.figures.style import FEW, FORMATS, frames, headline, legend, open_frame, save, wrapped
from pj.report.tables.studies import StudyRuns, collect
from pj.report.text.labels import reduced, study_label
from pj.statistics import estimate

COLOUR, FAILED = FEW[4], FEW[5]
LABELLED = 12  # values up to which every one has its tick
TURNED = 6  # values above which their labels are turned
NEAREST = 0.04  # of the axis between two values, for both to have a label


def write(study: Study, runs: Path, folder: Path, formats: Mapping[str, int] = FORMATS) -> None:
    """Write sweep.png and sweep.svg of a study whose sweep has one numeric key."""
    save(draw(study, runs), folder / "sweep", formats)


def draw(study: Study, runs: Path) -> Figure:
    """Return the accuracy that the study compares against the value: mean, 95 % interval, seeds, paper.

    Diverged runs have no accuracy; how many of a value diverged is written at the axis.
    """
    assert study.swept is not None
    found = collect(study, runs)
    # a scale makes some equal
    by_run = {v.spec.run: v for v in study.variants if v.name in study.swept.variants}
    table = _table(found, study.swept.key, list(by_run.values()))
    figure, (axes,) = frames(5.5, 4, 1)
    _points(axes, table)
    _axes(axes, table["value"], study.swept.log)
    accuracy = found.headings[found.compared].replace("test (%)", "test accuracy (%)")
    axes.set(xlabel=wrapped(study.swept.key, 5, 9), ylabel=wrapped(accuracy, 3.2, 9))
    _diverged(axes, table)
    legend(figure, *axes.get_legend_handles_labels())
    scale = "; × at full scale" if table["reported"].notna().any() and reduced(study) else ""
    headline(figure, study.title, f"{study_label(study)}; {_spread(table)}{scale}")
    return figure


def _spread(table: pd.DataFrame) -> str:
    if table["mean"].isna().all():
        return "no complete run"
    return "mean and 95 % interval" if table["half_width"].notna().any() else "one seed, so no interval"


def _table(found: StudyRuns, key: str, variants: list[Variant]) -> pd.DataFrame:
    """Return one row per value, in increasing order: what its runs gave, and what the paper reports."""
    rows = []
    for variant in variants:
        own = found.runs[found.runs["variant"] == variant.name]
        complete = own[own["state"] == "complete"]
        seeds = complete[found.compared].dropna().tolist() if found.compared in complete else []
        over_seeds = estimate(seeds)
        rows.append(
            {
                "value": _at(variant, key),
                "seeds": seeds,
                "mean": over_seeds.mean if over_seeds else None,
                "half_width": over_seeds.half_width if over_seeds else None,
                "diverged": int((own["state"] == "diverged").sum()),
                "of": len(variant.seeds),
                "reported": _reported(variant, found.compared),
            }
        )
    table = pd.DataFrame(rows).sort_values("value", ignore_index=True)
    return table.astype({"mean": float, "half_width": float, "reported": float})


def _at(variant: Variant, key: str) -> float:
    """Return the value that is in force, which a scale may have reduced; 0 switches some off (a warmup)."""
    return float(flat.of(variant.spec).get(key, 0.0))


def _reported(variant: Variant, compared: str) -> float | None:
    accuracy, test = variant.reported.accuracy, variant.reported.test
    first, second = (test, accuracy) if compared == "selected" else (accuracy, test)
    return second if first is None else first


def _points(axes: Axes, table: pd.DataFrame) -> None:
    x, mean, half = (table[column].to_numpy() for column in ("value", "mean", "half_width"))
    dots = [(value, seed) for value, seeds in zip(x, table["seeds"], strict=True) for seed in seeds]
    several = len(dots) > np.isfinite(mean).sum()
    if several:
        axes.plot(*np.transpose(dots), "o", color=COLOUR, alpha=0.3, ms=3, mew=0, label="one seed")
    if dots:  # the line is broken where no run is complete
        axes.plot(x, mean, "-o", color=COLOUR, lw=1.4, ms=4.5, label="mean" if several else "one seed")
    else:
        axes.set_yticks([])
    if np.isfinite(half).any():
        axes.fill_between(x, mean - half, mean + half, color=COLOUR, alpha=0.15, lw=0, label="95 % interval")
    if table["reported"].notna().any():
        axes.plot(x, table["reported"], "x", color="black", ms=8, label="paper")


def _axes(axes: Axes, values: pd.Series, log: bool) -> None:
    """Give the horizontal axis its scale, and each of a few values a tick."""
    if log:
        axes.set_xscale("log")
    places = np.log(values) if log else values
    gaps = np.diff(places) / np.ptp(places) if np.ptp(places) else np.zeros(1)
    if len(values) <= LABELLED and gaps.min() >= NEAREST:
        axes.set_xticks(values.tolist())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("e-0", "e-")))
        axes.xaxis.set_minor_locator(NullLocator())
        if len(values) > TURNED:
            axes.tick_params(axis="x", rotation=45)
    axes.margins(x=0.06, y=0.1)
    open_frame(axes)


def _diverged(axes: Axes, table: pd.DataFrame) -> None:
    """Write at the axis how many runs of a value diverged."""
    failed = table[table["diverged"] > 0]
    if failed.empty:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.1 * (high - low), high)  # so that no dot lies below the numbers
    at_axis = axes.get_xaxis_transform()  # y from 0 at the axis to 1 at the top
    label = f"diverged: {failed['diverged'].sum()} of {table['of'].sum()} runs"
    axes.plot(failed["value"], [0.03] * len(failed), "v", color=FAILED, ms=6, transform=at_axis, label=label)
    for value, count, seeds in zip(failed["value"], failed["diverged"], failed["of"], strict=True):
        axes.text(value, 0.06, f"{count}/{seeds}", color=FAILED, fontsize=7, ha="center", transform=at_axis)
