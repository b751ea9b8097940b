"""The results of analyses of finished runs, one JSON file per run, and their tables."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from pj.config.analyses import ANALYSES
from pj.config.settings import Analysed, Variant
from pj.runs import records

Found = dict[str, dict[int, dict[str, Any]]]  # results by variant and seed


def collect(variants: Iterable[Variant], folder: Path) -> Found:
    """Read the results of some variants' runs; missing ones are left out, RecordError for a damaged one."""
    found: Found = {}
    for variant in variants:
        paths = {seed: folder / records.measured_name(variant.spec.run, seed) for seed in variant.seeds}
        found[variant.name] = {seed: records.measured(path) for seed, path in paths.items() if path.is_file()}
    return found


def complete(found: Found, variant: Variant) -> list[dict[str, Any]]:
    """Return the results of a variant's complete runs, one per seed."""
    return [run for run in found[variant.name].values() if run["state"] == "complete"]


def first_seeds(found: Found, variants: Iterable[Variant]) -> list[tuple[Variant, dict[str, Any]]]:
    """Return the variants that have a complete run, each with its first."""
    return [(v, complete(found, v)[0]) for v in variants if complete(found, v)]


def diverged(found: Found, variants: Iterable[Variant]) -> list[str]:
    """Return the diverged runs in words."""
    return [
        f"{variant.title} seed {seed}"
        for variant in variants
        for seed, run in found[variant.name].items()
        if run["state"] == "diverged"
    ]


def write(key: str, analysed: Analysed, measured: Path, folder: Path) -> None:
    """Write the table of an analysis as table.csv, .md and .tex into ``folder``.

    Args:
        key: of the analysis.
        analysed: which runs are analysed, and how.
        measured: folder of their results.
        folder: where the table is written.

    Raises:
        ValueError: the table lacks a column that the analysis declares.

    """
    analysis = ANALYSES[key]
    found = collect(analysed.variants, measured)
    module = import_module(analysis.table)
    data = module.table(analysed, found)
    declared = (*analysis.cells.rows, *analysis.cells.values)
    lacking = [column for column in declared if column not in data]
    if lacking and any(complete(found, variant) for variant in analysed.variants):
        raise ValueError(f"{key}: {analysis.table} writes no column {', '.join(lacking)}, which is declared")
    module.sheet(analysed, found).write(folder, "table", data)
