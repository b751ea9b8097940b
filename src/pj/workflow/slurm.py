"""What Snakemake and its plugin for SLURM leave open, and this project promises."""

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
    """Raise UserError if a call of Snakemake names a workflow profile that is not there.

    Snakemake goes on without any (github.com/snakemake/snakemake/issues/4276), and would
    train on the machine where it is called instead of on the cluster.
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
    raise UserError(f"--workflow-profile {name}: there is no such profile; available: {there or 'none'}")


def check_controller(executor: str) -> None:
    """Raise UserError if jobs are to go to a SLURM that does not answer.

    Each job would find that out by itself, one after another, until all have spent their attempts.
    """
    if executor != "slurm":
        return
    try:
        subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        why = (getattr(error, "stderr", None) or str(error)).strip()
        raise UserError(
            f"SLURM does not answer ({why}); nothing was submitted. Call again when it does; "
            "`pj doctor` says more"
        ) from error


def mend_slurm_plugin() -> None:
    """Let the SLURM plugin (2.8), if it is there, lose no job whose state it does not understand.

    Before each look at the jobs it asks the controller how long that remembers them (MinJobAge), and without
    an answer it turns to sacct, which knows nothing on a site without accounting: all jobs would be lost. The
    last answer is as good. States that it has no rule for are waited for without end, ``CANCELLED by 1000``
    among them, and PREEMPTED, after which only SLURM's own requeuing goes on.
    """
    plugin = sys.modules.get(PLUGIN)  # Snakemake has loaded every executor that is installed
    for name, corrected in (("get_min_job_age", last_known), ("query_job_status", plain_states)):
        if function := getattr(plugin, name, None):
            setattr(plugin, name, corrected(function))


def plain_states(query: Query) -> Query:
    """Return ``query`` with states of one word, and preempted jobs, which nobody requeues, as cancelled."""

    async def answer(*arguments: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await query(*arguments)
        return states and {job: plain_state(state) for job, state in states.items()}, seconds

    return answer


def plain_state(state: str) -> str:
    """Return the first word of a job's state; of PREEMPTED, what it comes to."""
    word = state.partition(" ")[0]
    return "CANCELLED" if word == "PREEMPTED" else word


def last_known(ask: Callable[[], int | None]) -> Callable[[], int | None]:
    """Return ``ask``, which answers what it answered last where it now answers nothing."""
    known = None

    def answer() -> int | None:
        nonlocal known
        found = ask()
        known = known if found is None else found
        return known

    return answer
