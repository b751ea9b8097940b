"""Accuracy by class, and which classes are taken for which, from the confusion matrices of a study's runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pj.config.settings import Study, Variant
from pj.report.text.labels import study_label
from pj.report.text.sheet import Sheet

NAME = "classes"  # of the files
COLUMNS = ["variant", "class", "predicted", "images", "percent"]
HEAD = """\
**{label}**; test images by class, all complete runs of a variant together, with the weights of the selected
epoch. In brackets: images. The confusion matrices are in classes.csv.{left_out}"""

Evaluations = Mapping[tuple[str, int], Mapping[str, Any]]  # by variant and seed


def pairs(study: Study, evaluations: Evaluations) -> pd.DataFrame:
    """Return how often each class was taken for which, one row per pair that occurs.

    ``images`` are the test images of the runs of a variant, ``percent`` their share of the class's.
    """
    rows = []
    for variant in study.variants:
        found = list(_measured(variant, evaluations).values())
        if not found:
            continue
        names, total = found[0]["classes"], np.sum([one["confusion"] for one in found], axis=0)
        for true, counts in enumerate(total.tolist()):
            for predicted, images in enumerate(counts):
                if images:
                    percent = 100 * images / sum(counts)
                    rows.append([variant.name, names[true], names[predicted], images, percent])
    return pd.DataFrame(rows, columns=COLUMNS)


def _measured(variant: Variant, evaluations: Evaluations) -> dict[int, Mapping[str, Any]]:
    """Return the evaluations of a variant by seed, without those whose classes are not the study's.

    Evaluations of an older pj say nothing of their classes.
    """
    names = next((one["classes"] for one in evaluations.values() if one.get("classes")), None)
    own = {seed: evaluations[variant.name, seed] for seed in variant.seeds}
    named = {seed: one for seed, one in own.items() if "confusion" in one and one.get("classes")}
    return {seed: one for seed, one in named.items() if one["classes"] == names}


def sheet(study: Study, found: pd.DataFrame, evaluations: Evaluations) -> Sheet:
    """Return the best and the worst class of each variant, and its largest confusion of two classes."""
    rows = []
    for variant in study.variants:
        own = found[found["variant"] == variant.name]
        seeds = len(_measured(variant, evaluations))
        rows.append([variant.title, str(seeds), *(_extremes(own) if seeds else ("", "", ""))])
    left_out = ", ".join(_left_out(study, evaluations))
    head = HEAD.format(label=study_label(study), left_out=f" Left out: {left_out}." if left_out else "")
    columns = ["variant", "seeds", "best class (%)", "worst class (%)", "largest error (% of its class)"]
    return Sheet(head, pd.DataFrame(rows, columns=columns))


def accuracies(own: pd.DataFrame) -> pd.Series:
    """Return the accuracy of each class in percent, by its name, from the `pairs` of one variant."""
    correct = own[own["class"] == own["predicted"]].set_index("class")["percent"]
    return correct.reindex(own["class"].unique(), fill_value=0.0)


def _extremes(own: pd.DataFrame) -> tuple[str, str, str]:
    by_class = accuracies(own).sort_values(kind="stable")
    best, worst = (f"{by_class.index[place]}: {by_class.iloc[place]:.2f}" for place in (-1, 0))
    wrong = own[own["class"] != own["predicted"]].sort_values("percent", kind="stable")
    if wrong.empty:
        return best, worst, ""
    pair = wrong.iloc[-1]
    images = own.loc[own["class"] == pair["class"], "images"].sum()
    share = f"{pair['percent']:.2f} ({pair['images']} of {images})"
    return best, worst, f"{pair['class']}, taken for {pair['predicted']}: {share}"


def _left_out(study: Study, evaluations: Evaluations) -> Iterator[str]:
    """Yield the runs that are complete and not in the table, each with the reason."""
    for variant in study.variants:
        there = _measured(variant, evaluations)
        for seed in variant.seeds:
            if "selected" in evaluations[variant.name, seed] and seed not in there:
                why = "other classes" if evaluations[variant.name, seed].get("classes") else "an older pj"
                yield f"{variant.title}, seed {seed} ({why})"


def write(study: Study, evaluations: Evaluations, folder: Path) -> None:
    """Write classes.md, .tex and .json (one row per variant) and .csv (all pairs) into ``folder``."""
    found = pairs(study, evaluations)
    sheet(study, found, evaluations).write(folder, NAME, found)
