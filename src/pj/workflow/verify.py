"""Finished runs against today's code, data and configuration, and tables against their runs.

A run's record says which code, specification and data made it. Snakemake keeps its own notes in .snakemake,
which are lost with that folder and do not travel with runs that are copied: `mark` makes it see what records
say, and `findings` says it to people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pj.config.loading import Config, Run
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.files import json_of
from pj.runs import kept, places, records
from pj.workflow import dates, derived

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
        if (reason := _reason(name, seed, run.spec, results, code_of))
    }


def _reason(name: str, seed: int, spec: RunSpec, results: Path, code: Callable[[RunSpec], str]) -> str | None:
    """Return why a finished run is not what would be trained today; None if it is, or there is none."""
    record = json_of(places.folder(results / "runs", name, seed) / records.RUN)
    if not record.get("code"):
        return None
    if record["code"] != code(spec):
        return CODE
    prepared = json_of(results / "data" / f"{spec.data.name}.json").get("sha256")
    return DATA if prepared and record.get("data_sha256") != prepared else None


def mark(runs: Mapping[str, Run], results: Path, code: Callable[[RunSpec], str] = code_of) -> None:
    """Date every outdated run before its data, so that Snakemake trains it again; others as they were.

    A run of today's code that was dated back gets its own date again: an edit that is undone costs nothing.
    """
    for name, run in runs.items():
        for seed in run.seeds:
            folder = places.folder(results / "runs", name, seed)
            late = bool(_reason(name, seed, run.spec, results, code))
            for path in filter(Path.is_file, (folder / file for file in kept.FILES)):
                with suppress(OSError):
                    dates.outdate(path, late)


def findings(config: Config, results: Path) -> Iterator[str]:
    """Yield what is damaged, edited or outdated, one line each."""
    runs, late = config.runs(), outdated(config, results)
    for name, run in runs.items():
        for seed in run.seeds:
            folder = places.folder(results / "runs", name, seed)
            if not folder.is_dir():
                continue
            yield from _of_run(folder)
            if (name, seed) in late:
                yield f"{folder}: {late[name, seed]}"
    for made in derived.existing(config, results):
        if made.path.name != records.EVALUATION:
            yield from _of_measurement(made.path)
        if not made.fits():
            yield f"{made.path}: {derived.OUTDATED}"
    for name in config.settings.studies:
        yield from _of_table(config, name, results)


def without_table(config: Config, results: Path) -> list[str]:
    """Return the studies that have finished runs and no table, so that pages show them as not run."""
    studies = config.settings.studies
    return [
        name
        for name in studies
        if not (results / "studies" / name / "runs.csv").is_file()
        and any(
            (places.folder(results / "runs", *run) / records.RUN).is_file()
            for variant in config.study(name).variants
            for run in variant.runs
        )
    ]


def others(config: Config, results: Path) -> list[Path]:
    """Return the folders of finished runs that this configuration does not name, such as another one's."""
    named = {(name, f"seed{seed}") for name, run in config.runs().items() for seed in run.seeds}
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


def _of_measurement(path: Path) -> Iterator[str]:
    """Yield what an analysis measured of a run if it is not what was written."""
    try:
        records.measured(path)
    except UserError as error:
        yield str(error)


def _of_table(config: Config, study: str, results: Path) -> Iterator[str]:
    """Yield a study's table if it is not what its runs give."""
    from pj.report.tables import studies  # loads pandas

    path = results / "studies" / study / "runs.csv"
    if not path.is_file():
        return
    try:
        made = studies.collect(config.study(study), results / "runs").runs.to_csv(index=False)
    except UserError:
        return  # one of its runs has been named already
    if path.read_text(encoding="utf-8") != made:
        yield f"{path}: not what its runs give; the workflow writes it again once it is deleted"
