"""The progress of a whole project: what is done, running, waiting and failed, and the time left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pj.config.loading import Config
from pj.files import json_of
from pj.plan import times, work
from pj.plan.times import Times
from pj.workflow.running import alive

ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ ([A-Z]+) ", re.MULTILINE)
TAIL = 20_000  # bytes of a log that are read
FIRST = 0.005  # share of a run before which the time left would be a guess


@dataclass(frozen=True)
class Running:
    """A run in training.

    Args:
        name, seed: of the run.
        share: of its steps that are done.
        epoch, epochs: the one under way, and all.
        accuracy: on the test set after the last epoch, in percent; None before.
        left: seconds; NaN at the beginning.
        silent: seconds without an update, if its process has ended or is stuck; else None.

    """

    name: str
    seed: str
    share: float
    epoch: int
    epochs: int
    accuracy: float | None
    left: float
    silent: float | None = None


@dataclass(frozen=True)
class Whole:
    """The progress of a project's runs; ``failed`` holds the logs of those whose last entry is an error."""

    done: int
    running: int
    waiting: int
    failed: tuple[str, ...]
    left: float | None  # seconds; None if some run's time is not known


def running(folder: Path, now: float) -> list[Running]:
    """Return the runs in training, from the progress files that they write."""
    found = []
    for path in sorted(folder.glob("*.json")):
        p = json_of(path)
        if p.keys() >= {"run", "seed", "epoch", "epochs", "step", "steps", "seconds", "time", "last"}:
            found.append(_running(p, now))  # else it has just ended
    return found


def _running(p: dict[str, Any], now: float) -> Running:
    share = (p["epoch"] + p["step"] / max(p["steps"], 1)) / max(p["epochs"], 1)
    left = p["seconds"] * (1 - share) / share if share > FIRST else float("nan")
    silent = None if alive(p, now) else now - p["time"]
    accuracy = p["last"].get("test_accuracy")
    return Running(p["run"], str(p["seed"]), share, p["epoch"] + 1, p["epochs"], accuracy, left, silent)


def whole(config: Config, results: Path, known: Times, now: float, *, computing: int, cores: int) -> Whole:
    """Return the progress of all runs of a configuration, of which so many compute at once."""
    total = sum(len(run.seeds) for run in config.runs().values())
    jobs = work.left(config, results)
    left = {(job.run, str(job.seed)): job for job in jobs if job.rule == "train"}
    at_work = {(run.name, run.seed): run for run in running(results / ".progress", now) if run.silent is None}
    there = {key: at_work[key] for key in left if key in at_work}
    logs = {
        key: results / "logs" / "train" / f"{key[0]}-seed{key[1]}.log" for key in left if key not in there
    }
    failed = [key for key, log in logs.items() if has_failed(log)]
    timed = []
    for job in jobs:
        run = there.get((job.run, str(job.seed))) if job.rule == "train" else None
        timed.append((job, run.left if run and run.left == run.left else known.job(job).seconds))
    sure = [(job, seconds) for job, seconds in timed if seconds is not None]
    return Whole(
        total - len(left),
        len(there),
        len(left) - len(there) - len(failed),
        tuple(str(logs[key]) for key in failed),
        times.side_by_side(sure, computing, cores) if len(sure) == len(timed) else None,
    )


def has_failed(log: Path) -> bool:
    """Whether the last entry of a job's log is an error."""
    if not log.is_file():
        return False
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        entries = ENTRY.findall(file.read().decode("utf-8", errors="replace"))
    return bool(entries) and entries[-1] == "ERROR"
