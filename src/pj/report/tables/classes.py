"""Accuracy by class, and which classes are taken for which, from the confusion matrices of a study's runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pj.config.settings import Study
from pj.report.text.labels import study_label
from pj.report.text.sheet import Sheet

NAME = "classes"  # of the files
COLUMNS = ["variant", "class", "predicted", "images", "percent"]
HEAD = """\
**{label}**; by class, over all complete runs of a variant. The confusion matrices are in classes.csv."""

Evaluations = Mapping[tuple[str, int], Mapping[str, Any]]  # by variant and seed


def pairs(study: Study, evaluations: Evaluations) -> pd.DataFrame:
    """Return how often each class was taken for which, one row per pair that occurs.

    ``images`` are the test images of all complete runs of a variant, ``percent`` their share of the class's.
    """
    rows = []
    for variant in study.variants:
        found = [evaluations[variant.name, seed] for seed in variant.seeds]
        found = [evaluation for evaluation in found if "confusion" in evaluation]
        if not found:
            continue
        total = np.sum([evaluation["confusion"] for evaluation in found], axis=0)
        names = found[0].get("classes", list(range(len(total))))
        for true, counts in enumerate(total.tolist()):
            for predicted, images in enumerate(counts):
                if images:
                    percent = 100 * images / sum(counts)
                    rows.append([variant.name, str(names[true]), str(names[predicted]), images, percent])
    return pd.DataFrame(rows, columns=COLUMNS)


def sheet(study: Study, found: pd.DataFrame) -> Sheet:
    """Return the best and the worst class of each variant, and its most frequent confusion."""
    rows = []
    for variant in study.variants:
        own = found[found["variant"] == variant.name]
        if own.empty:
            continue
        correct = own[own["class"] == own["predicted"]].set_index("class")["percent"]
        by_class = correct.reindex(own["class"].unique(), fill_value=0.0).sort_values(kind="stable")
        best, worst = (f"{by_class.index[place]}: {by_class.iloc[place]:.2f}" for place in (-1, 0))
        wrong = own[own["class"] != own["predicted"]].sort_values("percent", kind="stable")
        mistaken = ""
        if not wrong.empty:
            pair = wrong.iloc[-1]
            mistaken = f"{pair['class']}, taken for {pair['predicted']}: {pair['percent']:.2f}"
        rows.append([variant.title, best, worst, mistaken])
    if not rows:
        return Sheet(f"**{study_label(study)}**; no complete run.", pd.DataFrame())
    head = HEAD.format(label=study_label(study))
    columns = ["variant", "best class (%)", "worst class (%)", "most frequent error (% of its class)"]
    return Sheet(head, pd.DataFrame(rows, columns=columns))


def write(study: Study, evaluations: Evaluations, folder: Path) -> None:
    """Write classes.md, .tex and .json (one row per variant) and .csv (all pairs) into ``folder``."""
    found = pairs(study, evaluations)
    sheet(study, found).write(folder, NAME, found)
