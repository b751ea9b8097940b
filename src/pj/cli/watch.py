"""pj watch: the progress of all runs in training."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from pj.cli.common import RESULTS
from pj.durations import duration
from pj.files import json_of
from pj.workflow.running import alive

EXAMPLES = {
    "pj watch": "refreshed every two seconds, until Ctrl-C",
    "pj watch --once": "once, for scripts",
}

FIRST = 0.005  # share of a run before which the time left would be a guess


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--once", action="store_true", help="print once instead of every two seconds")


def run(options: argparse.Namespace) -> None:
    """Print the progress once, or every two seconds."""
    while True:
        lines = progress_lines(RESULTS / ".progress", time.time())
        if options.once or not sys.stdout.isatty():
            print("\n".join(lines))
            return
        print("\x1b[2J\x1b[H" + "\n".join(lines), flush=True)
        try:
            time.sleep(2)
        except KeyboardInterrupt:
            return


def progress_lines(folder: Path, now: float) -> list[str]:
    """Return one line per run in training, from the progress files that they write."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        p = json_of(path)
        if not p.keys() >= {"run", "seed", "epoch", "epochs", "step", "steps", "seconds", "time", "last"}:
            continue  # it has just ended
        done = (p["epoch"] + p["step"] / p["steps"]) / p["epochs"]
        bar = "█" * round(20 * done)
        left = p["seconds"] * (1 - done) / done if done > FIRST else float("nan")
        last = p["last"].get("test_accuracy")
        parts = [
            f"{p['run']:40} seed {p['seed']:<3} {bar:20} {100 * done:5.1f} %",
            f"epoch {p['epoch'] + 1}/{p['epochs']}",
            *([] if last is None else [f"test {last:.2f} %"]),
            f"{duration(left)} left"
            if alive(p, now)
            else f"no update for {now - p['time']:.0f} s (killed or stuck?)",
        ]
        lines.append("  ".join(parts))
    return lines or ["no run is in training"]
