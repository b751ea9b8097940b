"""A finished run's files, kept beside its resume states until its evaluation has used them.

Snakemake deletes the outputs of a job that it did not see end: called again, the job takes them from here
instead of training again. They are hard links where the file system has them, which take no space.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pj.files import replaced, sha256
from pj.runs import records
from pj.runs.records import CHECKPOINT, METRICS, PROBES, RUN, SHIFTS, STEPS

log = logging.getLogger(__name__)
FILES = (CHECKPOINT, METRICS, STEPS, PROBES, SHIFTS, RUN)  # run.json last: it says that the others are whole


def keep(folder: Path, resume: Path) -> None:
    """Keep a finished run's files in ``resume``, in place of its resume states."""
    _link(folder, _kept(resume))
    for state in resume.glob("[0-9]*.pt"):
        state.unlink()


def restore(resume: Path, folder: Path, identity: Mapping[str, Any]) -> str | None:
    """Put a finished run's kept files back into ``folder`` and return its state; None if there are none.

    ``identity`` holds values of run.json that must be equal: those of another run are left alone.
    """
    try:
        record = records.read_run(_kept(resume))
    except records.RecordError:
        return None
    if any(record.get(key) != value for key, value in identity.items()):
        return None
    needed = FILES if record["spec"].get("probe") else (CHECKPOINT, METRICS)
    if not all((_kept(resume) / name).is_file() for name in needed):
        return None  # killed while they were kept
    _link(_kept(resume), folder)
    log.warning("%s was trained already: its kept files were put back, nothing was trained", folder)
    return str(record["state"])


def evaluation(resume: Path, code: str) -> Path:
    """Return where training leaves the evaluation of its run, made by code of this fingerprint."""
    return resume / f"evaluation-{code}.json"


def take_evaluation(resume: Path, code: str, folder: Path, output: Path) -> bool:
    """Move the evaluation that training left to ``output``; False if there is none of this run and code."""
    left = evaluation(resume, code)
    if not left.is_file():
        return False
    if sha256(_kept(resume) / CHECKPOINT) != records.read_run(folder)["checkpoint_sha256"]:
        return False
    left.replace(output)
    return True


def remove(folder: Path) -> None:
    """Delete what is kept in a folder, and the folder above it if nothing else is there."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _kept(resume: Path) -> Path:
    return resume / "finished"


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in reversed(FILES):
        (target / name).unlink(missing_ok=True)
    for name in FILES:
        if not (source / name).is_file():
            continue
        try:
            os.link(source / name, target / name)
        except OSError:  # a file system without hard links
            with replaced(target / name) as temporary:
                shutil.copyfile(source / name, temporary)
        os.utime(target / name)  # newer than the data, or Snakemake would train again
