"""What is in results/ that no configuration names: found, and deleted on request.

Several configurations may share one results folder, and parts of it may be links. So what a configuration
names is followed through all links first; nothing on the way is deleted, and links are never followed to
delete what they lead to.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.settings import runs_of
from pj.config.spec import checks
from pj.files import json_of, remove_empty
from pj.report import inventory
from pj.runs import kept, places, records
from pj.workflow import dates
from pj.workflow.running import alive, locked

RUN = re.compile(r".+-[0-9a-f]{8}")  # the name of a run; what is named otherwise is not ours to delete
SEED = re.compile(r"seed\d+")
MEASURED = re.compile(r"(.+-[0-9a-f]{8})-(seed\d+)\.json")  # `records.measured_name`
HALF = re.compile(r"\.(.+)\.[^.]{8}")  # a file that was being written (`pj.files.replaced`)
OF_A_STUDY = ("table.md", "runs.csv", "curves.png", "probes_table.md", "path.png")  # a folder with one
OF_RUNS = {*kept.FILES, records.EVALUATION}
SNAKEMAKE = Path(".snakemake/locks")  # lists of the files that a running workflow reads and writes


@dataclass(frozen=True)
class Item:
    """Something that no configuration names.

    Args:
        kind: of what it is, in the plural.
        paths: its folder or files, which are deleted together.
        run: the run (name, seed) that it belongs to, if it is one that may be in training.
        folder: of its files, if all that the rules make there belongs to it.

    """

    kind: str
    paths: tuple[Path, ...]
    run: tuple[str, str] | None = None
    folder: Path | None = None

    @property
    def place(self) -> Path:
        """What it is called: its folder, or its first file."""
        return self.folder or self.paths[0]

    @property
    def others(self) -> list[Path]:
        """What is in its folder beside its files: somebody's own, which stays."""
        return [path for path in _entries(self.folder) if path not in self.paths] if self.folder else []

    def files(self) -> Iterator[os.stat_result]:
        """Yield the state of each file, links as such."""
        for path in self.paths:
            for there in [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]:
                with suppress(OSError):
                    if there.is_symlink() or not there.is_dir():
                        yield there.lstat()

    @property
    def size(self) -> int:
        """How many bytes its files have."""
        return sum(found.st_size for found in self.files())

    @property
    def date(self) -> float | None:
        """The date of its newest file, in seconds since 1970; None if pj has dated all of them as old."""
        return max(filter(None, (_date(found.st_mtime) for found in self.files())), default=None)


def _date(date: float) -> float | None:
    """Return when a file was written, if that is known, however Snakemake sees it (`pj.workflow.dates`)."""
    return None if date in (dates.OLD, dates.OLD - 1) else date + dates.SHIFT if date < dates.OLD else date


def items(configs: Sequence[Config], results: Path) -> Iterator[Item]:
    """Yield what none of these configurations names, and what may be deleted therefore."""
    needed = _needed(configs, results)
    above = {parent for path in needed for parent in path.parents}
    seen: set[Path] = set()
    for item in _unnamed(configs, results):
        there = {path.parent.resolve() / path.name for path in item.paths}
        # neither needed, nor a folder that holds something needed, nor inside of a needed one
        if not there & (seen | needed | above) and not any(needed & set(path.parents) for path in there):
            seen |= there
            yield item


def _needed(configs: Sequence[Config], results: Path) -> set[Path]:
    """Return where the named files and folders are on the disk, and all links on the way there."""
    found: set[Path] = set()
    for path in _named(configs, results):
        _follow(path.absolute(), found)
        for inside in path.rglob("*") if path.is_dir() else ():
            if inside.is_symlink():
                _follow(inside.absolute(), found)
    return found


def _follow(path: Path, found: set[Path]) -> None:
    """Add the links that a path leads through, and where it ends."""
    here = Path(path.anchor)
    for i, part in enumerate(path.parts[1:], start=2):
        here = here.parent if part == ".." else here / part
        if here.is_symlink():
            if here not in found:  # else it was followed before, or leads to itself
                found.add(here)
                _follow(here.parent / here.readlink() / Path(*path.parts[i:]), found)
            else:
                with suppress(OSError, RuntimeError):  # a link to itself
                    _follow(here.resolve() / Path(*path.parts[i:]), found)
            return
    found.add(here)


def _named(configs: Iterable[Config], results: Path) -> Iterator[Path]:
    """Yield the places of what configurations name, whether it is there or not."""
    for config in configs:
        for name, run in config.runs().items():
            for seed in run.seeds:
                yield places.folder(results / "runs", name, seed)
                if not _ended(results, name, f"seed{seed}"):
                    yield from (results / ".resume").glob(f"{name}-*/seed{seed}")
            yield from (results / "networks" / f"{check}.json" for check in checks(run.spec))
        for study in config.settings.studies:
            former = inventory.ANY_STUDY - inventory.of(config, "studies", study)
            there = _entries(results / "studies" / study)
            yield from (path for path in there if path.name not in former)
        for key in ANALYSES:
            for name in config.analyses(key):
                folder = results / key / name
                runs = runs_of(config.analysed(key, name).variants)
                measured = [records.measured_name(*run) for run in runs]
                # tables and figures are beside measurements of other runs
                others = [path.name for path in _entries(folder) if not MEASURED.fullmatch(path.name)]
                yield from (folder / name for name in [*measured, *others])
        for label, source in config.sources().items():
            yield from _data(results, label)
            yield from (Path(path) for key, path in source if key == "path")
        yield from (path for path in _entries(results) if path.is_file())  # pages
        if config.settings.modes:
            yield results / "modes"


