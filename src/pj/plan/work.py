"""What is left to do: runs, their evaluations, measurements, tables and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.settings import runs_of
from pj.config.spec import RunSpec, network_name
from pj.errors import UserError
from pj.runs import kept, places, records
from pj.runs.records import EVALUATION
from pj.workflow import derived, outputs, verify

BEFORE = ("prepare_data", "network")  # of runs
PAGES = ("report.md", "report.html", "claims.md", "numbers.tex")


@dataclass(frozen=True)
class Job:
    """A job that is left.

    Args:
        rule: ``train``, ``evaluate``, ``measure``, ``prepare_data``, ``network``, ``table``, ``figure``,
            ``page``.
        target: its output, from the project's folder.
        run, seed: what it trains, evaluates or measures.
        part: what asks for it: the keys of studies, of analyses (``kind/name``) and datasets.

    """

    rule: str
    target: str
    run: str = ""
    seed: int = 0
    part: tuple[str, ...] = ()


def left(config: Config, results: Path) -> list[Job]:
    """Return the jobs that are left, in the order in which they can run."""
    runs = list(_runs(config, results))
    measured = list(_measurements(config, results, {(job.run, job.seed) for job in runs}))
    late = {part for job in (*runs, *measured) for part in job.part}
    drawn = list(_tables(late, config, results))
    pages = [Job("page", str(results / name)) for name in PAGES if drawn or not (results / name).is_file()]
    return [*_before(config, results, {job.run for job in runs}), *runs, *measured, *drawn, *pages]


def chosen(jobs: Iterable[Job], targets: Iterable[str], config: Config) -> list[Job]:
    """Return the jobs that these targets need: studies, variants, analyses, runs, datasets, or their files.

    UserError for a target that none of the configuration's jobs makes.
    """
    jobs, found = list(jobs), dict[Job, None]()
    for target in targets:
        name = target.removeprefix("results/").strip("/")
        if name == "all" or name in PAGES:
            return jobs
        found |= dict.fromkeys(_needed(name, jobs, config))
    runs = {job.run for job in found if job.run}
    data = {config.runs()[run].spec.data.name for run in runs}
    before = [job for job in jobs if job.rule in BEFORE and (data | runs) & set(job.part)]
    return [job for job in jobs if job in found or job in before]


def _needed(target: str, jobs: Sequence[Job], config: Config) -> list[Job]:
    """Return the jobs of one target, without those before runs."""
    kind, *rest = target.removeprefix("studies/").removeprefix("runs/").split("/")
    name = rest[0] if rest else ""
    runs, study = config.runs(), config.settings.studies.get(kind)
    if kind in ANALYSES and name in config.analyses(kind):
        own = {variant.spec.run for variant in config.analysed(kind, name).variants}
        return [job for job in jobs if f"{kind}/{name}" in job.part or _trains(job, own)]
    variants = {variant.name: variant for variant in config.study(kind).variants} if study else {}
    if name in variants:
        return [job for job in jobs if _trains(job, {variants[name].spec.run})]
    if study and (not name or "." in name):
        return [job for job in jobs if kind in job.part]
    if kind in runs and (not name or name.removeprefix("seed").isdigit()):
        seeds = {int(name.removeprefix("seed"))} if name else set(runs[kind].seeds)
        rules = ("train",) if rest[1:] and rest[1] != EVALUATION else ("train", "evaluate")
        return [job for job in jobs if job.rule in rules and job.run == kind and job.seed in seeds]
    label = name.rpartition(".")[0] if kind == "data" else kind
    if label in config.sources():
        return [job for job in jobs if job.rule == "prepare_data" and job.part == (label,)]
    raise UserError(f"{target!r} is no study, variant, analysis, run or dataset here (`pj runs` lists them)")


def _trains(job: Job, runs: set[str]) -> bool:
    return job.rule in ("train", "evaluate") and job.run in runs


def _runs(config: Config, results: Path) -> Iterator[Job]:
    """Yield the runs that are not trained by today's code on today's data, and those not evaluated."""
    late = verify.outdated(config, results)
    for name, run in config.runs().items():
        part = tuple(dict.fromkeys(study for study, _ in run.serves))
        for seed in run.seeds:
            folder = places.folder(results / "runs", name, seed)
            try:
                trained = records.state(folder) != "missing" and (name, seed) not in late
            except records.RecordError:
                trained = False
            # one that is kept is only put back
            if not trained and (
                (name, seed) in late or not kept.state(derived.resume(run.spec, seed, results))
            ):
                yield Job("train", f"{folder}/{records.RUN}", name, seed, part)
            if not trained or not _evaluated(run.spec, seed, folder, results):
                yield Job("evaluate", f"{folder}/{records.EVALUATION}", name, seed, part)


def _evaluated(spec: RunSpec, seed: int, folder: Path, results: Path) -> bool:
    """Whether a run's evaluation is whole, and what today's code would make of it."""
    found = derived.evaluation(spec, seed, results)
    try:
        return bool(found and found.fits() and records.evaluation(folder))
    except records.RecordError:
        return False


def _measurements(config: Config, results: Path, waiting: set[tuple[str, int]]) -> Iterator[Job]:
    for key in ANALYSES:
        for name in config.analyses(key):
            for variant in config.analysed(key, name).variants:
                run = variant.spec.run
                for seed in variant.seeds:
                    found = derived.measurement(config, key, name, variant, seed, results)
                    if (run, seed) in waiting or not (found and found.fits()):
                        target = results / key / name / records.measured_name(run, seed)
                        yield Job("measure", str(target), run, seed, (f"{key}/{name}",))


def _tables(late: set[str], config: Config, results: Path) -> Iterator[Job]:
    """Yield tables and figures of what is late, and missing ones."""
    for rule, files in (("table", outputs.tables(config)), ("figure", outputs.figures(config))):
        for file in files:
            path = results / Path(file).relative_to(outputs.FOLDER)
            kind, name = path.relative_to(results).parts[:2]
            part = name if kind == "studies" else f"{kind}/{name}"
            if (
                part in late
                or not path.is_file()
                or (kind == "studies" and _is_old(path, name, config, results))
            ):
                yield Job(rule, str(path), part=(part,))


def _is_old(path: Path, study: str, config: Config, results: Path) -> bool:
    """Whether some run of a study was evaluated after a table or figure was made."""
    made = path.stat().st_mtime
    runs = runs_of(config.study(study).variants)
    files = [places.folder(results / "runs", *run) / EVALUATION for run in runs]
    return any(file.is_file() and file.stat().st_mtime > made for file in files)


def _before(config: Config, results: Path, waiting: set[str]) -> Iterator[Job]:
    """Yield the datasets to prepare and the networks to check before runs."""
    runs = config.runs()
    for label in dict.fromkeys(runs[name].spec.data.name for name in runs if name in waiting):
        path = results / "data" / f"{label}.npz"
        if not path.is_file():
            yield Job("prepare_data", str(path), part=(label,))
    networks: dict[str, list[str]] = {}
    for name in waiting:
        if runs[name].spec.layers is None:
            networks.setdefault(network_name(runs[name].spec), []).append(name)
    for network, names in networks.items():
        path = results / "networks" / f"{network}.json"
        if not path.is_file():
            yield Job("network", str(path), part=tuple(names))
