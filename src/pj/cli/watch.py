"""pj watch: the progress of all runs, and of those in training."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pj.cli.common import RESULTS, load, usable_cores
from pj.durations import counted, duration

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from pj.plan.progress import Running, Whole

EXAMPLES = {
    "pj watch": "refreshed in place, until Ctrl-C",
    "pj watch --once": "once, for scripts",
    "pj watch --configfile my.yaml": "of config.yaml with an overlay",
}
SHOWN = 5  # failed runs whose logs are named
WIDE = 110  # columns of a terminal from which on a bar and all details fit
REFRESH, SHARE = 2.0, 0.05  # seconds between two looks, and the most of the time that they may take


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--once", action="store_true", help="print once instead of refreshing")


def run(options: argparse.Namespace) -> None:
    """Print the progress once, or refresh it in place until Ctrl-C."""
    from pj.plan import progress, times

    loaded = load(options) if Path("config.yaml").is_file() or options.configfile else None
    known, device = times.known(loaded, RESULTS) if loaded else (None, "")
    cores = usable_cores()
    computing = times.at_once(device, cores, loaded) if loaded else 1

    def look() -> tuple[list[Running], Whole | None]:
        now, whole = time.time(), None
        if loaded and known:
            whole = progress.whole(loaded, RESULTS, known, now, computing=computing, cores=cores)
        found = progress.running(RESULTS / ".progress", now)
        if loaded:  # those of another configuration are no part of the whole
            found = [run for run in found if run.name in loaded.runs()]
        return found, whole

    if options.once or not sys.stdout.isatty():
        print("\n".join(lines(*look())))
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            live.update(shown(*look(), live.console.width), refresh=True)
            took = time.monotonic() - began
            try:
                time.sleep(max(REFRESH, took / SHARE))
            except KeyboardInterrupt:
                return


def lines(running: list[Running], whole: Whole | None) -> list[str]:
    """Return the progress as plain text: one line for all runs, and one per run in training."""
    found = [] if whole is None else _total(whole)
    found += [f"  {' '.join(filter(None, _cells(run)))}" for run in running]
    return found if running else [*found, "no run is in training"]


def shown(running: list[Running], whole: Whole | None, width: int) -> Group:
    """Return the same for a terminal of this width: with bars, or where they do not fit the shares alone."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for run in running:
        name, share, *rest = (_line(cell.strip()) for cell in _cells(run))
        if width < WIDE:
            table.add_row(name, share, rest[-1])
        else:
            table.add_row(name, ProgressBar(total=1.0, completed=run.share, width=20), share, *rest)
    if not running:
        table.add_row("no run is in training")
    return Group(*map(Text, [] if whole is None else _total(whole)), table)


def _line(text: str) -> Text:
    """Return text that a narrow terminal cuts rather than wraps, so that a run keeps its line."""
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")


def _total(whole: Whole) -> list[str]:
    """Return the line for all runs, and the logs of failed ones."""
    total = whole.done + whole.running + whole.waiting + len(whole.failed)
    left = (
        "time left not known (`pj plan` says of what)"
        if whole.left is None
        else f"{duration(whole.left)} left"
    )
    if whole.done == total:
        return [f"all {counted(total, 'run')} done"]
    done = f"{whole.done} of {counted(total, 'run')} done ({100 * whole.done // max(total, 1)} %)"
    rest = f"{whole.running} in training, {whole.waiting} waiting, {len(whole.failed)} failed"
    found = [f"{done}, {rest}; {left}"]
    found += [f"  failed: {log}" for log in whole.failed[:SHOWN]]
    if len(whole.failed) > SHOWN:
        found.append(f"  failed: {len(whole.failed) - SHOWN} more")
    return found


def _cells(run: Running) -> list[str]:
    """Return what is said of a run in training."""
    accuracy = "" if run.accuracy is None else f"test {run.accuracy:.2f} %"
    left = f"{duration(run.left)} left"
    if run.silent is not None:
        left = f"no update for {duration(run.silent)} (killed or stuck?)"
    name, epoch = f"{run.name} seed {run.seed}", f"epoch {run.epoch}/{run.epochs}"
    return [name, f"{100 * run.share:5.1f} %", epoch, accuracy, left]
