"""How much is written and downloaded by the jobs that are left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from pj.config.loading import Config
from pj.config.spec import network_name
from pj.data import facts
from pj.plan.work import Job
from pj.runs import places


def disk(jobs: Sequence[Job], config: Config, results: Path) -> tuple[float, int]:
    """Return the megabytes of the runs that are left, and of how many runs the size is not known.

    A run takes as much as the finished ones of its network do.
    """
    runs = config.runs()
    sizes: dict[str, list[float]] = {}
    for name, run in runs.items():
        for seed in run.seeds:
            folder = places.folder(results / "runs", name, seed)
            if (folder / "run.json").is_file():
                total = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
                sizes.setdefault(network_name(run.spec), []).append(total)
    left = [network_name(runs[job.run].spec) for job in jobs if job.rule == "train"]
    return sum(mean(sizes[name]) for name in left if name in sizes), sum(name not in sizes for name in left)


def download(jobs: Sequence[Job], config: Config, results: Path) -> float:
    """Return the megabytes of the archives of datasets that are not prepared."""
    sources = config.sources()
    labels = [job.part[0] for job in jobs if job.rule == "prepare_data"]
    return sum(facts.download(sources[label], results / "data" / f"{label}.npz") for label in labels)


def in_words(megabytes: float) -> str:
    """Return such as ``170 MB`` or ``2.6 GB``."""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"
