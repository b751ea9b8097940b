"""Dates of files, by which Snakemake decides what to make again."""

from __future__ import annotations

import atexit
import os
import time
from contextlib import suppress
from pathlib import Path

from pj.errors import UserError

OLD = 946_684_800  # 2000-01-01, as seconds since 1970: of what nothing is to be made again for
SKEW = 60.0  # seconds
SHIFT = 1_200_000_000  # seconds: dates a file before its inputs, which may be as old as `OLD`


class OthersFileError(UserError, PermissionError):
    """A file of another user, who alone can set its date."""


_before: dict[Path, tuple[os.stat_result, int]] | None = None  # what files were, and which date they got


def outdate(path: Path, outdated: bool) -> float:
    """Give an outdated file a date before its inputs'; give one that is up to date again its old date.

    One from the future, where a clock was wrong, is of today, or Snakemake would delete what is made from it.
    Returns the file's date, in seconds since 1970.
    """
    found = path.stat().st_mtime
    date = time.time() if future(found) else found
    if outdated != (date < OLD):
        date += -SHIFT if outdated else SHIFT
    if date != found:
        put(path, date)
    return date


def not_in_future(path: Path) -> None:
    """Date a file of the user's as of today if its date is still to come."""
    with suppress(OSError):
        if future(path.stat().st_mtime):
            put(path, time.time())


def future(date: float) -> bool:
    """Whether a file's date is in the future, by more than the clocks of two machines may differ."""
    return date > time.time() + SKEW


def put(path: Path, date: float) -> None:
    """Set the date of a file, in seconds since 1970; OthersFileError for one of another user's."""
    before = path.stat()
    if before.st_mtime == date:
        return
    try:
        os.utime(path, (date, date))
    except PermissionError:
        raise OthersFileError(
            f"{path} belongs to another user, and only its owner can set its date, by which Snakemake goes; "
            "let that user call the workflow, or copy the folder"
        ) from None
    if _before is not None:
        first, _ = _before.get(path.absolute(), (before, 0))
        _before[path.absolute()] = first, path.stat().st_mtime_ns


def restore_at_exit() -> None:
    """Undo at exit every date that is set from now on, unless `keep` is called."""
    global _before
    _before = {}
    atexit.register(_put_back)


def keep() -> None:
    """Leave all files as they are dated now."""
    global _before
    _before = None


def _put_back() -> None:
    for path, (before, date) in (_before or {}).items():
        with suppress(OSError):
            if path.stat().st_mtime_ns == date:  # else another process has written it meanwhile
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
