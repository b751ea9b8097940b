"""Where the files of a run are."""

from __future__ import annotations

from pathlib import Path


def folder(runs: Path, run: str, seed: int | str) -> Path:
    """Return the folder of a finished run; ``runs`` is results/runs."""
    return runs / run / f"seed{seed}"


def resume(results: Path, run: str, code: str, seed: int | str) -> Path:
    """Return the folder of a run's resume states, which belong to the code of this fingerprint."""
    return results / ".resume" / f"{run}-{code}" / f"seed{seed}"


def progress(results: Path, run: str, seed: int | str) -> Path:
    """Return the file in which a run in training says how far it is."""
    return results / ".progress" / f"{run}-seed{seed}.json"
