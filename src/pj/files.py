"""Writing files atomically: a file exists completely or not at all."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pj.errors import UserError

UMASK = os.umask(0)  # it can only be read by setting it
os.umask(UMASK)


@contextmanager
def replaced(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder that replaces ``path`` if no error occurs.

    With ``sync`` the bytes and the folder entry are on disk before this returns. On an error ``path`` stays
    as it was; UserError if there is no space for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        if sync:
            _sync(temporary)
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(path)
        if sync:
            _sync(path.parent)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(path.parent).free / 2**20
        raise UserError(f"{path} cannot be written: {error.strerror} ({free:.0f} MB free)") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, also while another process removes those that are empty."""
    for _ in range(100):
        with suppress(FileNotFoundError, FileExistsError):  # the one above was removed meanwhile
            return path.mkdir(parents=True, exist_ok=True)
    path.mkdir(parents=True, exist_ok=True)


def remove_empty(folder: Path) -> None:
    """Remove a folder if nothing is in it; other processes may use or remove it meanwhile."""
    with suppress(OSError):
        folder.rmdir()


def sha256(path: Path) -> str:
    """Return a file's checksum."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str, *, sync: bool = True) -> None:
    """Write a text file atomically."""
    with replaced(path, sync=sync) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file atomically, with all digits of floats."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, content: Any, *, sync: bool = True) -> None:
    """Write JSON atomically; NaN and infinity become null, since JSON cannot represent them."""
    write_text(path, json.dumps(without_nan(content), indent=1, allow_nan=False) + "\n", sync=sync)


def existing(path: Path) -> Path:
    """Return a path, or the nearest folder above it that exists."""
    return next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())


def check_writable(folder: Path, what_goes: str = "results go") -> None:
    """Raise UserError if files cannot be created in ``folder`` (or in its nearest existing parent)."""
    if folder.is_symlink() and not folder.exists():
        raise UserError(
            f"{folder.absolute()} is a link to {folder.readlink()}, which does not exist; create that"
        )
    there = existing(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "is not a writable folder" if there.is_dir() else "is a file, not a folder"
        raise UserError(
            f"{there} {what}; {what_goes} to {folder.absolute()}. Make it writable, or work elsewhere"
        )


def json_of(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, empty if the file is missing or incomplete."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the last of one that is nested too deep
        return {}
    return content if isinstance(content, dict) else {}


def without_nan(content: Any) -> Any:
    """Return JSON content with null for numbers that JSON lacks."""
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
