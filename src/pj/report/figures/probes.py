"""Figures of a study's probes, in the manner of Santurkar et al. 2018: both networks in one frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pj.config.settings import Study
from pj.report.figures.style import FORMATS, LOG_SPREAD, headline, open_frame, plain, save, wrapped
from pj.report.tables.probe_measures import NETWORKS
from pj.report.text.labels import study_label

# dark and solid against light and dashed: told apart without colour too
STYLES: dict[str, dict[str, Any]] = {
    "bn": {"color": "#0072B2", "linestyle": "-"},
    "plain": {"color": "#E69F00", "linestyle": "--"},
}
FEW_POINTS = 50
TITLES = {"bn": "with batch norm", "plain": "without"}
LINES = {
    ("gradient", "absolute"): "along -g, step sizes",
    ("gradient", "relative"): "along -g, multiples of lr",
    ("update", "absolute"): "along the update, step sizes",
    ("update", "relative"): "along the update, multiples of lr",
}
# what bands and lines of a study are, by what it shows
BANDS = {
    "loss_range": "band: lowest to highest loss over the step sizes",
    "predictiveness": "band: lowest to highest distance of the gradients over the step sizes",
    "beta": "lines without bands: the largest value over the step sizes",
    "ics": "no bands; thin: one line per learning rate, thick: their median",
}
SHIFTS = {"ics": "‖G - G'‖", "ics_relative": "‖G - G'‖ / ‖G‖", "ics_cosine": "cosine of G and G'"}


def write(study: Study, runs: Path, folder: Path, formats: Mapping[str, int] = FORMATS) -> None:
    """Write probes.png and probes.svg from the probes.csv and probes_table.csv beside them."""
    found = pd.read_csv(folder / "probes.csv", keep_default_na=False)
    medians = pd.read_csv(folder / "probes_table.csv", keep_default_na=False)
    for column in ("low", "high", "value"):
        found[column] = pd.to_numeric(found[column])
    save(draw(study, found, medians), folder / "probes", formats)


def draw(study: Study, found: pd.DataFrame, medians: pd.DataFrame) -> Figure:
    """Return the figure: one row per trajectory, one column per line; for shifts one row per measure."""
    assert study.probes is not None
    bands = found["quantity"].isin(("loss_band", "ics_band"))
    frames = _frames(study.probes.show, found[~bands])
    frames += [[("band", str(name), part)] for name, part in found[bands].groupby("trajectory", sort=False)]
    if not frames:
        figure = Figure(figsize=(6, 1.5), layout="constrained")
        figure.suptitle(plain(f"{study.title}: no complete probed run"))
        return figure
    columns = max(len(row) for row in frames)
    figure = Figure(figsize=(max(3.2 * columns, 6.5), 0.9 + 2.3 * len(frames)), layout="constrained")
    grid = figure.add_gridspec(len(frames), columns)
    for i, row in enumerate(frames):
        for j, (kind, title, part) in enumerate(row):
            axes = figure.add_subplot(grid[i, :] if kind == "band" else grid[i, j])
            _draw_frame(axes, kind, part, medians)
            inches = figure.get_figwidth() / (1 if kind == "band" else columns) - 0.8
            title = title if kind != "band" else f"as reported, over runs; {title}"
            axes.set_title(wrapped(title, inches, 8), fontsize=8)
            axes.set_xlabel("layer" if kind == "layers" else "training step", fontsize=8)
            axes.tick_params(labelsize=7)
            open_frame(axes)
            axes.set_ylabel(_ylabel(kind, part), fontsize=8)
    named = [pair for axes in figure.axes for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    entries = {label: handle for handle, label in named if not label.startswith("along")}
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=4, frameon=False)
    seeds = found["seed"].nunique()
    over = f"median over {seeds} seeds" if seeds > 1 else "1 seed"
    over += f"; {BANDS[study.probes.show]}"
    if bands.any():
        over += "; band as reported: lowest to highest over learning rates"
    headline(figure, study.title, f"{study_label(study)}, {over}")
    return figure


def _frames(show: str, found: pd.DataFrame) -> list[list[tuple[str, str, pd.DataFrame]]]:
    """Return rows of frames: what kind, its title, its measures."""
    if show == "ics":
        return [
            [("lines", layer, own[own["layer"] == layer]) for layer in own["layer"].unique()]
            for quantity in SHIFTS
            if len(own := found[found["quantity"] == quantity])
        ]
    rows = []
    own = found[found["quantity"] == show]
    for label, part in own[own["layer"] == "all"].groupby("trajectory", sort=False):
        kind = "lines" if show == "beta" else "range"
        row = [
            (kind, f"{label}\n{title}", cell)
            for (line, grid), title in LINES.items()
            if len(cell := part[(part["line"] == line) & (part["grid"] == grid)])
        ]
        reported = found[(found["trajectory"] == label) & (found["quantity"] == "beta_reported")]
        if len(reported):
            whole = reported[reported["layer"] == "all"]
            row.append(("lines", f"{label}\nas reported, along -g", whole))
        layers = own[(own["trajectory"] == label) & (own["layer"] != "all")]
        if len(layers):
            row.append(("layers", f"{label}\nby layer, median over steps", layers))
        rows.append(row)
    return rows


def _ylabel(kind: str, part: pd.DataFrame) -> str:
    quantity = part["quantity"].iloc[0]
    if kind == "layers":
        return "BN / without"
    if quantity == "ics_band":
        return f"ICS at {part['layer'].iloc[0]}"
    names = {"loss_range": "loss", "loss_band": "loss", "predictiveness": "‖Δg‖", "beta": "effective beta"}
    names["beta_reported"] = "max ‖Δg‖ / step"
    return names.get(quantity) or SHIFTS[quantity]


def _draw_frame(axes: Axes, kind: str, part: pd.DataFrame, medians: pd.DataFrame) -> None:
    if kind == "layers":
        _layers(axes, part, medians)
        return
    columns = ("low", "high") if kind in ("range", "band") else ("value",)
    series = {
        network: [own.groupby(["trajectory", "step"], sort=False)[c].median() for c in columns]
        for network in NETWORKS
        if len(own := part[part["network"] == network])
    }
    drawn = np.concatenate([s.to_numpy(dtype=float) for pair in series.values() for s in pair])
    top = _scale(axes, drawn)
    for network, values in series.items():
        if len(values) == 2:
            _band(axes, network, values[0].droplevel(0), values[1].droplevel(0), top)
        else:
            _lines(axes, network, values[0], top)


def _scale(axes: Axes, drawn: np.ndarray[Any, Any]) -> float:
    """Choose the axis by what is finite, and return its top, at which infinity is drawn."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return 1.0
    low, high = float(finite.min()), float(finite.max())
    positive = finite[finite > 0]
    if len(positive) and low >= 0 and high > LOG_SPREAD * positive.min():
        axes.set_yscale("log")
        top = high * (high / float(positive.min())) ** 0.05
        axes.set_ylim(float(positive.min()) / 1.3, top)
    else:
        top = high + 0.05 * ((high - low) or 1.0)
        axes.set_ylim(low - 0.05 * ((high - low) or 1.0), top)
    return top


