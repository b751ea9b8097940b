"""Dates of files, by which Snakemake decides what to make again."""

from __future__ import annotations

import os
from pathlib import Path

OLD = 946_684_800  # 2000-01-01, as seconds since 1970: of what nothing is to be made again for
SHIFT = 1_200_000_000  # seconds: dates a file before its inputs, which may be as old as `OLD`


def outdate(path: Path, outdated: bool) -> float:
    """Date an outdated file before its inputs, and one that is outdated no longer as it was before.

    Returns the file's date, in seconds since 1970.
    """
    date = path.stat().st_mtime
    if outdated != (date < OLD):
        date += -SHIFT if outdated else SHIFT
        put(path, date)
    return date


def put(path: Path, date: float) -> None:
    """Set the date of a file, in seconds since 1970."""
    os.utime(path, (date, date))
