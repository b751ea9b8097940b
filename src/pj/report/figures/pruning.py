"""Pruning curves drawn: accuracy against the share that is removed."""

from __future__ import annotations

from matplotlib.figure import Figure

from pj.config.settings import Analysed
from pj.report.figures.style import colours, frames, headline, legend, open_frame, plain, spread, wrapped
from pj.report.tables.analyses import Found, diverged
from pj.report.tables.pruning import METHODS, by_seed, table
from pj.report.text.labels import scale_label

DASHES = {"path": "-", "magnitude": "--", "random": ":"}


def draw(pruning: Analysed, found: Found) -> Figure:
    """Return the figure: one colour per variant, one dash pattern per order, a band over the seeds."""
    means = by_seed(table(pruning, found))
    figure, (axes,) = frames(5, 4, 1)
    for variant, colour in zip(pruning.variants, colours(len(pruning.variants)), strict=True):
        for method in pruning.methods[variant.name]:
            own = means[(means["variant"] == variant.name) & (means["method"] == method)]
            groups = own.groupby("percent")["accuracy"]
            label = plain(f"{variant.title}, {METHODS[method]}")
            if not own["accuracy"].notna().any():
                label += " (diverged)" if diverged(found, [variant]) else " (not run)"
            axes.plot(groups.mean(), DASHES[method], color=colour, lw=1.3, marker="o", ms=3, label=label)
            if len(own) and groups.size().max() > 1:
                low, high = groups.min(), groups.max()
                axes.fill_between(low.index, low, high, color=colour, alpha=0.15, lw=0)
    if pruning.reported:
        reported = [float("nan") if value is None else value for value in pruning.reported]
        axes.plot(pruning.settings.percents, reported, "x", color="black", ms=8, label="paper")
    axes.set(
        xlabel=wrapped(f"removed units of {' and '.join(pruning.settings.layers)} (%)", 4, 9),
        ylabel="test accuracy (%)",
    )
    open_frame(axes)
    legend(figure, *axes.get_legend_handles_labels())
    first = pruning.variants[0]
    headline(
        figure,
        pruning.title,
        f"{first.spec.data.name}, {scale_label(first.scale)}; {spread(means['seed'].nunique())}"
        + ("; × at full scale" if pruning.reported and first.scale.reductions else ""),
    )
    return figure
