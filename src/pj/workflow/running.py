"""Which runs are being trained right now, from the progress files that they write."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pj.errors import UserError
from pj.files import json_of
from pj.runs import places

STALE = 60.0  # seconds without an update after which a run is possibly dead


def alive(progress: dict[str, Any], now: float) -> bool:
    """Whether the process that wrote a progress file is still running, as far as this machine can know."""
    if progress.get("host") == socket.gethostname():
        try:
            os.kill(progress["pid"], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # alive, and somebody else's
    return now - progress.get("time", 0) < STALE


def locked(run: str, seed: str, results: Path) -> bool:
    """Whether a process holds a run's lock, such as one that compiles or measures and writes no progress."""
    return any(map(_is_held, (results / ".resume").glob(f"{run}-*/seed{seed}/lock")))


def _is_held(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):  # of another user's, it cannot be known
        return True


def check(runs: Iterable[tuple[str, str]], results: Path) -> None:
    """Raise UserError if a run (name, seed) that is about to be trained is in training already.

    Such as by a job that went on after its workflow was killed. Snakemake would delete that job's log.
    """
    found = ((run, seed, json_of(places.progress(results, run, seed))) for run, seed in runs)
    there = [
        (run, seed, progress)
        for run, seed, progress in found
        if progress and (alive(progress, time.time()) or locked(run, seed, results))
    ]
    if there:
        lines = [f"\n  {run} seed {seed}: process {p['pid']} on {p['host']}" for run, seed, p in there]
        raise UserError(
            "in training already:"
            + "".join(lines)
            + "\nWait for it (pj watch), or end it with kill and call "
            "again: it continues where it was"
        )
