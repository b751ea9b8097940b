"""A hash of a user's own data files: new content runs everything on them again, a new date nothing."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from pj import files
from pj.config.components import Source
from pj.data import listing

OLD = 946_684_800  # 2000-01-01, as seconds since 1970
CACHE = ".content.json"  # hashes by the names, sizes and times of files, so that each is read once


def content(source: Source, folder: Path) -> str:
    """Return a hash of what a source's files hold; empty without files, or while they are missing.

    Args:
        source: of a dataset.
        folder: for the cache, which may be lost.

    """
    found, root = _files(source)
    if not found:
        return ""
    cache, state = folder / CACHE, listing.state(found, root)
    try:
        known: dict[str, str] = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if state not in known:
        known[state] = listing.content(found, root)
        with suppress(OSError):  # read-only results: it is computed each time
            files.write_json(cache, known)
    return known[state]


def set_back(folder: Path) -> None:
    """Give prepared datasets an old date, so that Snakemake runs nothing again because of it.

    When a dataset is made again, what depends on it runs again anyway. Its date says nothing: it may be newer
    than runs that were copied from elsewhere, or lie in the future where a clock was wrong.
    """
    for path in folder.glob("*.npz"):
        with suppress(OSError):
            if path.stat().st_mtime != OLD:
                os.utime(path, (OLD, OLD))


def _files(source: Source) -> tuple[list[Path], Path]:
    """Return a source's files, as they are read, and their folder."""
    if source.source == "npz":
        path = Path(source.path)
        return ([path] if path.is_file() else []), path.parent
    if source.source == "folder":
        root = Path(source.path)
        parts = (listing.images(root, part) for part in listing.PARTS)
        return [path for found in parts for path, _ in found.files], root
    return [], Path()
