"""Draw docs/picture.png, the README's picture, from the results that are kept in example/.

python docs/picture.py
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from pj.claims import loading, verdicts
from pj.claims.evidence import Evidence
from pj.claims.schema import Contrast, Probed
from pj.config.loading import load
from pj.report.text import overview

ROOT = Path(__file__).parents[1]
SHOWN = {  # verdict: colour and shape, as on the report page
    "reproduced": ("#00704a", "o"),
    "direction only": ("#1f77b4", ">"),
    "equivalent": ("#4a5568", "s"),
    "reversed": ("#b03010", "X"),
    "inconclusive": ("#7a5c00", "o"),
}
LEAST, MOST = -12.0, 6.0  # percentage points that the picture shows


def scorecard(axes: Axes, judged: Sequence[verdicts.Judgement]) -> None:
    """Draw one row per claim: what it says, its interval if it is in points, and its verdict."""
    axes.set(xlim=(LEAST, MOST), ylim=(len(judged) - 0.4, -0.6), yticks=[])
    axes.axvline(0, color="0.6", linewidth=1)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_xlabel("difference in test accuracy, percentage points, 95 % interval over 5 seeds")
    beside = {"va": "center", "transform": axes.get_yaxis_transform(), "fontsize": 9}
    for row, found in enumerate(judged):
        colour, marker = SHOWN[found.verdict]
        axes.text(-0.02, row, "\n".join(textwrap.wrap(found.claim.statement, 44)), ha="right", **beside)
        axes.text(1.05, row, found.verdict, color=colour, weight="bold", **beside)
        if isinstance(found.claim, Contrast):
            face = "white" if found.verdict == "inconclusive" else colour
            axes.plot([found.low, found.high], [row, row], color=colour, linewidth=2)
            for end, arrow in ((max(found.low, LEAST), "<"), (min(found.high, MOST), ">")):
                if end in (LEAST, MOST):  # the interval goes on
                    axes.plot(end, row, arrow, color=colour, markersize=8, clip_on=False)
            axes.plot(found.value, row, marker, color=colour, markerfacecolor=face, markersize=7)
        else:
            ratio = isinstance(found.claim, Probed)
            text = f"× {found.value:.2f} (ratio)" if ratio else f"{100 * found.value:.0f} % of runs"
            axes.text(-3, row, text, va="center", ha="center", color=colour, fontsize=9)


def pruning(axes: Axes, table: pd.DataFrame, titles: dict[str, str]) -> None:
    """Draw test accuracy over the share of removed filters, mean and range over seeds."""
    colours = {"dessilbi": "black", "sgd": "#e69f00"}
    lines = {"path": "-", "magnitude": "--", "random": ":"}
    for (variant, method), own in table.dropna(subset=["accuracy"]).groupby(["variant", "method"]):
        by_seed = own.groupby(["percent", "seed"])["accuracy"].mean().unstack()
        mean, style = by_seed.mean(axis=1), {"color": colours[variant], "linestyle": lines[method]}
        axes.plot(mean.index, mean, marker="o", markersize=4, label=titles[f"{variant}/{method}"], **style)
        axes.fill_between(
            mean.index, by_seed.min(axis=1), by_seed.max(axis=1), color=style["color"], alpha=0.1
        )
    axes.set(xlabel="removed filters of LeNet's conv3 (%)", ylabel="test accuracy (%)")
    axes.spines[["right", "top"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    axes.set_title("Pruning without retraining: mean, and range over 5 seeds", fontsize=10, loc="left")


def main() -> None:
    """Draw and write the picture."""
    config = load(ROOT / "config.quick.yaml")
    judged = verdicts.judge(
        loading.load(ROOT / "claims.quick.yaml", config), [Evidence(ROOT / "example")], config
    )
    table = pd.read_csv(ROOT / "example" / "prunings" / "conv3" / "table.csv")
    figure = Figure(figsize=(13, 4.6), layout=None)
    left, right = figure.add_axes((0.245, 0.13, 0.22, 0.77)), figure.add_axes((0.635, 0.13, 0.355, 0.77))
    standing, _ = overview.standing(judged)
    figure.text(0.01, 0.945, standing, fontsize=14, weight="bold")
    scorecard(left, judged)
    titles = {
        "dessilbi/path": "DessiLBI, last selected first",
        "dessilbi/magnitude": "DessiLBI, smallest first",
    }
    titles |= {"sgd/magnitude": "SGD, smallest first", "sgd/random": "SGD, at random"}
    pruning(right, table, titles)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110, facecolor="white")
    Image.open(drawn).convert("RGB").quantize(64).save(ROOT / "docs" / "picture.png", optimize=True)


if __name__ == "__main__":
    main()
