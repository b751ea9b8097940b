"""Resume states, from which a killed run continues exactly: atomic, checked, the last two kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch.serialization import get_unsafe_globals_in_checkpoint

from pj.errors import UserError
from pj.files import make_folder, replaced, sha256

log = logging.getLogger(__name__)
KEPT = 2
READABLE = "allowed in a state: tensors, Python's own numbers, strings, lists, tuples and dictionaries"


class RunningElsewhereError(UserError):
    """Another process is training this run."""


class UnreadableStateError(UserError):
    """A whole resume state that torch does not load, because of what is in it."""


class ResumeStates:
    """The resume states of one run, held by a lock while in use.

    A file is named ``<steps done>-<sha256>.pt``: it carries its own checksum, and appears only when complete.

    Args:
        folder: of the states.
        identity: of the run (spec, seed, data, code); a state of another run is refused, with the difference.

    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder, self.identity = folder, identity
        self.own: list[Path] = []  # newest first; states of another run are neither used nor deleted

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run's lock; RunningElsewhereError if another process holds it, UserError without locks."""
        make_folder(self.folder)
        lock = FileLock(self.folder / "lock")
        try:
            taken = lock.acquire(timeout=0)
        except Timeout:
            raise RunningElsewhereError(
                f"another process is training this run (it holds {self.folder / 'lock'}); "
                "wait for that process or end it"
            ) from None
        except OSError as error:  # such as a network file system without a lock daemon
            raise UserError(
                f"{self.folder / 'lock'} cannot be locked ({error.strerror}), so that two processes could "
                "train this run at once; keep results/ on a file system with locks"
            ) from None
        with taken:
            yield

    def save(self, steps: int, state: dict[str, Any]) -> None:
        """Write a state after ``steps`` steps."""
        with replaced(self.folder / "writing.pt") as temporary:
            with temporary.open("wb") as file, _without_checksums():
                torch.save({"identity": self.identity, "state": state}, file)
            if not self.own:  # the first; parts keep the same kinds of things in all
                _readable(temporary)
            digest = sha256(temporary)
        path = (self.folder / "writing.pt").replace(self.folder / f"{steps:09d}-{digest}.pt")
        self.own = [path, *(old for old in self.own if old != path)]
        for old in self.own[KEPT:]:
            old.unlink(missing_ok=True)
        self.own = self.own[:KEPT]

    def newest(self) -> dict[str, Any] | None:
        """Return the newest state that is undamaged and of this run, or None; log why others are refused."""
        found = None
        for path in sorted(self.folder.glob("[0-9]*-*.pt"), reverse=True):
            try:
                identity = _identity(path)
            except UnreadableStateError as error:
                log.warning("%s; it is not used", error)
                continue
            if identity is None:
                log.warning("the resume state %s is damaged and is not used", path)
                if path.is_file():
                    path.unlink()
                continue
            others = [k for k, v in self.identity.items() if identity.get(k) != v]
            if others:
                log.warning("the resume state %s is of another %s and is not used", path, ", ".join(others))
                continue
            self.own.append(path)
            if found is None:  # copied into memory: the file is deleted once there are newer states
                found = torch.load(path, map_location="cpu", weights_only=True)["state"]
        return found


@contextmanager
def _without_checksums() -> Iterator[None]:
    """Let torch.save compute no checksums of its own: the file's name carries one of all of it."""
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


def _identity(path: Path) -> dict[str, Any] | None:
    """Return which run a state is of; None if it is not a file that was written whole.

    UnreadableStateError for one that was written whole, and that is no state or cannot be loaded.
    """
    try:
        if sha256(path) != path.stem.partition("-")[2]:
            return None
    except OSError:
        return None
    return _readable(path)


def _readable(path: Path) -> dict[str, Any]:
    """Return which run a state is of, its tensors not being read; UnreadableStateError if it is none."""
    try:
        if names := get_unsafe_globals_in_checkpoint(str(path)):
            raise UnreadableStateError(f"the resume state {path} holds {', '.join(names)}; {READABLE}")
        return dict(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["identity"])
    except UnreadableStateError:
        raise
    except Exception as error:  # a file of another content fails in as many ways as there are contents
        raise UnreadableStateError(f"the resume state {path} cannot be read: {error!r}") from None
