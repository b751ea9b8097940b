"""Checks and corrections around Snakemake and its SLURM plugin."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from pj.errors import UserError

PLUGIN = "snakemake_executor_plugin_slurm"
Query = Callable[..., Awaitable[tuple[dict[str, str] | None, float | None]]]


def check_profile(arguments: Sequence[str], workflow: Path) -> None:
    """Raise UserError if a call of Snakemake names a workflow profile that does not exist.

    Snakemake continues without a profile (github.com/snakemake/snakemake/issues/4276), and would train on
    the machine where it is called instead of on the cluster.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--workflow-profile")
    name = parser.parse_known_args(arguments)[0].workflow_profile
    call = Path(os.environ.get("PWD", ""))  # Snakemake is in --directory by now
    folders = [Path(), Path("profiles"), call, call / "profiles", workflow / "profiles"]
    if name in (None, "none") or any((folder / name).exists() for folder in folders):
        return
    there = ", ".join(
        f"profiles/{path.parent.name}" for path in sorted(workflow.glob("profiles/*/config.yaml"))
    )
    raise UserError(f"--workflow-profile {name}: this profile does not exist; available: {there or 'none'}")


def check_controller(executor: str) -> None:
    """Raise UserError if jobs are to go to a SLURM that does not answer.

    Otherwise all jobs would fail one after another, each after all its attempts.
    """
    if executor != "slurm":
        return
    try:
        subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        why = (getattr(error, "stderr", None) or str(error)).strip()
        raise UserError(
            f"SLURM does not answer ({why}); nothing was submitted. Run the command again when it does; see "
            "`pj doctor`"
        ) from error


def check_queue(executor: str, folder: Path = Path()) -> None:
    """Raise UserError if jobs that an earlier call submitted from this folder still wait or run.

    A workflow that was killed leaves them in the queue. Each would delete its outputs, and make them again.
    """
    if executor != "slurm" or len(list(folder.glob(".snakemake/locks/*.output.lock"))) > 1:
        return  # another call, about other files, is running
    asked = ["squeue", "--me", "--noheader", "--states=PENDING,RUNNING,SUSPENDED", "--format=%i|%k|%Z"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return  # `check_controller` has had an answer
    jobs = [line.split("|", 2) for line in found.splitlines() if line.count("|") >= 2]
    own = [job for job, comment, place in jobs if comment.startswith("rule_") and _same(place, folder)]
    if own:
        raise UserError(
            "jobs of an earlier call in this folder are in the queue, and would make again what this call "
            "makes. If it still runs, wait for it; if it was killed, cancel them and call again, it goes on "
            f"where they were: scancel {' '.join(own)}"
        )


def _same(place: str, folder: Path) -> bool:
    return Path(place).resolve() == folder.resolve()


def patch_slurm_plugin() -> None:
    """Patch the SLURM plugin (2.8), if it is installed, so that it loses no job.

    Before each query of the jobs' states it asks the controller how long ended jobs are remembered
    (MinJobAge). Without an answer it switches to sacct, which knows nothing on a site without accounting, and
    all jobs would be lost; the last known answer is used instead. It also waits forever for a job in a state
    that it does not know, such as ``CANCELLED by 1000``, or PREEMPTED, which ends the job unless SLURM itself
    requeues it.
    """
    plugin = sys.modules.get(PLUGIN)  # Snakemake has loaded every executor that is installed
    for name, corrected in (("get_min_job_age", last_known), ("query_job_status", plain_states)):
        if function := getattr(plugin, name, None):
            setattr(plugin, name, corrected(function))


def plain_states(query: Query) -> Query:
    """Return ``query`` with states of one word, and preempted jobs (never requeued here) as cancelled."""

    async def answer(*arguments: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await query(*arguments)
        return states and {job: plain_state(state) for job, state in states.items()}, seconds

    return answer


def plain_state(state: str) -> str:
    """Return the first word of a job's state; CANCELLED for PREEMPTED."""
    word = state.partition(" ")[0]
    return "CANCELLED" if word == "PREEMPTED" else word


def last_known(ask: Callable[[], int | None]) -> Callable[[], int | None]:
    """Return ``ask``, changed to repeat its last answer when it has none."""
    known = None

    def answer() -> int | None:
        nonlocal known
        found = ask()
        known = known if found is None else found
        return known

    return answer
