"""A hash of a user's own data files: new content runs everything on them again, a new date nothing."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pj import files
from pj.config.components import Source
from pj.data import listing
from pj.errors import UserError
from pj.runs import records
from pj.workflow import dates
from pj.workflow.dates import OLD

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
    known: dict[str, str] = files.json_of(cache)
    if state not in known:
        known[state] = listing.content(found, root)
        with suppress(OSError):  # read-only results: it is computed each time
            files.write_json(cache, known)
    return known[state]


def prepared_or_now(label: str, source: Source, folder: Path) -> str:
    """Return `content`; while the files are missing, that of what was prepared from them."""
    now = content(source, folder)
    return now or str(files.json_of(folder / f"{label}.json").get("content", ""))


def check(sources: Mapping[str, Source], results: Path) -> None:
    """Refuse a dataset whose name belongs to another one, prepared or trained on; UserError names both.

    Their runs would have the same names, and replace one another. For a user's own files a stamp is written,
    which has an old date if the data were prepared from what the files hold now, and else today's.
    """
    folder = results / "data"
    for label, source in sources.items():
        path, now = folder / f"{label}.json", content(source, folder)
        made = files.json_of(path) or _trained_on(label, results / "runs")  # empty by an older pj
        old, before = made.get("source", {}), made.get("content", "")
        new = source.model_dump(mode="json", exclude={"folder", "label"})
        other = {key for key, value in old.items() if new.get(key) != value}
        if other - {"path"} or (other and now and now != before):
            raise UserError(
                f"the dataset {label!r} is {_shown(new)}, but {folder / label}.npz or the runs {label}-… "
                f"were made from {_shown(old)}. Give it a label of its own (label: …), or delete {path} and "
                "those runs"
            )
        if "path" in other and not now:
            raise UserError(f"the dataset {label!r} is {_shown(new)}, but there is no {new['path']}")
        if now:
            with suppress(OSError):  # read-only results
                _date(stamp(label, folder), now, old=now == before)


def _trained_on(label: str, runs: Path) -> dict[str, Any]:
    """Return what the data of the first finished run on a dataset were made from; empty without one."""
    for path in sorted(runs.glob(f"{glob.escape(label)}-*/seed*/{records.RUN}")):
        record = files.json_of(path)
        spec = record.get("spec", {})
        if record.get(records.MADE_FROM) and spec.get("data", {}).get("name") == label:
            return dict(record[records.MADE_FROM])
    return {}


def stamp(label: str, folder: Path) -> Path:
    """Return the stamp of a dataset: a file with the hash of what its source's files hold."""
    return folder / f".{label}.content"


def _date(path: Path, now: str, *, old: bool) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != now:
        files.write_text(path, now)
    if old:
        dates.put(path, OLD)
    elif path.stat().st_mtime == OLD or dates.future(path.stat().st_mtime):
        os.utime(path)


def _shown(settings: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in settings.items()) + "}"


def set_back(folder: Path) -> None:
    """Give prepared datasets an old date, so that Snakemake runs nothing again because of it.

    When a dataset is made again, what depends on it runs again anyway. Its date says nothing: it may be newer
    than runs that were copied from elsewhere, or lie in the future where a clock was wrong.
    """
    for path in [*folder.glob("*.npz"), *folder.glob("*.json")]:
        with suppress(OSError):
            if path.stat().st_mtime != OLD:
                dates.put(path, OLD)


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
