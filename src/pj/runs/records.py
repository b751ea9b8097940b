"""The files of a run's folder, and the checks on reading them: sums, and whether they are of this run."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pj import files
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.files import sha256
from pj.runs import places

CHECKPOINT, METRICS, RUN, EVALUATION = "checkpoint.pt", "metrics.csv", "run.json", "evaluation.json"
STEPS, PROBES, SHIFTS = "steps.csv", "probes.csv", "shifts.csv"  # of runs with probes
SUPPORT = "support_"  # + a layer, of metrics.csv: the share of its units in DessiLBI's support, in percent
FINISHED = ("complete", "diverged")
MADE_FROM = "data_made_from"  # of run.json: its data's source, as results/data/<dataset>.json has it
SUM = "sha256"  # of a JSON file: that of the rest of its content


class RecordError(UserError):
    """A run folder that is not a finished record."""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a record with its own checksum, so that an edited or damaged one is recognised."""
    files.write_json(path, content | {SUM: _sum(content)})


def _sum(content: dict[str, Any]) -> str:
    rest = json.loads(json.dumps(files.without_nan(content)))  # as it is read back
    rest.pop(SUM, None)
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    """Return a run's record; RecordError if it is missing, damaged, edited, or of another folder's run."""
    folder = path.parent
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise RecordError(f"{folder} {found}; needed: a run's folder, such as results/runs/<run>/seed0")
    record = _unchanged(path, since="files" if path.name == RUN else "seed")
    _check_place(folder, record)
    return record


def _unchanged(path: Path, since: str) -> dict[str, Any]:
    """Return a record that is as it was written; one without ``since`` is older than checksums."""
    again = f"delete {path}, and the workflow makes it again"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(f"{path} is missing: the run has not finished, or this is not a run") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path} cannot be read ({error}); {again}") from error
    state = record.get("state") if isinstance(record, dict) else None
    if state not in FINISHED:
        raise RecordError(f"{path} has state {state!r}, not {' or '.join(FINISHED)}; train this run again")
    if (SUM in record or since in record) and record.get(SUM) != _sum(record):
        raise RecordError(f"{path} was changed after it was written (its checksum is another); {again}")
    return dict(record)


def _check_place(folder: Path, record: dict[str, Any]) -> None:
    """RecordError if a folder that is named like a run and a seed holds another run or seed."""
    named = re.fullmatch(r"seed(\d+)", folder.name)
    if (
        not named
        or not re.search(r"-[0-9a-f]{8}$", folder.parent.name)
        or not {"spec", "seed"} <= record.keys()
    ):
        return
    try:
        run = RunSpec.model_validate(record["spec"]).run
    except ValidationError:
        path = folder / RUN
        raise RecordError(f"{path} was written by another version of pj; train this run again") from None
    if (run, record["seed"]) != (folder.parent.name, int(named[1])):
        raise RecordError(
            f"{folder} holds {run}, seed {record['seed']}: it was copied to a wrong place; delete it there"
        )


def read_run(folder: Path) -> dict[str, Any]:
    """Return run.json of a finished run.

    Raises RecordError for an incomplete folder: no run.json, that of an unfinished or another run, or a
    checkpoint other than the one it records.
    """
    record = _read(folder / RUN)
    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file() or sha256(checkpoint) != record.get("checkpoint_sha256"):
        raise RecordError(
            f"{checkpoint} is not the checkpoint that {folder / RUN} records; delete {folder} and train again"
        )
    return record


def state(folder: Path) -> str:
    """Return ``complete``, ``diverged`` or ``missing``, without checking the checkpoint."""
    return str(_read(folder / RUN)["state"]) if (folder / RUN).is_file() else "missing"


def complete(runs: Path, run: str, seeds: Iterable[int]) -> dict[int, Path]:
    """Return the folders of a run's complete seeds; diverged ones never enter a mean or a median."""
    folders = {seed: places.folder(runs, run, seed) for seed in seeds}
    return {seed: folder for seed, folder in folders.items() if state(folder) == "complete"}


def evaluation(folder: Path) -> dict[str, Any]:
    """Return a run's evaluation.json, empty if there is none.

    RecordError if it, or the learning curve that it is of, is not what was written.
    """
    if not (folder / EVALUATION).exists():
        return {}
    if (folder / RUN).is_file():
        table(folder, METRICS)
    return _read(folder / EVALUATION)


def measured(path: Path) -> dict[str, Any]:
    """Return what an analysis measured of a run; RecordError if it was changed, or copied."""
    record = _unchanged(path, since="made")
    made = record.get("made", {})
    if made and path.name != measured_name(made["run"], made["seed"]):
        raise RecordError(f"{path} is of {made['run']}, seed {made['seed']}: it was copied; delete it there")
    return record


def measured_name(run: str, seed: int | str) -> str:
    """Return the name of a file with what an analysis measured of a run."""
    return f"{run}-seed{seed}.json"


def table(folder: Path, name: str) -> Path:
    """Return the path of a finished run's table; RecordError if it is not the one that run.json records."""
    recorded = _read(folder / RUN).get("files", {})
    path = folder / name
    if name in recorded and (not path.is_file() or sha256(path) != recorded[name]):
        raise RecordError(
            f"{path} is not the file that {folder / RUN} records; delete {folder} and train again"
        )
    return path


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return metrics.csv, one row per epoch: losses, accuracies in percent, seconds so far."""
    with table(folder, METRICS).open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
