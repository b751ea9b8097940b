"""The image files of a folder (one list for what is watched, read and counted), and the length of arrays.

Loads no torch.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PARTS = ("train", "test")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# What operating systems leave behind, besides hidden files.
DROPPINGS = ("__MACOSX", "Thumbs.db", "desktop.ini", "ehthumbs.db")


@dataclass(frozen=True)
class Listing:
    """The image files of each class, in order, and how many other files there are by suffix."""

    classes: dict[str, list[Path]]
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> list[tuple[Path, int]]:
        """Every image with the index of its class, class by class."""
        return [(path, i) for i, paths in enumerate(self.classes.values()) for path in paths]


def images(folder: Path, part: str) -> Listing:
    """Return the images below folder/part/<class>, in sub-folders too; no classes if that is no folder.

    Hidden files and folders are left out.
    """
    place, skipped = folder / part, Counter[str]()
    entries = sorted(place.iterdir()) if place.is_dir() else []
    classes: dict[str, list[Path]] = {}
    for entry in (entry for entry in entries if not _left_out(entry.name)):
        if entry.is_dir():
            # as one file system spells it that composes accents, and another that does not
            name = unicodedata.normalize("NFC", entry.name)
            classes[name] = [*classes.get(name, []), *_images(entry, skipped)]
        elif entry.suffix.lower() in SUFFIXES:
            skipped["in no class folder"] += 1
    return Listing(dict(sorted(classes.items())), skipped)


def _images(folder: Path, skipped: Counter[str]) -> Iterator[Path]:
    """Yield image files in order; count others by suffix."""
    for place, folders, names in os.walk(folder, followlinks=True):
        here = Path(place).resolve()
        kept = [name for name in sorted(folders) if not _left_out(name)]
        folders[:] = [name for name in kept if not here.is_relative_to((here / name).resolve())]
        if above := len(kept) - len(folders):
            skipped["(a link to a folder above)"] += above
        for name in sorted(names):
            suffix = Path(name).suffix.lower()
            if _left_out(name):
                continue
            if suffix in SUFFIXES and Path(place, name).exists():
                yield Path(place, name)
            else:
                skipped["(a broken link)" if suffix in SUFFIXES else suffix or name] += 1


def _left_out(name: str) -> bool:
    return name.startswith(".") or name in DROPPINGS


def content(files: list[Path], root: Path) -> str:
    """Return a hash of files' names below ``root`` and of what they hold."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(os.fsencode(path.relative_to(root)) + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def state(files: list[Path], root: Path) -> str:
    """Return a hash of files' names, sizes and times, which says cheaply that nothing has changed.

    The time of the last change is the system's own: unpacking an archive restores that of the content.
    """
    digest = hashlib.sha256()
    for path in files:
        found = path.stat()
        digest.update(os.fsencode(path.relative_to(root)))
        digest.update(f"\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ctime_ns}\0".encode())
    return digest.hexdigest()


def rows(path: Path, array: str) -> int | None:
    """Return the length of an array in an .npz, read from its header; None if there is none."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{array}.npy") as file:
            found = re.search(rb"'shape': \((\d+),", file.read(256))
    except (OSError, KeyError, zipfile.BadZipFile):
        return None  # the job that reads the data reports what is wrong with it
    return int(found[1]) if found else None
