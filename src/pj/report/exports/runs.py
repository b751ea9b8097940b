"""What is exported of finished runs: settings, learning curves, and the accuracies of the selected epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pj.config import flat
from pj.config.settings import Study, Variant
from pj.runs import places, records

Setting = str | int | float | bool


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        name: study/variant/seed<k>.
        state: complete or diverged.
        started: when its training began, in seconds since 1970, as far as the dates of its files say.
        settings: its specification and seed by dotted key; lists are JSON.
        curves: one row per epoch: ``epoch``, ``seconds`` since it started, losses, accuracies in percent.
        results: accuracies of the selected epoch in percent; none of a diverged run.

    """

    name: str
    state: str
    started: float
    settings: dict[str, Setting]
    curves: list[dict[str, float]]
    results: dict[str, float]

    @property
    def scalars(self) -> Iterator[tuple[str, float, int, float]]:
        """Yield name, value, epoch and time of each point of its curves."""
        for row in self.curves:
            for key, value in row.items():
                if key not in ("epoch", "seconds"):
                    yield key, value, int(row["epoch"]), self.started + row.get("seconds", 0.0)


def finished(studies: Iterable[Study], runs: Path) -> list[Run]:
    """Return the finished runs of some studies; RecordError for one that is damaged."""
    return [
        _run(variant, seed, folder)
        for study in studies
        for variant in study.variants
        for seed in variant.seeds
        if records.state(folder := places.folder(runs, variant.spec.run, seed)) != "missing"
    ]


def _run(variant: Variant, seed: int, folder: Path) -> Run:
    curves = records.read_metrics(folder)
    selected = records.evaluation(folder).get("selected") or {}
    measured = {name: selected.get(name) or {} for name in ("train", "validation", "test")}
    accuracies = {f"{name}_accuracy": split.get("accuracy", math.nan) for name, split in measured.items()}
    seconds = curves[-1].get("seconds", 0.0) if curves else 0.0
    return Run(
        name=f"{variant.study}/{variant.name}/seed{seed}",
        state=records.state(folder),
        started=(folder / records.RUN).stat().st_mtime - seconds,
        settings={"seed": seed} | {key: _setting(value) for key, value in flat.of(variant.spec).items()},
        curves=curves,
        results={name: value for name, value in accuracies.items() if math.isfinite(value)},
    )


def _setting(value: object) -> Setting:
    return value if isinstance(value, Setting) else json.dumps(value)