def _data(results: Path, label: str) -> tuple[Path, ...]:
    return tuple(results / "data" / name for name in (f"{label}.npz", f"{label}.json", f".{label}.content"))


def _unnamed(configs: Sequence[Config], results: Path) -> Iterator[Item]:
    """Yield what no configuration names by its place, whatever is linked to it."""
    runs = {(name, f"seed{seed}") for c in configs for name, run in c.runs().items() for seed in run.seeds}
    for kind, folder, name_of in (
        ("runs", results / "runs", str),
        ("resume states", results / ".resume", lambda text: text.rpartition("-")[0]),
    ):
        for run in _entries(folder):
            name = name_of(run.name)
            if not RUN.fullmatch(name):
                continue
            if run.is_symlink():  # to a run of another project, perhaps
                if name not in {known for known, _ in runs}:
                    yield Item(kind, (run,))
                continue
            for seed in _entries(run):
                used = kind == "runs" or not _ended(results, name, seed.name)
                if not SEED.fullmatch(seed.name) or ((name, seed.name) in runs and used):
                    continue
                known = name, seed.name.removeprefix("seed")
                if kind == "runs":
                    yield from _made(kind, seed, OF_RUNS, known)
                else:
                    yield Item(kind, (seed,), known)
    studies = {name for config in configs for name in config.settings.studies}
    for folder in _entries(results / "studies"):
        if folder.name not in studies and any((folder / name).is_file() for name in OF_A_STUDY):
            yield from _made("tables", folder, inventory.ANY_STUDY)
    for path in former(configs, results):
        yield Item("tables", (path,))
    for key in ANALYSES:
        yield from _unnamed_analyses(key, configs, results)
    networks = {name for config in configs for run in config.runs().values() for name in checks(run.spec)}
    for path in _entries(results / "networks"):
        if path.suffix == ".json" and RUN.fullmatch(path.stem) and path.stem not in networks:
            yield Item("checks of networks", (path,))
    labels = {label for config in configs for label in config.sources()}
    for path in _entries(results / "data"):
        if path.suffix == ".npz" and path.stem not in labels and path.with_suffix(".json").is_file():
            there = [part for part in _data(results, path.stem) if part.exists() or part.is_symlink()]
            yield Item("prepared data", tuple(there))


def _ended(results: Path, run: str, seed: str) -> bool:
    """Whether a run needs no state any more: what is left is of former code, or of a repeated training."""
    return all((results / "runs" / run / seed / file).is_file() for file in (records.RUN, records.EVALUATION))


def _unnamed_analyses(key: str, configs: Sequence[Config], results: Path) -> Iterator[Item]:
    named: dict[str, set[str]] = {}
    for config in configs:
        for name in config.analyses(key):
            runs = runs_of(config.analysed(key, name).variants)
            named.setdefault(name, set()).update(records.measured_name(*run) for run in runs)
    for folder in _entries(results / key):
        measured = [path for path in _entries(folder) if MEASURED.fullmatch(path.name)]
        if folder.name in named:
            for path in measured:
                if path.name not in named[folder.name] and not folder.is_symlink():
                    yield Item("measurements", (path,))
        elif measured or (folder / "table.md").is_file():
            yield from _made("measurements", folder, inventory.of_analysis(key), pattern=MEASURED)


def former(configs: Sequence[Config], results: Path) -> Iterator[Path]:
    """Yield the tables and figures that studies had with former settings, such as a sweep."""
    now: dict[str, set[str]] = {}
    for config in configs:
        for name in config.settings.studies:
            now.setdefault(name, set()).update(inventory.of(config, "studies", name))
    for name, made in now.items():
        folder = results / "studies" / name
        there = [] if folder.is_symlink() else _entries(folder)
        yield from (path for path in there if path.name in inventory.ANY_STUDY - made)
    if not any(config.settings.modes for config in configs):
        yield from (path for path in _entries(results / "modes") if path.name in inventory.table("table"))


def _made(
    kind: str,
    folder: Path,
    names: Container[str],
    run: tuple[str, str] | None = None,
    pattern: re.Pattern[str] | None = None,
) -> Iterator[Item]:
    """Yield what the rules make in a folder as one item; nothing for a folder with only other files."""

    def ours(name: str) -> bool:
        half = HALF.fullmatch(name)
        whole = half[1] if half else name
        return whole in names or bool(pattern and pattern.fullmatch(whole))

    there = _entries(folder)
    if folder.is_symlink() or not there:
        yield Item(kind, (folder,), run)
    elif paths := tuple(path for path in there if ours(path.name)):
        yield Item(kind, paths, run, folder)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def in_use(item: Item, results: Path) -> bool:
    """Whether its run is in training, or a running workflow reads or writes its run or its files."""
    if item.run and _in_training(*item.run, results):
        return True
    paths = [item.place, *item.paths, *([places.folder(results / "runs", *item.run)] if item.run else ())]
    return any(line == str(path) or line.startswith(f"{path}/") for line in _locked() for path in paths)


def _locked() -> Iterator[str]:
    """Yield the files that Snakemake has locked in this folder."""
    for path in SNAKEMAKE.glob("*.lock"):
        with suppress(OSError):  # its workflow has just ended
            yield from path.read_text(encoding="utf-8").splitlines()


def _in_training(run: str, seed: str, results: Path) -> bool:
    return alive(json_of(places.progress(results, run, seed)), time.time()) or locked(run, seed, results)


def delete(item: Item) -> None:
    """Delete an item, links as such, its folder, and that of its run, if they are empty then."""
    for path in item.paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if item.folder:
        remove_empty(item.folder)
    if item.run:
        remove_empty(item.place.parent)
