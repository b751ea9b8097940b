"""pj clean: what is in results/ that no configuration here names, and deleting it."""

from __future__ import annotations

import argparse
import time

from pj.cli.common import RESULTS, also, also_argument, load
from pj.workflow import unnamed

EXAMPLES = {
    "pj clean": "list what config.yaml does not name; nothing is deleted",
    "pj clean --configfile my.yaml --also config.yaml": "what neither names: my.yaml, config.yaml alone",
    "pj clean --also a.yaml b.yaml --also c.yaml": "kept for a.yaml with b.yaml, and for c.yaml",
    "pj clean --delete": "delete what `pj clean` lists",
}
UNITS = ("B", "kB", "MB", "GB", "TB")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--delete", action="store_true", help="delete what is listed")
    also_argument(parser, "kept, too")


def run(options: argparse.Namespace) -> None:
    """List what is not named, by kind, and delete it if that was asked for."""
    configs = [load(options), *also(options)]
    kinds: dict[str, list[unnamed.Item]] = {}
    for item in unnamed.items(configs, RESULTS):
        if unnamed.in_use(item, RESULTS):
            print(f"in use, kept: {_shown(item)}")
        else:
            kinds.setdefault(item.kind, []).append(item)
    if not kinds:
        print(f"{RESULTS} holds nothing else than what is named")
        return
    totals = []
    for kind, found in kinds.items():
        rows = [(item, item.size, item.date) for item in found]
        for item, size, date in rows:
            line = f"{_size(size):>8}  {_day(date)}  {_shown(item)}"
            if options.delete:
                unnamed.delete(item)
            print(f"deleted {line}" if options.delete else line, flush=True)
            if item.others:
                more = f" and {len(item.others) - 1} more" if item.others[1:] else ""
                print(f"kept, not written by pj: {item.others[0]}{more}")
        days = sorted(date for *_, date in rows if date is not None)
        size = sum(size for _, size, _ in rows)
        dated = f", {_day(days[0])} to {_day(days[-1])}" if days else ""
        totals.append(f"{kind}: {len(rows)}, {_size(size)}{dated}")
    print("\n" + "\n".join(totals))
    if not options.delete:
        print("Nothing was deleted; --delete does. --also FILE keeps what another configuration names.")


def _shown(item: unnamed.Item) -> str:
    path = item.place
    return f"{path} (a link)" if path.is_symlink() else str(path)


def _size(count: float) -> str:
    """Return a number of bytes as people write it: ``12 kB``, ``1.5 GB``."""
    for unit in UNITS:
        if count < 1000 or unit == UNITS[-1]:
            break
        count /= 1000
    return f"{count:.1f} {unit}" if count < 10 and unit != "B" else f"{count:.0f} {unit}"


def _day(date: float | None) -> str:
    """Return a date as ``2026-01-31``; as many spaces if it is not known."""
    return " " * 10 if date is None else time.strftime("%Y-%m-%d", time.localtime(date))
