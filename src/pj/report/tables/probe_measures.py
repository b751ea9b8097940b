"""The measures along a study's probed runs, as a tidy table: one row per measure of every probed step."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pj.config.settings import Study, Variant
from pj.runs import records
from pj.runs.records import PROBES, SHIFTS, STEPS

NETWORKS = ("bn", "plain")
LINE = ["step", "line", "grid", "layer"]  # a line at a probed step
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


@dataclass(frozen=True)
class Pair:
    """A trajectory's two variants, equal except for batch norm; None where one does not exist."""

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
    """Return a study's probed variants, paired where they differ only in batch norm."""
    found: dict[str, dict[str, Variant]] = {}
    for variant in study.variants:
        if variant.spec.probe is None:
            continue
        content = variant.spec.model_dump(mode="json")
        content["model"].pop("batch_norm", None)
        network = "bn" if variant.spec.has_batch_norm else "plain"
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
    """Return one row per measure of every probed step of the complete runs in ``runs`` (results/runs).

    ``low`` and ``high`` are the extremes over the step sizes (or, in a band, over runs at several learning
    rates) and ``value`` is what is compared: their difference, or the number itself. A probe with an infinite
    or NaN result counts as infinity.
    """
    assert study.probes is not None
    find = {"loss_range": _losses, "predictiveness": _distances, "beta": _betas, "ics": _shifts}
    parts = []
    for pair in pairs(study):
        for network, variant in pair.variants():
            for seed, folder in records.complete(runs, variant.spec.run, variant.seeds).items():
                found = find[study.probes.show](folder)
                parts.append(found.assign(trajectory=pair.label, network=network, seed=seed))
    parts += _bands(study, runs)
    parts = [part for part in parts if len(part)]
    return pd.concat(parts)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _range(table: pd.DataFrame, by: Sequence[str], column: str, quantity: str) -> pd.DataFrame:
    """Return the lowest and the highest of a column in each group, as measures."""
    groups = table[column].astype(float).groupby([table[key] for key in by], sort=False)
    found = pd.DataFrame({"low": groups.min(), "high": groups.max()}).reset_index()
    found["quantity"] = quantity
    # inf - inf, where no step is finite, would be NaN
    found["value"] = (found["high"] - found["low"]).where(~np.isinf(found["high"]), np.inf)
    return found


def _read(folder: Path, name: str, *columns: str) -> pd.DataFrame:
    """Read a run's table. In ``columns`` NaN and negative infinity become infinity."""
    table = pd.read_csv(records.table(folder, name))
    for column in columns:
        values = table[column].astype(float)
        table[column] = values.where(np.isfinite(values), np.inf)
    return table


def _losses(folder: Path) -> pd.DataFrame:
    table = _read(folder, PROBES, "loss")
    return _range(table[table["layer"] == "all"], LINE, "loss", "loss_range")


def _distances(folder: Path) -> pd.DataFrame:
    table = _read(folder, PROBES, "gradient_distance")
    return _range(table, LINE, "gradient_distance", "predictiveness")


def _betas(folder: Path) -> pd.DataFrame:
    table = _read(folder, PROBES, "gradient_distance")
    # 0 / 0, where there is no gradient, is NaN: undefined, not infinite
    table["beta"] = table["gradient_distance"] / table["length"]
    found = _range(table, LINE, "beta", "beta")
    own = table[(table["line"] == "gradient") & (table["grid"] == "absolute")]
    own = own.assign(beta=own["gradient_distance"] / own["size"])
    both = pd.concat([found, _range(own, LINE, "beta", "beta_reported")])
    return both.assign(value=both["high"], low=both["high"])


def _shifts(folder: Path) -> pd.DataFrame:
    table = _read(folder, SHIFTS, "norm")
    diverged = np.isinf(table["norm"])
    table["relative"] = table["relative"].astype(float).where(~diverged, np.inf)
    names = {"norm": "ics", "relative": "ics_relative", "cosine": "ics_cosine"}
    long = table.rename(columns=names).melt(["step", "layer"], var_name="quantity")
    return long.assign(line="update", grid="", low=long["value"], high=long["value"])


def _bands(study: Study, runs: Path) -> Iterator[pd.DataFrame]:
    """Yield the bands: the range of a quantity over separate runs at several learning rates."""
    assert study.probes is not None
    trajectories = pairs(study)
    for name, rates in sorted(study.probes.bands.items()):
        label = f"{name}: lr {', '.join(f'{lr:g}' for lr in sorted(rates, reverse=True))}"
        for network in NETWORKS:
            members = [getattr(pair, network) for pair in trajectories]
            chosen = [v for v in members if v is not None and v.spec.optimizer.lr in rates]
            found = [records.complete(runs, v.spec.run, v.seeds) for v in chosen]
            for seed in sorted(set.intersection(*map(set, found))) if found else ():
                tables = [_band_values(study, folders[seed]) for folders in found]
                band = _range(pd.concat(tables), LINE, "value", "")
                quantity = "ics_band" if study.probes.show == "ics" else "loss_band"
                yield band.assign(quantity=quantity, trajectory=label, network=network, seed=seed)


def _band_values(study: Study, folder: Path) -> pd.DataFrame:
    if study.probes is not None and study.probes.show == "ics":
        table = _read(folder, SHIFTS, "norm").rename(columns={"norm": "value"})
        return table[table["layer"] == study.probes.layer].assign(line="update", grid="")
    table = _read(folder, STEPS, "loss").rename(columns={"loss": "value"})
    return table.assign(line="", grid="", layer="all")
