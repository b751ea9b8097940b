"""Finished work whose jobs are about to run again: kept aside, and put back by them if nothing has changed.

Snakemake goes by dates: it runs a job again because its data were prepared again, whatever they hold, and
deletes what the job had made before. What is forced (`-R train`) is made again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pj.config.loading import Config
from pj.config.spec import RunSpec
from pj.files import json_of
from pj.runs import kept, places, records
from pj.workflow import derived

TRAIN = ("train", "train_probed")  # rules


@dataclass(frozen=True)
class Job:
    """A job that is about to run.

    Args:
        rule: its name.
        wildcards: by name.
        forced: whether the user asked for it, whatever there is.

    """

    rule: str
    wildcards: Mapping[str, str]
    forced: bool


def forced(rule: str, outputs: Iterable[str], asked: Any) -> bool:
    """Whether the user forced a job; Snakemake also calls files forced that were left incomplete.

    Args:
        rule: of the job.
        outputs: its files.
        asked: Snakemake's ``dag_settings``.

    """
    files = {*asked.targets, *asked.until} if asked.forcetargets else set()
    named = {
        name if Path(name).is_absolute() else os.path.relpath(name) for name in {*asked.forcerun, *files}
    }
    return bool(asked.forceall or rule in named or not named.isdisjoint(outputs))


def trained(jobs: Iterable[Job]) -> list[tuple[str, str]]:
    """Return the runs that are trained by these jobs: name and seed."""
    return [(job.wildcards["run"], job.wildcards["seed"]) for job in jobs if job.rule in TRAIN]


def keep(jobs: Iterable[Job], config: Config, results: Path) -> None:
    """Keep what these jobs have made before, and forget what was kept of forced ones."""
    runs = config.runs()
    for job in jobs:
        if job.rule in TRAIN:
            _keep_run(job, runs[job.wildcards["run"]].spec, results)
        elif job.rule == "measure":
            _keep_measurement(job, config, results)


def _keep_run(job: Job, spec: RunSpec, results: Path) -> None:
    seed, code = job.wildcards["seed"], derived.code("train.py", spec)
    folder, resume = places.folder(results / "runs", spec.run, seed), derived.resume(spec, seed, results)
    if job.forced:
        kept.forget(resume)
    elif json_of(folder / records.RUN).get("code") == code:
        kept.keep(folder, resume)
        found = derived.evaluation(spec, seed, results)
        if found and found.fits():
            kept.link(found.path, kept.evaluation(resume, found.made["code"]))


def _keep_measurement(job: Job, config: Config, results: Path) -> None:
    key, name, run, seed = (job.wildcards[part] for part in ("analysis", "name", "run", "seed"))
    if job.forced:
        left = results / key / name / records.measured_name(run, seed)
        kept.aside(left, results).unlink(missing_ok=True)
        return
    variant = next(v for v in config.analysed(key, name).variants if v.spec.run == run)
    found = derived.measurement(config, key, name, variant, seed, results)
    if found and found.fits():
        kept.link(found.path, kept.aside(found.path, results))
