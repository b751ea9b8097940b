"""pj export: learning curves and settings of finished runs for TensorBoard or MLflow."""

from __future__ import annotations

import argparse
from pathlib import Path
from pkgutil import resolve_name

from pj import files
from pj.cli.common import RESULTS, load, studies, study_of
from pj.errors import UserError
from pj.report.exports import REGISTRY

EXAMPLES = {
    "pj export tensorboard curves": "all finished runs; then: tensorboard --logdir curves",
    "pj export mlflow tracking --study loss": "those of study loss, into tracking/mlflow.db",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    text = "a package that pj does not need otherwise: pip install tensorboard, or mlflow"
    parser.add_argument("program", choices=tuple(REGISTRY), help=text)
    parser.add_argument("folder", type=Path, help="new, or empty")
    study = parser.add_argument("--study", help="only the runs of this study")
    study.completer = studies  # type: ignore[attr-defined]


def run(options: argparse.Namespace) -> None:
    """Write the runs, and say how to see them."""
    from pj.report.exports import runs

    loaded, folder = load(options), options.folder
    chosen = [options.study] if options.study else list(loaded.settings.studies)
    found = runs.finished([study_of(loaded, name) for name in chosen], RESULTS / "runs")
    if not found:
        raise UserError(f"{RESULTS.absolute()} holds no finished run of {', '.join(chosen)}")
    files.check_writable(folder, "the export goes")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; choose a new folder, or delete this one to export again")
    try:
        shown = resolve_name(REGISTRY[options.program])(found, folder)
    except ModuleNotFoundError as error:
        library, extra = str(error.name).split(".")[0], f"pip install {options.program}"
        raise UserError(f"{library} is not installed; it is an optional extra: {extra}") from None
    print(f"{len(found)} runs written to {folder}; to see them: {shown}")
