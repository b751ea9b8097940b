"""What the probes of a study's runs say about batch norm: tidy measures, and their medians and ratios."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pj import files, records
from pj.records import PROBES, SHIFTS, STEPS
from pj.report.labels import number, study_label
from pj.settings import Study, Variant
from pj.statistics import estimate

NETWORKS = ("bn", "plain")
REPORTED_LAYER = "conv2"  # where report A measured covariate shift
KEYS = ["trajectory", "quantity", "line", "grid", "layer"]  # a row of the summary
MEASURED = [
    *("bn", "plain", "infinite_bn", "infinite_plain", "steps", "seeds"),
    *("ratio", "ratio_low", "ratio_high", "difference", "difference_half_width"),
]
COLUMNS = [
    "trajectory",
    "network",
    "seed",
    "step",
    "quantity",
    "line",
    "grid",
    "layer",
    "low",
    "high",
    "value",
]
NAMES = {
    "loss_range": "loss range",
    "predictiveness": "gradient predictiveness range",
    "beta": "effective beta",
    "beta_reported": "beta *(as reported: not divided by ‖g‖)*",
    "ics": "covariate shift ‖G - G'‖",
    "ics_relative": "covariate shift, relative",
    "ics_cosine": "cosine of G and G'",
    "loss_band": "training loss over learning rates *(as reported)*",
    "ics_band": "covariate shift over learning rates *(as reported)*",
}


@dataclass(frozen=True)
class Pair:
    """A trajectory's variants, equal but for batch norm; where one is None there is nothing to compare."""

    label: str
    bn: Variant | None
    plain: Variant | None

    def variants(self) -> Iterator[tuple[str, Variant]]:
        """Yield network and variant."""
        for network in NETWORKS:
            variant = getattr(self, network)
            if variant is not None:
                yield network, variant


def pairs(study: Study) -> list[Pair]:
    """Return a study's probed variants, paired where they differ in batch norm alone."""
    found: dict[str, dict[str, Variant]] = {}
    for variant in study.variants:
        if variant.spec.probe is None:
            continue
        content = variant.spec.model_dump(mode="json")
        network = "bn" if content["model"].pop("batch_norm", False) else "plain"
        found.setdefault(json.dumps(content, sort_keys=True), {})[network] = variant
    labels = [_label(next(iter(members.values()))) for members in found.values()]
    counts = Counter(labels)
    return [
        Pair(
            label if counts[label] == 1 else f"{label} ({', '.join(v.name for v in members.values())})",
            members.get("bn"),
            members.get("plain"),
        )
        for label, members in zip(labels, found.values(), strict=True)
    ]


def _label(variant: Variant) -> str:
    optimizer = variant.spec.optimizer
    return f"{optimizer.name}, lr {optimizer.lr:g}"


def measures(study: Study, runs: Path) -> pd.DataFrame:
    """Return a row a measure of every probed step of the complete runs in ``runs`` (results/runs).

    ``low`` and ``high`` bound what was found over the step sizes (or, in a band, over runs at several
    learning rates) and ``value`` is what is compared: their difference, or the number itself. A probe
    that left the finite numbers counts as infinity.
    """
    assert study.probes is not None
    find = {"loss_range": _losses, "predictiveness": _distances, "beta": _betas, "ics": _shifts}
    parts = []
    for pair in pairs(study):
        for network, variant in pair.variants():
            for seed, folder in _complete(variant, runs):
                found = find[study.probes.show](folder)
                parts.append(found.assign(trajectory=pair.label, network=network, seed=seed))
    parts += _bands(study, runs)
    parts = [part for part in parts if len(part)]
    return pd.concat(parts)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _complete(variant: Variant, runs: Path) -> Iterator[tuple[int, Path]]:
    """Yield seed and folder of the complete runs: diverged ones never enter a median."""
    for seed in variant.seeds:
        folder = runs / variant.spec.run / f"seed{seed}"
        if records.state(folder) == "complete":
            yield seed, folder


