"""Finished work whose jobs are about to run again: kept aside, and put back by them if nothing has changed.

Snakemake goes by dates: it runs a job again because its data were prepared again, whatever they hold, and
deletes what the job had made before. What is forced (`-R train`) is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pj.config.loading import Config
from pj.files import json_of
from pj.runs import kept, records
from pj.workflow import derived
from pj.workflow.verify import code_of


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


def trained(jobs: Iterable[Job]) -> list[tuple[str, str]]:
    """Return the runs that are trained by these jobs: name and seed."""
    return [(job.wildcards["run"], job.wildcards["seed"]) for job in jobs if job.rule.startswith("train")]


def keep(jobs: Iterable[Job], config: Config, results: Path) -> None:
    """Keep what these jobs have made before, and forget what was kept of forced ones."""
    runs, made = config.runs(), {one.path: one for one in derived.existing(config, results)}
    for job in jobs:
        if job.rule.startswith("train"):
            run, seed = job.wildcards["run"], job.wildcards["seed"]
            spec, folder = runs[run].spec, results / "runs" / run / f"seed{seed}"
            resume = results / ".resume" / f"{run}-{code_of(spec)}" / f"seed{seed}"
            if job.forced:
                kept.forget(resume)
            elif json_of(folder / records.RUN).get("code") == code_of(spec):
                kept.keep(folder, resume)
                _keep_evaluation(made.get(folder / records.EVALUATION), resume)
        elif job.rule == "measure" and not job.forced:
            name = records.measured_name(job.wildcards["run"], int(job.wildcards["seed"]))
            path = results / job.wildcards["analysis"] / job.wildcards["name"] / name
            if path in made and made[path].fits():
                kept.link(path, kept.aside(path, results))


def _keep_evaluation(found: derived.Derived | None, resume: Path) -> None:
    if found and found.fits():
        kept.link(found.path, kept.evaluation(resume, found.made["code"]))