def _band(axes: Axes, network: str, low: pd.Series, high: pd.Series, top: float) -> None:
    style = STYLES[network]
    axes.fill_between(
        low.index, low.clip(upper=top), high.clip(upper=top), color=style["color"], alpha=0.35, lw=0
    )
    marked = _marker(low)
    axes.plot(low.index, low.clip(upper=top), **style, **marked, lw=0.8, label=TITLES[network])
    axes.plot(high.index, high.clip(upper=top), **style, **marked, lw=0.8)
    _clipped(axes, network, high, top)


def _lines(axes: Axes, network: str, values: pd.Series, top: float) -> None:
    """Draw a thin line a trajectory and, of several, the thick median."""
    style, table = STYLES[network], values.unstack(level=0)
    for column in table:
        thin = {"lw": 0.6, "alpha": 0.6} if table.shape[1] > 1 else {"lw": 1.4, "label": TITLES[network]}
        axes.plot(table.index, table[column].clip(upper=top), **style, **thin)
        _clipped(axes, network, table[column], top)
    if table.shape[1] > 1:
        median = table.median(axis=1).clip(upper=top)
        axes.plot(table.index, median, **style, **_marker(median), lw=1.8, label=TITLES[network])


def _marker(values: pd.Series) -> dict[str, Any]:
    """Return a marker for few points, between which a line says nothing."""
    return {"marker": "o", "ms": 2.5} if len(values) <= FEW_POINTS else {}


def _clipped(axes: Axes, network: str, values: pd.Series, top: float) -> None:
    """Mark at the upper edge where a value is infinite."""
    where = values.index[np.isinf(values)]
    if len(where):
        colour = STYLES[network]["color"]
        filled = colour if network == "bn" else "none"
        marks = {"marker": "^", "facecolors": filled, "edgecolors": colour, "s": 22, "clip_on": False}
        label = f"diverging probe, {TITLES[network]}"
        axes.scatter(where, [top] * len(where), **marks, label=label, zorder=3)


def _layers(axes: Axes, part: pd.DataFrame, medians: pd.DataFrame) -> None:
    """Draw the paired ratio by layer, one marker per line; infinite or zero ones lie on the frame's edge."""
    own = medians[
        (medians["trajectory"] == part["trajectory"].iloc[0])
        & (medians["quantity"] == part["quantity"].iloc[0])
        & (medians["layer"] != "all")
    ]
    own = own.assign(ratio=pd.to_numeric(own["ratio"], errors="coerce"))
    top = _scale(axes, np.append(own["ratio"].to_numpy(dtype=float), 1.0))
    for (kind, title), marker in zip(LINES.items(), "osDv", strict=True):
        cell = own[(own["line"] == kind[0]) & (own["grid"] == kind[1])].dropna(subset="ratio")
        if len(cell):
            ratio = cell["ratio"].clip(axes.get_ylim()[0], top)
            axes.plot(cell["layer"], ratio, marker, ms=3.5, color="black", mfc="none", label=title)
    axes.axhline(1, color="grey", lw=0.8)
    axes.tick_params(axis="x", rotation=90)
    axes.legend(fontsize=6, frameon=False)
