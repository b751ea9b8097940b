"""The probes of a study's runs with and without batch norm: medians, and ratios paired by step and seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pj import files
from pj.config.settings import Study
from pj.report.tables.probe_measures import NETWORKS, measures
from pj.report.text.labels import number, plus_minus, study_label
from pj.report.text.sheet import Sheet
from pj.runs import places, records
from pj.statistics import estimate

KEYS = ["trajectory", "quantity", "line", "grid", "layer"]  # a row of the summary
MEASURED = [
    *("bn", "plain", "infinite_bn", "infinite_plain", "undefined_bn", "undefined_plain"),
    *("steps", "seeds"),
    *("ratio", "ratio_low", "ratio_high", "difference", "difference_half_width"),
]
RATIO, DIFFERENCE = "{:.3g}", "{:+.3f}"  # how tables write them
NAMES = {
    "loss_range": "loss range",
    "predictiveness": "gradient predictiveness range",
    "beta": "effective beta",
    "beta_reported": "beta (as reported: not divided by ‖g‖)",
    "ics": "covariate shift ‖G - G'‖",
    "ics_relative": "relative covariate shift",
    "ics_cosine": "cosine of G and G'",
    "loss_band": "training loss over learning rates (as reported)",
    "ics_band": "covariate shift over learning rates (as reported)",
}


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Return medians over steps and seeds, and with / without batch norm, paired by seed and step.

    ``ratio`` is the median over steps of BN / plain (of its logarithm) for each seed, and then the geometric
    mean over ``seeds`` with the 95 % t interval of the logarithms, ``ratio_low`` … ``ratio_high`` (two seeds
    or more). If a seed's median is 0 or infinite, it is the median over seeds, without an interval.
    Infinite measures enter medians as the largest; where both networks' are infinite, the step has no ratio.
    ``infinite_*`` counts them, ``undefined_*`` counts 0 / 0, which is left out; ``steps`` counts the pairs
    that have a ratio. For the cosine, ``difference`` replaces the ratio.
    """
    rows = []
    for keys, group in found.groupby(KEYS, sort=False):
        row = dict(zip(KEYS, keys, strict=True))
        values = {network: group.loc[group["network"] == network, "value"] for network in NETWORKS}
        for network, own in values.items():
            row[network] = own.median() if own.notna().any() else None
            row[f"infinite_{network}"] = int(np.isinf(own).sum())
            row[f"undefined_{network}"] = int(own.isna().sum())
        if all(len(own) for own in values.values()):
            wide = group.pivot(index=["seed", "step"], columns="network", values="value")
            row |= _contrast(wide, difference=row["quantity"] == "ics_cosine")
        rows.append(row)
    return pd.DataFrame(rows, columns=[*KEYS, *MEASURED])


def _contrast(wide: pd.DataFrame, *, difference: bool) -> dict[str, float | int | None]:
    with np.errstate(divide="ignore", invalid="ignore"):
        # ratios as logarithms, because the median of an even number of them is the mean of two
        each = wide["bn"] - wide["plain"] if difference else (wide["bn"] / wide["plain"]).map(np.log)
    each = each.dropna()
    by_seed = each.groupby("seed").median()
    row: dict[str, float | int | None] = {"steps": len(each), "seeds": len(by_seed)}
    found = estimate(by_seed.tolist())
    if difference:
        if found is not None:
            row |= {"difference": found.mean, "difference_half_width": found.half_width}
        return row
    if len(by_seed) and not np.isfinite(by_seed).all():  # one network diverges at most steps of a seed
        row["ratio"] = float(np.exp(by_seed.median()))
    elif found is not None:
        row["ratio"] = float(np.exp(found.mean))
        if found.half_width is not None:
            row["ratio_low"] = float(np.exp(found.mean - found.half_width))
            row["ratio_high"] = float(np.exp(found.mean + found.half_width))
    return row


def left_out(study: Study, runs: Path) -> list[str]:
    """Return the probed runs that are not complete, which are left out."""
    probed = [(v, s) for v in study.variants if v.spec.probe for s in v.seeds]
    states = [(v, s, records.state(places.folder(runs, v.spec.run, s))) for v, s in probed]
    return [f"{v.title} seed {s} ({state})" for v, s, state in states if state != "complete"]


HEAD = """\
**{label}**; medians over probed steps and seeds. Ratios are paired by step and seed: the median over steps
(of logarithms); over seeds their geometric mean and 95 % t interval.{left_out}
"""


def sheet(study: Study, table: pd.DataFrame, missing: Sequence[str] = ()) -> Sheet:
    """Return the summary for people; by layer only for quantities that have no value over all layers."""
    left_out = f" Left out: {', '.join(missing)}." if missing else ""
    head = HEAD.format(label=study_label(study), left_out=left_out)
    if table.empty:
        return Sheet(f"{head}\nNo complete probed run.", pd.DataFrame())
    shown = table[(table["layer"] == "all") | table["quantity"].str.startswith("ics")]
    columns = {
        "trajectory": shown["trajectory"].tolist(),
        "quantity": [NAMES[q] for q in shown["quantity"]],
        "probed along": [_direction(row) for _, row in shown.iterrows()],
        "layer": shown["layer"].tolist(),
        "with batch norm": [number(v, "{:.3g}") for v in shown["bn"]],
        "without batch norm": [number(v, "{:.3g}") for v in shown["plain"]],
        "ratio with / without": [_ratio(row) for _, row in shown.iterrows()],
        "probed steps": [number(v, "{:.0f}") for v in shown["steps"]],
        "seeds": [number(v, "{:.0f}") for v in shown["seeds"]],
    }
    for kind, heading in (("infinite", "diverging probes"), ("undefined", "undefined (0 / 0)")):
        counts = [shown[f"{kind}_{network}"].astype(int).tolist() for network in NETWORKS]
        if any(map(any, counts)):
            pairs_ = zip(*counts, strict=True)
            columns[f"{heading}, with / without"] = [f"{bn} / {plain}" for bn, plain in pairs_]
    return Sheet(head.strip(), pd.DataFrame(columns))


def _direction(row: pd.Series) -> str:
    line = {"gradient": "-g", "update": "the update", "": ""}[row["line"]]
    grid = {"absolute": ", step sizes", "relative": ", multiples of lr", "": ""}[row["grid"]]
    return line + grid


def _ratio(row: pd.Series) -> str:
    if pd.notna(row.get("difference")):
        return plus_minus(row["difference"], row.get("difference_half_width"), DIFFERENCE) + " (difference)"
    if pd.isna(row.get("ratio")):
        return ""
    bounds = ""
    if pd.notna(row.get("ratio_low")):
        bounds = f" ({number(row['ratio_low'], RATIO)} … {number(row['ratio_high'], RATIO)})"
    return number(row["ratio"], RATIO) + bounds


def write(study: Study, runs: Path, folder: Path) -> None:
    """Write probes.csv (tidy) and the files of its summary into ``folder``."""
    found = measures(study, runs)
    files.write_text(folder / "probes.csv", found.to_csv(index=False))
    write_table(study, summary(found), runs, folder)


def write_table(study: Study, table: pd.DataFrame, runs: Path, folder: Path) -> None:
    """Write a summary as probes_table.csv, .md and .tex into ``folder``."""
    sheet(study, table, left_out(study, runs)).write(folder, "probes_table", table)
