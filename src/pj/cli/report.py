"""pj report: the scorecard with all tables and figures as a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from pj import files
from pj.cli.common import RESULTS, load, note_outdated, outdated
from pj.errors import UserError

EXAMPLES = {
    "pj report": "results/report.html and results/report.md from what is finished",
    "pj report --from reference/laptop reference/cluster": "one page for two machines, copied by pj keep",
    "pj report --from reference/laptop --output page.html": "one file",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--from",
        dest="sources",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="folders that pj keep wrote, such as reference/<machine> (default: results); each is judged "
        "separately, by the claims of the current configuration (--configfile)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="a .html file (self-contained) or a .md file (which links to the figures); default: report.html "
        "and report.md in the folder, or in its parent if there are several",
    )


def run(options: argparse.Namespace) -> None:
    """Write the pages."""
    from pj.claims import looks, verdicts  # load pandas
    from pj.claims.evidence import Evidence
    from pj.claims.loading import of as claims_of
    from pj.config import words
    from pj.report.pages import html, markdown
    from pj.report.pages.source import Source, kept
    from pj.report.tables import claims
    from pj.workflow import verify

    writers = {".html": html.write, ".md": markdown.write}
    if options.output and (options.output.suffix not in writers or options.output.is_dir()):
        raise UserError(f"--output {options.output}; allowed: a file whose name ends in .html or .md")
    folders = sorted(set(options.sources or [RESULTS]))
    several = len(folders) > 1
    place = folders[0].parent if several else folders[0]
    outputs = [options.output] if options.output else [place / "report.html", place / "report.md"]
    files.check_writable(outputs[0].parent, "the page goes")
    loaded = load(options)
    late = {} if options.sources else outdated(loaded)
    sources = (
        [kept(folder, folder.name if several else "") for folder in folders]
        if options.sources
        else [Source(Evidence(RESULTS), loaded, kept=True, notes=tuple(f"{text}." for text in late.values()))]
    )
    if len({source.name for source in sources}) < len(sources):
        raise UserError(f"--from {' '.join(map(str, folders))}; allowed: folders of different names")
    if not options.sources:
        (own,) = sources
        looks.record(RESULTS, claims_of(loaded), own.evidence, loaded)
    judgements = verdicts.judge(claims_of(loaded), [source.evidence for source in sources], loaded)
    for output in outputs:
        writers[output.suffix](judgements, sources, words.of(loaded), output)
    written = " and ".join(map(str, outputs))
    print(f"{claims.headline(judgements)}; written to {written}")
    if not options.sources:
        if missing := verify.without_table(loaded, RESULTS):
            print(f"Not shown, since their tables are missing (`snakemake` makes them): {', '.join(missing)}")
        note_outdated(late)
