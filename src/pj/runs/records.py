"""The files of a run's folder, and the checks on reading them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pj.errors import UserError
from pj.files import sha256

CHECKPOINT, METRICS, RUN, EVALUATION = "checkpoint.pt", "metrics.csv", "run.json", "evaluation.json"
STEPS, PROBES, SHIFTS = "steps.csv", "probes.csv", "shifts.csv"  # of runs with probes
SUPPORT = "support_"  # + a layer, of metrics.csv: the share of its units in DessiLBI's support, in percent
FINISHED = ("complete", "diverged")


class RecordError(UserError):
    """A run folder that is not a finished record."""


def read_run(folder: Path) -> dict[str, Any]:
    """Return run.json of a finished run.

    Raises RecordError for an incomplete folder: no run.json, that of an unfinished run, or a checkpoint
    other than the one it records.
    """
    path = folder / RUN
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise RecordError(f"{folder} {found}; needed: a run's folder, such as results/runs/<run>/seed0")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(f"{path} is missing: the run has not finished, or this is not a run") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read ({error}); delete {folder} and train again") from error
    state = record.get("state") if isinstance(record, dict) else None
    if state not in FINISHED:
        raise RecordError(f"{path} has state {state!r}, not {' or '.join(FINISHED)}; train this run again")
    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file() or sha256(checkpoint) != record.get("checkpoint_sha256"):
        raise RecordError(
            f"{checkpoint} is not the checkpoint that {path} records; delete {folder} and train again"
        )
    return record


def state(folder: Path) -> str:
    """Return ``complete``, ``diverged`` or ``missing``, without checking the checkpoint."""
    path = folder / RUN
    return str(json.loads(path.read_text(encoding="utf-8"))["state"]) if path.is_file() else "missing"


def complete(runs: Path, run: str, seeds: Iterable[int]) -> dict[int, Path]:
    """Return the folders of a run's complete seeds; diverged ones never enter a mean or a median."""
    folders = {seed: runs / run / f"seed{seed}" for seed in seeds}
    return {seed: folder for seed, folder in folders.items() if state(folder) == "complete"}


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return metrics.csv, one row per epoch: losses, accuracies in percent, seconds so far."""
    with (folder / METRICS).open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
