"""What a finished run and its measurements have made, kept until the jobs that need it have used it.

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

from pj.files import make_folder, remove_empty, replaced, sha256
from pj.runs import records
from pj.runs.records import CHECKPOINT, METRICS, PROBES, RUN, SHIFTS, STEPS

log = logging.getLogger(__name__)
FILES = (CHECKPOINT, METRICS, STEPS, PROBES, SHIFTS, RUN)  # run.json last: it says that the others are whole


def keep(folder: Path, resume: Path) -> None:
    """Keep a finished run's files in ``resume``, in place of its resume states."""
    _link(folder, _kept(resume))
    for state in resume.glob("[0-9]*.pt"):
        state.unlink()


def restore(
    resume: Path, folder: Path, identity: Mapping[str, Any], made_from: Mapping[str, Any] | None = None
) -> str | None:
    """Put a finished run's kept files back into ``folder`` and return its state; None if there are none.

    ``identity`` holds values of run.json that must be equal: those of another run are left alone. What the
    equal data are ``made_from`` today is recorded anew: their files may have been renamed.
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
    if made_from and record.get(records.MADE_FROM) != made_from:
        records.write_json(folder / RUN, record | {records.MADE_FROM: dict(made_from)})
    log.warning(
        "%s was trained already: its files were put back, nothing was trained (-R train does)", folder
    )
    return str(record["state"])


def state(resume: Path) -> str | None:
    """Return the state of the finished run that is kept in ``resume``, not checked; None if there is none."""
    try:
        found = records.state(_kept(resume))
    except records.RecordError:
        return None
    return None if found == "missing" else found


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
    os.utime(output)
    return True


def aside(path: Path, results: Path) -> Path:
    """Return where a measurement is kept while its job runs again."""
    return results / ".kept" / path.relative_to(results)


def take_measurement(left: Path, made: Mapping[str, Any], output: Path) -> bool:
    """Move a kept measurement to ``output``; if it was ``made`` otherwise, delete it and return False."""
    try:
        content = records.measured(left)
    except records.RecordError:
        content = {}
    fits = made.items() <= content.get("made", {}).items()
    if fits:
        left.replace(output)
        os.utime(output)
        log.warning("%s was measured already: it was put back", output)
    left.unlink(missing_ok=True)
    return fits


def forget(resume: Path) -> None:
    """Delete what is kept of a finished run, so that it is trained again; resume states stay."""
    for path in resume.glob("evaluation-*.json"):
        path.unlink()
    shutil.rmtree(_kept(resume), ignore_errors=True)


def remove(folder: Path) -> None:
    """Delete what is kept in a folder, and the folder above it if nothing else is there."""
    shutil.rmtree(folder, ignore_errors=True)
    remove_empty(folder.parent)


def _kept(resume: Path) -> Path:
    return resume / "finished"


def _link(source: Path, target: Path) -> None:
    make_folder(target)
    for name in reversed(FILES):
        (target / name).unlink(missing_ok=True)
    for name in FILES:
        if (source / name).is_file():
            link(source / name, target / name)
            os.utime(target / name)  # newer than the data, or Snakemake would train again


def link(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``, or a copy where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with replaced(target) as temporary:
            shutil.copyfile(source, temporary)
