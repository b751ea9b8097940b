"""What several commands share."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pj import config
from pj.config.loading import Config, ConfigError
from pj.config.messages import choice_fault
from pj.config.settings import Study, runs_of
from pj.errors import UserError

RESULTS = Path("results")
DAMAGED = "damaged or edited since"


def usable_cores() -> int:
    """Return how many CPU cores this process may use; all of them where the system does not say (macOS)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load(options: argparse.Namespace, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return config.yaml with the overlays, and the values of the command line, that were given."""
    try:
        return config.load("config.yaml", *options.configfile, overrides=overrides)
    except ConfigError:
        if Path("config.yaml").is_file():
            raise
        where = "there is no config.yaml here"
        raise UserError(
            f"{where}: go to the folder of a project, or write one with `pj init FOLDER`"
        ) from None


def note_others(count: int) -> None:
    """Say how many finished runs another configuration names."""
    if count:
        runs = "1 finished run is" if count == 1 else f"{count} finished runs are"
        print(f"{runs} of another configuration (see --configfile)")


def outdated(loaded: Config, study: str | None = None) -> dict[str, str]:
    """Return how many runs other code or data made than today's, and how many were edited: by reason."""
    from pj.workflow import verify

    late = verify.outdated(loaded, RESULTS)
    late |= dict.fromkeys(verify.damaged(loaded, RESULTS), DAMAGED)
    if study:
        own = set(runs_of(loaded.study(study).variants))
        late = {key: reason for key, reason in late.items() if key in own}
    counts = Counter(late.values()).items()
    return {reason: f"{'1 run was' if n == 1 else f'{n} runs were'} {reason}" for reason, n in counts}


def note_outdated(found: dict[str, str]) -> None:
    """Say below a table what `outdated` found."""
    for reason, text in found.items():
        remedy = "" if reason == DAMAGED else ", `snakemake` trains them again"
        print(f"\n**{text}**: `pj verify` lists them{remedy}.")


def also_argument(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add the other configurations whose results share the folder."""
    parser.add_argument(
        "--also",
        action="append",
        nargs="+",
        default=[],
        type=Path,
        metavar="FILE",
        help=f"overlays of another configuration, whose results are {meaning}; may be repeated",
    )


def also(options: argparse.Namespace) -> list[Config]:
    """Return these configurations, each config.yaml with its overlays."""
    return [config.load("config.yaml", *files) for files in options.also]


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns below a header."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def study_of(loaded: Config, name: str) -> Study:
    """Return a study; for an unknown name, UserError lists the studies."""
    if name not in loaded.settings.studies:
        raise UserError(choice_fault(("study",), name, loaded.settings.studies))
    return loaded.study(name)


def study_argument(parser: argparse.ArgumentParser) -> None:
    """Add the name of a study, which a shell completes."""
    study = parser.add_argument("study", help="a study of the configuration")
    study.completer = studies  # type: ignore[attr-defined]


def studies(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of studies, for completion; none of a faulty configuration."""
    try:
        return list(load(parsed_args).settings.studies)
    except UserError:
        return []


def variants(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of the variants of the study that was given, for completion."""
    try:
        return [variant.name for variant in study_of(load(parsed_args), parsed_args.study).variants]
    except UserError:
        return []