def _range(table: pd.DataFrame, by: Sequence[str], column: str, quantity: str) -> pd.DataFrame:
    """Return the lowest and the highest of a column in each group, as measures."""
    values = table[column].astype(float).fillna(np.inf)
    groups = values.groupby([table[key] for key in by], sort=False)
    found = pd.DataFrame({"low": groups.min(), "high": groups.max()}).reset_index()
    found["quantity"] = quantity
    # inf - inf: every step left the finite numbers
    found["value"] = (found["high"] - found["low"]).where(np.isfinite(found["high"]), np.inf)
    return found


def _losses(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / PROBES)
    whole = table[table["layer"] == "all"]
    return _range(whole, ["step", "line", "grid", "layer"], "loss", "loss_range")


def _distances(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / PROBES)
    return _range(table, ["step", "line", "grid", "layer"], "gradient_distance", "predictiveness")


def _betas(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / PROBES)
    table["beta"] = table["gradient_distance"] / table["length"]
    found = _range(table, ["step", "line", "grid", "layer"], "beta", "beta")
    own = table[(table["line"] == "gradient") & (table["grid"] == "absolute")]
    own = own.assign(beta=own["gradient_distance"] / own["size"])
    reported = _range(own, ["step", "line", "grid", "layer"], "beta", "beta_reported")
    both = pd.concat([found, reported])
    return both.assign(value=both["high"], low=both["high"])


def _shifts(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / SHIFTS)
    names = {"norm": "ics", "relative": "ics_relative", "cosine": "ics_cosine"}
    long = table.rename(columns=names).melt(["step", "layer"], var_name="quantity")
    return long.assign(line="update", grid="", low=long["value"], high=long["value"])


def _bands(study: Study, runs: Path) -> Iterator[pd.DataFrame]:
    """Yield the reports' own measure: the range of a quantity over runs at several learning rates."""
    assert study.probes is not None
    for name, rates in study.probes.bands.items():
        label = f"{name}: lr {', '.join(f'{lr:g}' for lr in sorted(rates, reverse=True))}"
        for network in NETWORKS:
            members = [getattr(pair, network) for pair in pairs(study)]
            chosen = [v for v in members if v is not None and v.spec.optimizer.lr in rates]
            found = [dict(_complete(variant, runs)) for variant in chosen]
            for seed in sorted(set.intersection(*map(set, found))) if found else ():
                tables = [_band_values(study, folders[seed]) for folders in found]
                band = _range(pd.concat(tables), ["step", "line", "grid", "layer"], "value", "")
                quantity = "ics_band" if study.probes.show == "ics" else "loss_band"
                yield band.assign(quantity=quantity, trajectory=label, network=network, seed=seed)


