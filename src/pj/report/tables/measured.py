"""What downstream rules measured of finished runs: a JSON file each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pj.config.settings import Variant

Found = dict[str, dict[int, dict[str, Any]]]  # what was measured, by variant and seed


def collect(variants: Iterable[Variant], folder: Path) -> Found:
    """Read what was measured of some variants' runs; runs that are not there are left out."""
    found: Found = {}
    for variant in variants:
        paths = {seed: folder / f"{variant.spec.run}-seed{seed}.json" for seed in variant.seeds}
        found[variant.name] = {
            seed: json.loads(path.read_text(encoding="utf-8"))
            for seed, path in paths.items()
            if path.is_file()
        }
    return found


def complete(found: Found, variant: Variant) -> list[dict[str, Any]]:
    """Return what was measured of a variant's complete runs, a seed each."""
    return [run for run in found[variant.name].values() if run["state"] == "complete"]


def diverged(found: Found) -> list[str]:
    """Return the diverged runs in words."""
    return [
        f"{variant} seed {seed}"
        for variant, runs in found.items()
        for seed, run in runs.items()
        if run["state"] == "diverged"
    ]
