"""Finished runs against today's code, data and configuration, and tables against their runs.

A run's record says which code, specification and data made it. Snakemake keeps its own notes in .snakemake,
which are lost with that folder and do not travel with runs that are copied: `mark` makes it see what records
say, and `findings` says it to people.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pj.config.analyses import ANALYSES
from pj.config.loading import Config, Run
from pj.config.settings import runs_of
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.files import json_of
from pj.runs import kept, places, records
from pj.workflow import dates, derived, unnamed, watched

CODE, DATA = "trained by other code than today's", "trained on other data than there are now"


def code_of(spec: RunSpec) -> str:
    """Return the fingerprint of today's training code for a run."""
    return derived.code("train.py", spec)


def outdated(config: Config, results: Path) -> dict[tuple[str, int], str]:
    """Return the finished runs that another code or other data made than today's, each with the reason."""
    return {
        (name, seed): reason
        for name, run in config.runs().items()
        for seed in run.seeds
        if (reason := _reason(name, seed, run.spec, results))
    } | dict.fromkeys(_unprepared(config, results), DATA)


def _reason(name: str, seed: int, spec: RunSpec, results: Path) -> str | None:
    """Return why a finished run is not what would be trained today; None if it is, or there is none."""
    record = json_of(places.folder(results / "runs", name, seed) / records.RUN)
    if not record.get("code"):
        return None
    if record["code"] != code_of(spec):
        return CODE
    prepared = json_of(results / "data" / f"{spec.data.name}.json").get("sha256")
    return DATA if prepared and record.get("data_sha256") != prepared else None


def _unprepared(config: Config, results: Path) -> Iterator[tuple[str, int]]:
    """Yield the finished runs on files that have changed, where no prepared data say so any more."""
    for label, source in config.sources().items():
        if (results / "data" / f"{label}.json").is_file():
            continue
        now = watched.content(source, results / "data")
        for name, run in config.runs().items():
            for seed in run.seeds if run.spec.data.name == label and now else ():
                record = json_of(places.folder(results / "runs", name, seed) / records.RUN)
                made = record.get(records.MADE_FROM)
                if isinstance(made, dict) and made.get("content", now) != now:
                    yield name, seed


def mark(runs: Mapping[str, Run], results: Path) -> None:
    """Date every outdated run before its data, so that Snakemake trains it again; others as they were.

    A run of today's code that was dated back gets its own date again: an edit that is undone costs nothing.
    """
    for name, run in runs.items():
        for seed in run.seeds:
            folder = places.folder(results / "runs", name, seed)
            late = bool(_reason(name, seed, run.spec, results))
            for file in kept.FILES:
                with suppress(OSError):
                    dates.outdate(folder / file, late)


def findings(config: Config, results: Path, also: Sequence[Config] = ()) -> Iterator[str]:
    """Yield what is damaged, edited, outdated or of no study, one line each.

    Runs that the configurations ``also`` name are expected; their age is not compared.
    """
    runs, late = config.runs(), outdated(config, results)
    for name, run in runs.items():
        for seed in run.seeds:
            folder = places.folder(results / "runs", name, seed)
            if not folder.is_dir():
                continue
            yield from _of_run(folder)
            if (name, seed) in late:
                yield f"{folder}: {late[name, seed]}"
    for folder in others(config, results):
        yield from _of_run(folder)
    if left := others(config, results, also):
        yield (
            f"finished runs that this configuration does not name: {len(left)}, such as {left[0]} "
            "(if another configuration's are expected here, name it with --also)"
        )
    yield from watched.conflicts(config.sources(), results)
    yield from _of_data(config, results / "data")
    yield from _of_classes(runs, results)
    for made in derived.existing(config, results):
        if made.path.name != records.EVALUATION:
            yield from _of_measurement(made.path)
        if not made.fits():
            yield f"{made.path}: {derived.OUTDATED}"
    yield from _of_tables(config, results)
    for path in unnamed.former([config, *also], results):
        yield f"{path}: made with former settings; `pj clean --delete` deletes it"


def damaged(config: Config, results: Path) -> set[tuple[str, int]]:
    """Return the finished runs whose records are not what was written; their checkpoints are not read."""
    return {
        (name, seed)
        for name, run in config.runs().items()
        for seed in run.seeds
        if not _readable(places.folder(results / "runs", name, seed))
    }


def _readable(folder: Path) -> bool:
    try:
        records.state(folder)
        records.evaluation(folder)
    except records.RecordError:
        return False
    return True


