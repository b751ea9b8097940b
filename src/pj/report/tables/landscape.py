"""The loss landscapes of finished runs, as tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pj.config.settings import Analysed
from pj.report.tables.analyses import Found, complete
from pj.report.text.labels import interval, scale_label
from pj.report.text.sheet import Sheet
from pj.statistics import estimate

STYLES = dict.fromkeys(("loss", "eigenvalue", "loss_at_the_ends"), "{:.4g}")


def table(landscape: Analysed, found: Found) -> pd.DataFrame:
    """Return one row per run: loss, largest eigenvalue of the Hessian, and the loss at the line's ends."""
    rows = []
    for variant in landscape.variants:
        for seed, run in found[variant.name].items():
            row: dict[str, Any] = {"variant": variant.name, "seed": seed, "state": run["state"]}
            if run["state"] == "complete":
                ends = [run["line"]["loss"][0], run["line"]["loss"][-1]]
                row |= {"images": run["images"], "epoch": run["epoch"], "loss": run["loss"]}
                row |= run["curvature"]
                row["loss_at_the_ends"] = np.inf if None in ends else sum(ends) / 2
            rows.append(row)
    return pd.DataFrame(rows)


def sheet(landscape: Analysed, found: Found) -> Sheet:
    """Return the table for people: means over seeds, under a line with data and scale."""
    runs = table(landscape, found)
    rows = []
    for variant in landscape.variants:
        own = runs[runs["variant"] == variant.name] if len(runs) else runs
        complete = own[own["state"] == "complete"] if len(own) else own
        row = {"variant": variant.title, "seeds": str(len(complete))}
        for heading, column in (
            ("training loss", "loss"),
            ("largest eigenvalue of the Hessian", "eigenvalue"),
            (f"loss at ±{landscape.slices.radius:g}", "loss_at_the_ends"),
        ):
            values = complete[column].tolist() if column in complete else []
            row[heading] = interval(estimate(values), STYLES[column])
        notes = (
            [f"diverged: seed {s}" for s in own.loc[own["state"] == "diverged", "seed"]] if len(own) else []
        )
        if len(complete) and np.isinf(complete["loss_at_the_ends"]).any():
            row[f"loss at ±{landscape.slices.radius:g}"] = "∞"
        if len(complete) and not complete["converged"].all():
            notes.append("power iteration not converged")
        row["notes"] = "; ".join(notes)
        rows.append(row)
    columns = pd.DataFrame(rows)
    if not columns["notes"].any():
        columns = columns.drop(columns="notes")
    return Sheet(_label(landscape, found), columns)


def _label(landscape: Analysed, found: Found) -> str:
    first = landscape.variants[0]
    images = {run["images"] for v in landscape.variants for run in complete(found, v)}
    counts = " or ".join(f"{count:,}" for count in sorted(images))
    counted = f"the first {counts} training images" if images else "nothing yet"
    return f"**{first.spec.data.name}, {scale_label(first.scale)}**; on {counted}, in eval mode, fp32."
