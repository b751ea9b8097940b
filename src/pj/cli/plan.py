"""pj plan: what is left to run, how long it takes, and which claims it settles."""

from __future__ import annotations

import argparse
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pj.cli.common import RESULTS, load, print_table, usable_cores
from pj.durations import counted, duration
from pj.errors import UserError

if TYPE_CHECKING:
    from pj.config.loading import Config
    from pj.config.spec import RunSpec
    from pj.plan.claims import Open
    from pj.plan.times import Times
    from pj.plan.work import Job

EXAMPLES = {
    "pj plan": "all that is left, by study, and what each claim lacks",
    "pj plan --measure": "time a few steps of each network first, where nothing is known",
    "pj plan loss prunings/lenet_conv3": "a study and an analysis alone",
    "pj plan --budget 2h": "the runs that settle most claims in two hours, as a command",
    "pj plan --like reference/h100-mps --gpus 2": "as on the machine whose results pj keep kept there",
}
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="studies, analyses (prunings/NAME), runs, or files below results (default: all)",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="time a few steps of each network, optimizer and batch size of which nothing is known here, "
        "a minute or two, and keep the times",
    )
    parser.add_argument("--cores", type=_count, metavar="N", help="CPU cores (default: all of this machine)")
    parser.add_argument(
        "--gpus",
        type=_count,
        metavar="N",
        help="runs that train at once on GPUs (default: one on each of this machine)",
    )
    parser.add_argument(
        "--like",
        type=Path,
        metavar="FOLDER",
        help="take times from a folder that pj keep wrote on another machine",
    )
    parser.add_argument(
        "--budget",
        type=_seconds,
        metavar="TIME",
        help="such as 30min, 2h or 1.5d: what settles most claims in it",
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip())
    if not found or found[2] not in UNITS or not float(found[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r}; allowed: a number and one of {', '.join(UNITS)}, such as 2h"
        )
    return float(found[1]) * UNITS[found[2]]


def run(options: argparse.Namespace) -> None:
    """Print the plan."""
    from pj.claims.loading import of as claims_of
    from pj.plan import times, work
    from pj.workflow import slots

    if options.budget and options.targets:
        raise UserError("--budget chooses among all claims; leave the targets out")
    loaded = load(options)
    claims = claims_of(loaded)
    if options.budget and not claims:
        raise UserError("--budget chooses among claims, of which this configuration has none")
    jobs = work.left(loaded, RESULTS)
    every = jobs
    if options.targets:
        jobs = work.chosen(jobs, options.targets, loaded)
    if options.measure:
        _measure(jobs, loaded)
    known, device = times.known(loaded, RESULTS, options.like)
    cores = options.cores or usable_cores()
    gpu = times.on_gpu(device)
    if options.gpus and not gpu:
        raise UserError(f"--gpus: the runs are planned on {device}; --like FOLDER plans for another machine")
    gpus = options.gpus or (1 if options.like else max(1, slots.number(loaded.settings.device)))
    computing = times.at_once(device, cores, loaded, gpus)
    where = f"{device}, {counted(computing, 'run')} at once"
    if not jobs:
        print("Nothing is left to run: everything is up to date.")
    else:
        _print_left(jobs, known, where)
        _print_sum(jobs, known, loaded, computing, cores)
    if claims and not options.targets:
        from pj.plan import claims as plans

        found = plans.judged(claims, every, loaded, RESULTS)
        print()
        _print_claims(found, known)
        if options.budget:
            print()
            _print_budget(found, known, options, computing, cores, gpu)


def _measure(jobs: Iterable[Job], config: Config) -> None:
    """Time the steps of kinds of runs of which nothing is known on this machine."""
    from pj.plan import history, times
    from pj.workflow import slots

    known, _ = times.known(config, RESULTS)
    every: dict[str, RunSpec] = {}
    for name in dict.fromkeys(job.run for job in jobs if job.rule == "train"):
        spec = config.runs()[name].spec
        if history.size(spec, known.images):
            every.setdefault(history.kind(spec, known.images), spec)
    specs = {
        kind: spec
        for kind, spec in every.items()
        if known.run(spec.run, spec).source in (times.UNKNOWN, times.MODEL)
    }
    uncounted = {history.network(spec, known.images) for spec in every.values()} - known.operations.keys()
    if not specs and not uncounted:
        print("Nothing to measure: each run's time is known here, or its dataset must be prepared first.\n")
        return
    with slots.held(config.settings.device):
        from pj.plan import measure  # loads torch

        if uncounted:
            measure.count(every, known.images, RESULTS)
            print(f"Counted the operations of {counted(len(uncounted), 'network')}.")
        if specs:
            print(f"Timing {counted(len(specs), 'kind')} of runs:")
        settings = config.settings
        found = measure.measure(
            specs, known.images, RESULTS, device=settings.device, threads=settings.threads, seconds=SECONDS
        )
        if left := len(specs) - len(found):
            print(f"{counted(left, 'kind')} left, whose operations are counted: `pj plan --measure` goes on.")
        print()


SECONDS = 120.0  # of measuring


