"""A hash of a user's own data files: new content runs everything on them again, a new date nothing."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pj import files
from pj.config.components import Source
from pj.config.own import CONTENT
from pj.config.own import NAME as OWN
from pj.data import listing
from pj.durations import some
from pj.errors import UserError
from pj.runs import records
from pj.workflow import dates
from pj.workflow.dates import OLD

MANY = 4  # places that a message names; of more the rest is counted
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

    Their runs would have the same names, and replace one another. For a user's own files a stamp is written.
    Its date is old if the data were prepared from what the files hold now, else today's.
    """
    for label, source in sources.items():
        now, found = content(source, results / "data"), _made(label, results)
        if fault := _conflict(label, source, now, found):
            raise UserError(fault)
        if now:
            made = next(iter(found.values()), {})
            with suppress(OSError):  # read-only results
                _date(stamp(label, results / "data"), now, old=now == made.get("content"))


def conflicts(sources: Mapping[str, Source], results: Path) -> Iterator[str]:
    """Yield a message for each dataset of whose name there are prepared data or finished runs of another."""
    for label, source in sources.items():
        if fault := _conflict(label, source, content(source, results / "data"), _made(label, results)):
            yield fault


def _conflict(label: str, source: Source, now: str, found: Mapping[Path, Mapping[str, Any]]) -> str | None:
    """Return why a dataset's name is another one's, if what was ``found`` under it was made of that."""
    # an edited file of the user's own code makes the data anew
    new = source.model_dump(mode="json", exclude={"folder", "label", CONTENT})
    others = {place: made for place, made in found.items() if _is_other(made, new, now)}
    if others:
        first, places = next(iter(others.values())), list(dict.fromkeys(map(str, map(_shown_place, others))))
        return (
            f"the dataset {label!r} is {_shown(new)}, but these were made from {_shown(first['source'])}: "
            f"{some(places, MANY)}. Give it a label of its own (label: …), or delete them"
        )
    elsewhere = (made["source"].get("path") != new.get("path") for made in found.values())
    if not now and "path" in new and any(elsewhere):
        return f"the dataset {label!r} is {_shown(new)}, but there is no {new['path']}"
    return None


def _shown_place(place: Path) -> Path:
    """Return the file of prepared data, or the folder of a run with all its seeds."""
    return place if place.suffix == ".json" else place.parent


def _made(label: str, results: Path) -> dict[Path, dict[str, Any]]:
    """Return what prepared data and finished runs of this name were made from, the prepared data first."""
    prepared = _prepared(label, results / "data")
    path = results / "data" / f"{label}.json"
    return ({path: prepared} if prepared else {}) | _trained_on(label, results / "runs")


def _is_other(made: Mapping[str, Any], new: Mapping[str, Any], now: str) -> bool:
    """Whether something was made from a source of other settings, or from other files in another place."""
    differing = {key for key, value in made["source"].items() if key != CONTENT and new.get(key) != value}
    return bool(differing - {"path"} or (differing and now and now != made.get("content")))


def _prepared(label: str, folder: Path) -> dict[str, Any]:
    """Return what a prepared dataset was made from; empty if there is none, or an older pj made it."""
    made = files.json_of(folder / f"{label}.json")
    return made if isinstance(made.get("source"), dict) else {}


def _trained_on(label: str, runs: Path) -> dict[Path, dict[str, Any]]:
    """Return what the data of each finished run on a dataset were made from, by its folder."""
    found = {}
    for path in sorted(runs.glob(f"{glob.escape(label)}-*/seed*/{records.RUN}")):
        record = files.json_of(path)
        made, spec = record.get(records.MADE_FROM), record.get("spec")
        data = spec.get("data") if isinstance(spec, dict) else None
        named = isinstance(data, dict) and data.get("name") == label
        if named and isinstance(made, dict) and isinstance(made.get("source"), dict):
            found[path.parent] = made
    return found


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
    """Give prepared datasets, or checks of networks, an old date: Snakemake runs nothing again because of it.

    When a dataset is made again, what depends on it runs again anyway. Its date says nothing: it may be newer
    than runs that were copied from elsewhere, or lie in the future where a clock was wrong.
    """
    for path in [*folder.glob("*.npz"), *folder.glob("*.json")]:
        with suppress(OSError):
            if path.stat().st_mtime != OLD:
                dates.put(path, OLD)


def _files(source: Source) -> tuple[list[Path], Path]:
    """Return a source's files, as they are read, and below which folder their names count."""
    if source.source == "npz":
        path = Path(source.path)
        return ([path] if path.is_file() else []), path  # its own name does not count
    if source.source == "folder":
        root = Path(source.path)
        parts = (listing.images(root, part) for part in listing.PARTS)
        return [path for found in parts for path, _ in found.files], root
    if source.source == OWN:
        return sorted(_named_by_options(source.options or {})), Path()
    return [], Path()


def _named_by_options(options: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files that the options of a user's own source name, and those in folders, but this one."""
    here = Path.cwd()
    for place in (Path(value) for value in options.values() if isinstance(value, str) and value):
        inside = place.is_dir() and not here.is_relative_to(place.resolve())
        for path in place.rglob("*") if inside else [place]:
            if path.is_file():
                yield Path(os.path.relpath(path))
