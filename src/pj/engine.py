"""What Snakemake and its plugin for SLURM leave open, and this project promises."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pj.errors import UserError

PLUGIN = "snakemake_executor_plugin_slurm"


def check_profile(arguments: Sequence[str], workflow: Path) -> None:
    """Raise UserError if a call of Snakemake names a workflow profile that is not there.

    Snakemake goes on without any (github.com/snakemake/snakemake/issues/4276), and would
    train on the machine where it is called instead of on the cluster.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--workflow-profile")
    name = parser.parse_known_args(arguments)[0].workflow_profile
    folders = [Path(), Path("profiles"), workflow / "profiles"]
    if name in (None, "none") or any((folder / name).exists() for folder in folders):
        return
    there = ", ".join(str(path.parent) for path in sorted(Path("profiles").glob("*/config*.yaml")))
    raise UserError(f"--workflow-profile {name}: there is no such profile; there are: {there or 'none'}")


def keep_asking_squeue() -> None:
    """Let the SLURM plugin, if it is there, ask squeue again while the controller is down.

    Before each look it asks the controller how long that remembers jobs (MinJobAge), and without an answer it
    turns to sacct, which knows nothing on a site without accounting: all jobs would be lost, and the workflow
    would wait for ever (version 2.8). The last answer is as good.
    """
    plugin = sys.modules.get(PLUGIN)  # Snakemake has loaded every executor that is installed
    if plugin is not None:
        plugin.get_min_job_age = last_known(plugin.get_min_job_age)


def last_known(ask: Callable[[], int | None]) -> Callable[[], int | None]:
    """Return ``ask``, which answers what it answered last where it now answers nothing."""
    known: list[int | None] = [None]

    def answer() -> int | None:
        found = ask()
        known[0] = known[0] if found is None else found
        return known[0]

    return answer
