"""The table of the two tests of Grad-CAM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pj.config.settings import Analysed, Variant
from pj.report.tables.analyses import Found, complete, diverged
from pj.report.text.labels import interval, number, scale_label
from pj.report.text.sheet import Sheet
from pj.statistics import Estimate, estimate

RIVALS = {
    "other": "Grad-CAM minus maps of other images (over images)",
    "random": "Grad-CAM minus random maps (over images)",
}


STYLES = dict.fromkeys(("grad_cam", "other", "random"), "{:.3f}")


def table(interpretation: Analysed, found: Found) -> pd.DataFrame:
    """Return one row per run and layer.

    ``grad_cam``, ``other`` and ``random`` are the mean areas under the deletion curves; ``minus_other`` and
    ``minus_random`` the first minus one of the others, with half the 95 % interval over the ``images``;
    ``first_randomised`` and ``all_randomised`` the mean rank correlations of the check, for its layer only,
    over ``first_compared`` and ``all_compared`` images (a constant map has no correlation).
    """
    rows = []
    for variant in interpretation.variants:
        for seed, run in found[variant.name].items():
            head = {"variant": variant.name, "seed": seed, "state": run["state"]}
            if run["state"] != "complete":
                rows.append(head)
                continue
            for layer, curves in run["deletion"]["layers"].items():
                areas = {name: np.array(curve["areas"]) for name, curve in curves.items()}
                row: dict[str, Any] = head | {"layer": layer, "images": run["deletion"]["images"]}
                row |= {name: values.mean() for name, values in areas.items()}
                for rival in RIVALS:
                    difference = estimate((areas["grad_cam"] - areas[rival]).tolist())
                    row[f"minus_{rival}"] = _mean(difference)
                    row[f"minus_{rival}_half_width"] = _half_width(difference)
                if layer == run["check"]["layer"]:
                    stages = list(run["check"]["correlations"].values())
                    for name, stage in (("first", stages[0]), ("all", stages[-1])):
                        there = [v for v in stage if v is not None]
                        row |= {f"{name}_randomised": _mean(estimate(there)), f"{name}_compared": len(there)}
                rows.append(row)
    return pd.DataFrame(rows)


def _mean(found: Estimate | None) -> float | None:
    return found.mean if found else None


def _half_width(found: Estimate | None) -> float | None:
    return found.half_width if found else None


def over_images(runs: list[dict[str, Any]], layer: str, rival: str) -> Estimate | None:
    """Return Grad-CAM's area minus that of a rival's maps: mean and interval over the images.

    Each image enters with its mean over the runs, so that the interval is about images, whatever the number
    of seeds.
    """
    curves = [run["deletion"]["layers"][layer] for run in runs]
    differences = [np.array(c["grad_cam"]["areas"]) - np.array(c[rival]["areas"]) for c in curves]
    return estimate(np.mean(differences, axis=0).tolist()) if differences else None


def _blank(own: pd.DataFrame, name: str) -> str:
    """Return how many maps are constant and so have no correlation; empty if none is."""
    column = f"{name}_compared"
    if column not in own or own[column].isna().all():
        return ""
    blank = int((own["images"] - own[column]).sum())
    return f" ({blank} of {int(own['images'].sum())} maps constant)" if blank else ""


def sheet(interpretation: Analysed, found: Found) -> Sheet:
    """Return the table for people: one row per variant and layer, under a line with data and scale."""
    rows = []
    everything = table(interpretation, found)
    for variant in interpretation.variants:
        runs = complete(found, variant)
        for layer in interpretation.view.grad_cam:
            row = {"variant": variant.title, "Grad-CAM at": layer, "seeds": str(len(runs))}
            own = everything[everything["variant"] == variant.name] if len(runs) else everything
            own = own[own["layer"] == layer] if len(runs) else own.iloc[:0]
            for heading, column in (
                ("area below the deletion curve, Grad-CAM", "grad_cam"),
                ("area, maps of other images", "other"),
                ("area, random maps", "random"),
            ):
                row[heading] = interval(estimate(own[column].tolist() if len(own) else []), STYLES[column])
            for rival, heading in RIVALS.items():
                row[heading] = interval(over_images(runs, layer, rival), "{:.3f}")
            for heading, name in (
                ("mean rank correlation, last layer randomised", "first"),
                ("mean rank correlation, all layers randomised", "all"),
            ):
                values = own[f"{name}_randomised"].dropna().tolist() if f"{name}_randomised" in own else []
                row[heading] = number(_mean(estimate(values)), "{:.2f}") + _blank(own, name)
            rows.append(row)
    return Sheet(label(interpretation, found), pd.DataFrame(rows))


def label(interpretation: Analysed, found: Found) -> str:
    """Return a line with the data, the scale, the images and the runs left out."""
    first: Variant = interpretation.variants[0]
    counts = {run["deletion"]["images"] for v in interpretation.variants for run in complete(found, v)}
    images = " or ".join(str(count) for count in sorted(counts))
    counted = f"on the first {images} test images, in eval mode, fp32" if counts else "nothing measured yet"
    named = diverged(found, interpretation.variants)
    left_out = f" Diverged: {', '.join(named)}." if named else ""
    return f"**{first.spec.data.name}, {scale_label(first.scale)}**; {counted}.{left_out}"