def _band_values(study: Study, folder: Path) -> pd.DataFrame:
    if study.probes is not None and study.probes.show == "ics":
        table = pd.read_csv(folder / SHIFTS).rename(columns={"norm": "value"})
        return table[table["layer"] == REPORTED_LAYER].assign(line="update", grid="")
    return pd.read_csv(folder / STEPS).rename(columns={"loss": "value"}).assign(line="", grid="", layer="all")


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Return medians over steps and seeds, and batch norm against none, paired by seed and step.

    ``ratio`` is the median over steps of BN / plain, a seed at a time, and then the geometric mean over
    seeds with its 95 % interval ``ratio_low`` … ``ratio_high`` (two seeds or more). Steps at which a
    measure is infinite enter the medians as the largest; where both networks' are, the pair is left out.
    ``infinite_bn`` and ``infinite_plain`` count them. For the cosine, ``difference`` takes its place.
    """
    rows = []
    for keys, group in found.groupby(KEYS, sort=False):
        row = dict(zip(KEYS, keys, strict=True))
        wide = group.pivot_table(
            index=["seed", "step"], columns="network", values="value", aggfunc="first", dropna=False
        )
        for network in NETWORKS:
            values = wide[network].dropna() if network in wide else pd.Series(dtype=float)
            row[network] = float(np.median(values)) if len(values) else None
            row[f"infinite_{network}"] = int(np.isinf(values).sum())
        if set(NETWORKS) <= set(wide.columns):
            row |= _contrast(wide.dropna(), difference=row["quantity"] == "ics_cosine")
        rows.append(row)
    return pd.DataFrame(rows, columns=[*KEYS, *MEASURED])


def _contrast(wide: pd.DataFrame, *, difference: bool) -> dict[str, float | int | None]:
    both_infinite = np.isinf(wide["bn"]) & np.isinf(wide["plain"])
    kept = wide[~both_infinite]
    row: dict[str, float | int | None] = {"steps": len(kept)}
    if difference:
        by_seed = (kept["bn"] - kept["plain"]).groupby("seed").median()
        found = estimate(by_seed.tolist())
        if found is not None:
            row |= {"difference": found.mean, "difference_half_width": found.half_width}
        return row
    by_seed = (kept["bn"] / kept["plain"]).groupby("seed").median()
    row["seeds"] = len(by_seed)
    with np.errstate(divide="ignore"):
        logs = np.log(by_seed)
    found = estimate(logs.tolist())
    if len(by_seed) and not np.isfinite(logs).all():  # one network diverges at most steps of a seed
        row["ratio"] = float(by_seed.median())
    elif found is not None:
        row["ratio"] = float(np.exp(found.mean))
        if found.half_width is not None:
            row["ratio_low"] = float(np.exp(found.mean - found.half_width))
            row["ratio_high"] = float(np.exp(found.mean + found.half_width))
    return row


def markdown(study: Study, table: pd.DataFrame) -> str:
    """Return the summary for people; by layer only what is measured by layer alone."""
    head = f"**{study_label(study)}**; medians over probed steps and seeds; ratios paired by step and seed."
    if table.empty:
        return f"{head}\n\nNo complete probed run.\n"
    shown = table[(table["layer"] == "all") | table["quantity"].str.startswith("ics")]
    columns = {
        "trajectory": shown["trajectory"].tolist(),
        "quantity": [NAMES[q] for q in shown["quantity"]],
        "along": [_along(row) for _, row in shown.iterrows()],
        "layer": shown["layer"].tolist(),
        "with BN": [number(v, "{:.3g}") for v in shown["bn"]],
        "without": [number(v, "{:.3g}") for v in shown["plain"]],
        "BN / without": [_ratio(row) for _, row in shown.iterrows()],
        "pairs": [number(row.get("steps"), "{:.0f}") for _, row in shown.iterrows()],
    }
    if (shown["infinite_bn"] + shown["infinite_plain"]).any():
        columns["diverging probes, BN / without"] = [
            f"{row['infinite_bn']} / {row['infinite_plain']}" for _, row in shown.iterrows()
        ]
    return f"{head}\n\n{pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True)}\n"


def _along(row: pd.Series) -> str:
    line = {"gradient": "-g", "update": "the update", "": ""}[row["line"]]
    grid = {"absolute": ", step sizes", "relative": ", multiples of lr", "": ""}[row["grid"]]
    return line + grid


def _ratio(row: pd.Series) -> str:
    if pd.notna(row.get("difference")):
        half = row.get("difference_half_width")
        return f"{row['difference']:+.3f}" + (f" ± {half:.3f}" if pd.notna(half) else "") + " (difference)"
    if pd.isna(row.get("ratio")):
        return ""
    bounds = ""
    if pd.notna(row.get("ratio_low")):
        bounds = f" ({number(row['ratio_low'], '{:.3g}')} … {number(row['ratio_high'], '{:.3g}')})"
    return number(row["ratio"], "{:.3g}") + bounds


def write(study: Study, runs: Path, folder: Path) -> None:
    """Write probes.csv (tidy), probes_table.csv and probes_table.md into ``folder``."""
    found = measures(study, runs)
    files.write_text(folder / "probes.csv", found.to_csv(index=False))
    write_table(study, summary(found), folder)


def write_table(study: Study, table: pd.DataFrame, folder: Path) -> None:
    """Write a summary as probes_table.csv and probes_table.md into ``folder``."""
    files.write_text(folder / "probes_table.csv", table.to_csv(index=False))
    files.write_text(folder / "probes_table.md", markdown(study, table))
