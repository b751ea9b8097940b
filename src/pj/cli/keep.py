"""pj keep: the tables and figures of all that is finished, with provenance."""

from __future__ import annotations

import argparse
from pathlib import Path

from pj import files
from pj.cli.common import RESULTS, load, note_outdated, outdated
from pj.errors import UserError

EXAMPLES = {
    "pj keep reference/my-machine": "everything finished of config.yaml",
    "pj keep reference/smoke --configfile config.smoke.yaml": "of config.yaml with an overlay",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", type=Path, help="where to copy to, such as reference/<machine>")


def run(options: argparse.Namespace) -> None:
    """Copy what is finished into a folder."""
    from pj.report.pages.keep import keep  # loads pandas

    files.check_writable(options.folder, "what is kept goes")
    loaded = load(options)
    late = outdated(loaded)
    kept = keep(loaded, RESULTS, options.folder, [f"When this was kept, {text}." for text in late.values()])
    if not kept:
        raise UserError(
            f"{RESULTS.absolute()} holds no finished run of this configuration; check --configfile"
        )
    print(f"kept in {options.folder}: {', '.join(kept)}")
    note_outdated(late)