def _print_left(jobs: Sequence[Job], known: Times, where: str) -> None:
    """Print one row per study and analysis."""
    from pj.plan import times

    parts: dict[str, list[Job]] = {}
    for job in jobs:
        if job.rule in ("train", "evaluate", "measure"):
            for part in job.part:
                parts.setdefault(part, []).append(job)
    rows, shared = [], Counter(job for own in parts.values() for job in own)
    for part, own in parts.items():
        work = [job for job in own if job.rule != "evaluate"] or own
        found = [known.job(job) for job in work]
        seconds = [one.seconds for one in found if one.seconds is not None]
        unknown = len(found) - len(seconds)
        took = duration(sum(seconds)) if seconds else "?"
        sources = Counter(one.source for one in found)
        kinds = Counter(job.rule for job in work)
        words = {"train": "run", "measure": "measurement", "evaluate": "evaluation"}
        rows.append(
            (
                part,
                ", ".join(counted(n, words[rule]) for rule, n in kinds.items()),
                f"{took} + {unknown} unknown" if unknown and seconds else took,
                ", ".join(name for name, _ in sources.most_common()),
            )
        )
    print(f"Left to run ({where}):{'' if rows else ' tables and pages'}\n")
    if rows:
        print_table(("study or analysis", "jobs", "time", "known from"), rows)
    if several := sum(n > 1 for job, n in shared.items() if job.rule == "train"):
        print(f"\n{counted(several, 'run')} of several studies: below, each counts once.")
    specs = [known.spec(job.run) for job in jobs if job.rule == "train"]
    if unseen := sorted({spec.data.name for spec in specs} - known.images.keys()):
        files = " ".join(f"{RESULTS}/data/{label}.npz" for label in unseen)
        print(f"\nThe images of {', '.join(unseen)} must be prepared first: snakemake --cores 1 -- {files}")
    elif any(known.job(job).source in (times.UNKNOWN, times.MODEL) for job in jobs if job.rule == "train"):
        print("\n`pj plan --measure` times a few steps of each network where no time is known.")
        print("It also counts operations, from which the times of other networks and machines follow.")


def _print_sum(jobs: Sequence[Job], known: Times, config: Config, computing: int, cores: int) -> None:
    """Print the whole: jobs, time, disk, downloads."""
    from pj.plan import space, times

    found = [(job, known.job(job).seconds) for job in jobs]
    timed = [(job, seconds) for job, seconds in found if seconds is not None]
    together = duration(times.side_by_side(timed, computing, cores))
    work = duration(sum(seconds for _, seconds in timed))
    rules = Counter(job.rule for job in jobs)
    print(f"\n{len(jobs)} jobs: {', '.join(f'{n} {rule}' for rule, n in rules.most_common())}")
    if unknown := len(found) - len(timed):
        print(f"Time: not known for {counted(unknown, 'job')}; the others {together} ({work} of work)")
    else:
        print(f"Time: {together} ({work} of work)")
    megabytes, without = space.disk(jobs, config, RESULTS)
    note = f" (without {without} runs of unknown size)" if without else ""
    download = space.in_words(space.download(jobs, config, RESULTS))
    print(f"Disk: {space.in_words(megabytes)}{note}; to download: {download}")


def _print_claims(found: Sequence[Open], known: Times) -> None:
    """Print one row per claim."""
    from pj.claims import power
    from pj.plan.claims import OPEN

    rows = []
    for one in found:
        lacking = [known.job(job).seconds for job in one.lacking]
        there = [seconds for seconds in lacking if seconds is not None]
        runs = sum(job.rule == "train" for job in one.lacking)
        took = "" if not lacking else duration(sum(there)) if len(there) == len(lacking) else "?"
        needed, assumed = "", ""
        if one.needed and one.verdict in (OPEN, "inconclusive"):
            needed = str(one.needed.seeds or f"> {power.MOST}")
            assumed = f"{one.needed.effect:+.3g}, spread {one.needed.spread:.2g} ({one.needed.why})"
        rows.append(
            (str(one.found.claim.id), one.verdict, str(runs or ""), took, str(one.seeds), needed, assumed)
        )
    print("Claims: what they lack, and how many seeds a verdict needs with a power of 80 %\n")
    print_table(("#", "verdict so far", "runs left", "time", "seeds", "needed", "assumed"), rows)


def _print_budget(
    found: Sequence[Open],
    known: Times,
    options: argparse.Namespace,
    computing: int,
    cores: int,
    gpu: bool,
) -> None:
    """Print which claims to settle in the time that is given, and the command."""
    from pj.plan import claims, times

    def seconds(jobs: Iterable[Job]) -> float | None:
        each = [(job, known.job(job).seconds) for job in jobs]
        if any(one is None for _, one in each):
            return None
        return times.side_by_side([(job, one) for job, one in each if one is not None], computing, cores)

    chosen = claims.within(found, seconds, options.budget)
    if not chosen:
        costs = [cost for one in found if one.lacking and (cost := seconds(one.lacking)) is not None]
        if costs:
            why = f"the cheapest claim takes {duration(min(costs))}"
        elif any(one.lacking for one in found):
            why = "how long their runs take is not known here; `pj plan --measure` times a few steps of each"
        else:
            why = "none lacks runs"
        raise UserError(f"--budget {duration(options.budget)} settles no claim: {why}")
    total = sum(cost for _, cost in chosen)
    expected = sum(one.chance for one, _ in chosen)
    times_said = f"{duration(total)} of {duration(options.budget)}"
    print(f"{counted(len(chosen), 'claim')} in {times_said}; verdicts expected: {expected:.1f}\n")
    rows = [(str(one.found.claim.id), f"{100 * one.chance:.0f} %", duration(cost)) for one, cost in chosen]
    print_table(("claim", "chance of a verdict", "time it adds"), rows)
    jobs = dict.fromkeys(job for one, _ in chosen for job in one.lacking)
    files = f" --configfile {shlex.join(map(str, options.configfile))}" if options.configfile else ""
    gpus = f" --resources gpu={computing}" if gpu else ""
    print(
        f"\nsnakemake --cores {cores}{gpus} --keep-going{files} -- \\\n  "
        + " \\\n  ".join(claims.targets(jobs))
    )
    print("\n`pj plan` then shows the verdicts.")