def without_table(config: Config, results: Path) -> list[str]:
    """Return the studies that have finished runs and no table, so that pages show them as not run."""
    studies = config.settings.studies
    return [
        name
        for name in studies
        if not (results / "studies" / name / "runs.csv").is_file()
        and any(
            (places.folder(results / "runs", *run) / records.RUN).is_file()
            for run in runs_of(config.study(name).variants)
        )
    ]


def others(config: Config, results: Path, also: Sequence[Config] = ()) -> list[Path]:
    """Return the folders of finished runs that no configuration here names, such as another one's."""
    runs = [item for each in (config, *also) for item in each.runs().items()]
    named = {(name, f"seed{seed}") for name, run in runs for seed in run.seeds}
    found = sorted(path.parent for path in (results / "runs").glob(f"*/seed*/{records.RUN}"))
    return [folder for folder in found if (folder.parent.name, folder.name) not in named]


def _of_run(folder: Path) -> Iterator[str]:
    """Yield which files of a finished run are not those that were written."""
    if not (folder / records.RUN).is_file():
        yield f"{folder}: not finished"
        return
    try:
        record = records.read_run(folder)
        for name in record.get("files", {}):
            records.table(folder, name)
        records.evaluation(folder)
    except UserError as error:
        yield str(error)


def _of_data(config: Config, folder: Path) -> Iterator[str]:
    """Yield which datasets are damaged, or prepared from other files than there are."""
    from pj.data import store  # loads numpy

    for label, source in config.sources().items():
        path = folder / f"{label}.npz"
        if not path.is_file():
            continue
        try:
            store.load(path)
        except UserError as error:
            yield str(error)
        now = watched.content(source, folder)
        if now and now != json_of(path.with_suffix(".json")).get("content", now):
            yield f"{path}: prepared from other files than there are now; the workflow makes it again"


def _of_classes(runs: Mapping[str, Run], results: Path) -> Iterator[str]:
    """Yield evaluations whose classes have other names than those of the data that there are now."""
    for name, run in runs.items():
        now = json_of(results / "data" / f"{run.spec.data.name}.json").get("classes")
        for seed in run.seeds:
            path = places.folder(results / "runs", name, seed) / records.EVALUATION
            then = json_of(path).get("classes")
            if now and then and then != now:
                yield f"{path}: its classes had other names; delete it, and the workflow makes it again"


def _of_measurement(path: Path) -> Iterator[str]:
    """Yield what an analysis measured of a run if it is not what was written."""
    try:
        records.measured(path)
    except UserError as error:
        yield str(error)


def _of_tables(config: Config, results: Path) -> Iterator[str]:
    """Yield the tables of studies and analyses that are not what their runs give."""
    for name in config.settings.studies:
        path = results / "studies" / name / "runs.csv"
        named = {(v.name, run, str(seed)) for v in config.study(name).variants for run, seed in v.runs}
        if path.is_file() and _rows(path) not in (set(), named):
            yield f"{path.parent}: made with other variants or seeds; the workflow makes its tables again"
        else:
            yield from _of_folder(path.parent, _writers(config, name, results))
    for key in ANALYSES:
        for name in config.analyses(key):
            yield from _of_folder(results / key / name, [partial(_analysis, config, key, name, results)])


def _rows(path: Path) -> set[tuple[str, str, str]]:
    """Return variant, run and seed of each row of a study's runs.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(row.get("variant"), row.get("run"), row.get("seed")) for row in csv.DictReader(file)}  # type: ignore[misc]


def _writers(config: Config, name: str, results: Path) -> Iterator[Callable[[Path], None]]:
    from pj.report.tables import probes, studies  # loads pandas

    study = config.study(name)
    yield partial(studies.write, study, results / "runs")
    if study.probes:
        yield partial(probes.write, study, results / "runs")


def _analysis(config: Config, key: str, name: str, results: Path, folder: Path) -> None:
    from pj.report.tables import analyses  # loads pandas

    analyses.write(key, config.analysed(key, name), results / key / name, folder)


def _of_folder(folder: Path, writers: Iterable[Callable[[Path], None]]) -> Iterator[str]:
    """Yield the files of a folder that are not what is written today."""
    if not any(folder.glob("*.md")):
        return
    with TemporaryDirectory() as place:
        made = Path(place, folder.parent.name, folder.name)  # names that are in its table for LaTeX
        made.mkdir(parents=True)
        for write in writers:
            with suppress(UserError):  # one of its runs has been named already
                write(made)
        for path in sorted(made.iterdir()):
            now = folder / path.name
            if not now.is_file():
                yield f"{now}: missing; the workflow makes it again"
            elif now.read_bytes() != path.read_bytes():
                yield f"{now}: not what its runs give today; the workflow makes it again once it is deleted"
