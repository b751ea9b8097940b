"""Pruning curves, as tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pj.config.settings import Analysed, Variant
from pj.report.tables.analyses import Found
from pj.report.text.labels import interval, number, scale_label
from pj.report.text.sheet import Sheet
from pj.statistics import estimate

METHODS = {"path": "last selected first", "magnitude": "smallest first", "random": "at random"}
COLUMNS = ["variant", "seed", "state", "method", "percent", "draw", "accuracy", "loss", "outside_support"]
NARROWED = {
    "parameters": "parameters",
    "nonzero": "non-zero parameters",
    "macs": "MACs per image",
}
SIZES = list(NARROWED)  # of the narrowed network


def table(pruning: Analysed, found: Found) -> pd.DataFrame:
    """Return one row per run, method, percentage and draw.

    A diverged run is one row with its state; missing runs are left out.
    """
    rows: list[dict[str, Any]] = []
    for variant, runs in found.items():
        for seed, content in runs.items():
            head = {"variant": variant, "seed": seed, "state": content["state"]}
            rows += [head | _flat(row) for row in content.get("rows", [{}])]
    return pd.DataFrame(rows, columns=[*COLUMNS, *SIZES])


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return row | row.get("size", {})


def by_seed(found: pd.DataFrame) -> pd.DataFrame:
    """Return complete runs, draws averaged: one row per variant, method, percent and seed."""
    keys = ["variant", "method", "percent", "seed"]
    complete = found[found["state"] == "complete"]
    return complete.groupby(keys, sort=False)[["accuracy", "outside_support", *SIZES]].mean().reset_index()


def sheet(pruning: Analysed, found: Found) -> Sheet:
    """Return the table for people: one row per order of removal, one column per percentage."""
    everything = table(pruning, found)
    means = by_seed(everything)
    rows = (
        [_row("paper", [number(value, "{:.2f}") for value in pruning.reported], pruning)]
        if pruning.reported
        else []
    )
    for variant in pruning.variants:
        for method in pruning.methods[variant.name]:
            own = means[(means["variant"] == variant.name) & (means["method"] == method)]
            name = f"{variant.title}, {METHODS[method]}"
            rows.append(_row(name, _cells(own, "accuracy", pruning), pruning))
            if method == "path":
                shares = _cells(own, "outside_support", pruning)
                name = f"{variant.title}: share of removed units outside the support (%)"
                rows.append(_row(name, shares, pruning))
    rows += _sizes(pruning, means)
    return Sheet(_label(pruning, everything), pd.DataFrame(rows), _note(pruning, means))


def _sizes(pruning: Analysed, means: pd.DataFrame) -> list[dict[str, str]]:
    """Return the sizes of the narrowed networks, once for all variants whose networks have the same sizes.

    Parameters and MACs depend on the counts of removed units only. The number of non-zero parameters also
    depends on the order, if a pruned weight of a linear layer belongs to a pruned filter: the mean over
    orders is shown.
    """
    networks: dict[tuple[float, ...], list[Variant]] = {}
    for variant in pruning.variants:
        own = means[means["variant"] == variant.name].drop_duplicates("percent")
        if len(own):
            networks.setdefault(tuple(own["parameters"]), []).append(variant)
    rows = []
    for variants in networks.values():
        own = means[means["variant"].isin([v.name for v in variants])].groupby("percent")[SIZES].mean()
        of = f" ({', '.join(v.title for v in variants)})" if len(networks) > 1 else ""
        for column, title in NARROWED.items():
            cells = [number(own[column].get(p), "{:,.0f}") for p in pruning.settings.percents]
            rows.append(_row(f"narrowed network{of}: {title}", cells, pruning))
    return rows


def _note(pruning: Analysed, means: pd.DataFrame) -> str:
    """Return a sentence for every variant whose order of selection does not distinguish units."""
    lines = []
    for variant in pruning.variants:
        own = means[(means["variant"] == variant.name) & (means["method"] == "path")]
        outside = own["outside_support"].dropna()
        if len(outside) and (outside == 100).all():
            lines.append(f"{variant.title}: no removed unit had been selected; the order is by ‖W‖ alone.")
        elif len(outside) and (outside == 0).all():
            lines.append(
                f"{variant.title}: every removed unit was in the support; the order is by epoch, then ‖Γ‖."
            )
    return "\n\n".join(lines)


def _row(name: str, cells: list[str], pruning: Analysed) -> dict[str, str]:
    headings = [f"{percent:g} %" for percent in pruning.settings.percents]
    return {"order of removal": name} | dict(zip(headings, cells, strict=True))


def _cells(own: pd.DataFrame, column: str, pruning: Analysed) -> list[str]:
    values = {percent: group[column].tolist() for percent, group in own.groupby("percent")}
    return [interval(estimate(values.get(p, [])), "{:.2f}") for p in pruning.settings.percents]


def _label(pruning: Analysed, found: pd.DataFrame) -> str:
    first: Variant = pruning.variants[0]
    seeds = found.loc[found["state"] == "complete", "seed"].nunique()
    over = {0: "nothing measured yet", 1: "1 seed, so no interval"}.get(
        seeds, f"{seeds} seeds, mean ± 95 % interval"
    )
    titles = {variant.name: variant.title for variant in pruning.variants}
    diverged = found[found["state"] == "diverged"]
    named = [f"{titles[v]} seed {s}" for v, s in diverged[["variant", "seed"]].drop_duplicates().to_numpy()]
    left_out = f" Diverged: {', '.join(named)}." if named else ""
    layers = " and ".join(pruning.settings.layers)
    what = f"test accuracy (%) with units of {layers} removed"
    incomparable = pruning.reported and any(v.scale.reductions for v in pruning.variants)
    remark = " (not comparable with the paper)" if incomparable else ""
    return f"**{first.spec.data.name}, {scale_label(first.scale)}**{remark}; {what}; {over}.{left_out}"
