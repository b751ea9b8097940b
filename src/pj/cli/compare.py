"""pj compare: two variants, by their settings, accuracies and learning curves."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pj import files
from pj.cli.common import RESULTS, load, note_outdated, outdated, print_table, study_of
from pj.config.loading import Config
from pj.config.messages import choice_fault
from pj.config.settings import Reported, Scale, Study, Variant, runs_of
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.files import json_of
from pj.runs import places, records

EXAMPLES = {
    "pj compare loss/mse loss/cross_entropy": "two variants of a study",
    "pj compare mnist-lenet-3d8f mnist-lenet-7910": "two runs by their names, as in results/runs",
    "pj compare loss/mse loss/cross_entropy --figure curves.pdf": "the curves as PDF",
}
ACCURACIES = """Means over seeds ± half their 95 % intervals. Differences are paired by seed;
p is that of a t test of them, not adjusted for other comparisons."""
FORMATS = (".png", ".svg", ".pdf")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    for name, number in (("a", "first"), ("b", "second")):
        text = f"the {number} variant: study/variant, or the name of its run, as far as it is unique"
        parser.add_argument(name, metavar=name.upper(), help=text).completer = variants  # type: ignore[attr-defined]
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="where the learning curves go: a .png, .svg or .pdf file (default: below results/comparisons)",
    )


def variants(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return all variants as study/variant, for completion; none of a faulty configuration."""
    try:
        return [f"{variant.study}/{variant.name}" for variant in load(parsed_args).variants]
    except UserError:
        return []


def run(options: argparse.Namespace) -> None:
    """Print the comparison and draw the curves."""
    from pj.report.tables import comparison, studies  # loads pandas

    if options.figure and options.figure.suffix not in FORMATS:
        raise UserError(f"--figure {options.figure}; allowed: a name that ends in {', '.join(FORMATS)}")
    loaded, runs = load(options), RESULTS / "runs"
    a, b = (named(name, loaded, runs) for name in (options.a, options.b))
    if a.spec.run == b.spec.run:
        print(f"No setting differs: {a.title} and {b.title} are the same run, {a.spec.run}.")
        return
    found = studies.collect(comparison.study(a, b), runs)
    print_table(("setting", a.title, b.title), comparison.settings(a, b))
    print()
    headings = ("test accuracy (%)", a.title, b.title, "difference", "p", "common seeds")
    print_table(headings, list(comparison.accuracies(found)))
    print(ACCURACIES)
    if rows := comparison.by_image(found, runs):
        print("\nTest images that only one of the two networks classifies correctly, McNemar's test:")
        print_table(("seed", f"only {a.title}", f"only {b.title}", "p"), rows)
    print()
    for line in comparison.left_out(found):
        print(line)
    _draw(found.study, runs, options.figure)
    for doubt in comparison.doubts(found, runs):
        print(f"\n**{doubt}**.")
    note_outdated(outdated(Config(loaded.settings, (a, b))))


def _draw(study: Study, runs: Path, chosen: Path | None) -> None:
    """Draw the curves of what has finished, and say where."""
    from pj.report.figures import curves, style  # load Matplotlib

    folders = [places.folder(runs, *run) for run in runs_of(study.variants)]
    if all(records.state(folder) == "missing" for folder in folders):
        return
    names = "--".join(variant.title.replace("/", ".") for variant in study.variants)
    path = chosen or RESULTS / "comparisons" / f"{names}.png"
    files.check_writable(path.parent, "the figure goes")
    extension = path.suffix.removeprefix(".")
    style.save(curves.draw(study, runs), path.with_suffix(""), {extension: style.FORMATS["png"]})
    print(f"Learning curves: {path}")


def named(name: str, config: Config, runs: Path) -> Variant:
    """Return the variant that is called ``name``: study/variant, or the one run that begins so.

    A run of another configuration is found by its record; its scale is unknown. UserError if there is none.
    """
    of_studies = {f"{variant.study}/{variant.name}": variant for variant in config.variants}
    if name in of_studies:
        return _titled(of_studies[name], name)
    study, slash, variant = name.partition("/")
    if slash:
        known = [v.name for v in study_of(config, study).variants]
        raise UserError(choice_fault(("variant",), variant, known))
    there = {v.spec.run: v for v in config.variants}
    names = sorted({*there, *(path.parent.parent.name for path in runs.glob(f"*/seed*/{records.RUN}"))})
    found = [run for run in names if run == name] or [run for run in names if run.startswith(name)]
    if len(found) > 1:
        shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise UserError(f"{name!r} is the beginning of {len(found)} runs: {shown}; write more of the name")
    if not found:
        (near,) = difflib.get_close_matches(name, [*of_studies, *names], n=1, cutoff=0)
        raise UserError(f"unknown variant or run {name!r}. Did you mean {near!r}? `pj runs` lists all")
    (run,) = found
    if run not in there:
        return _recorded(runs / run)
    seeds = config.runs()[run].seeds
    return _titled(there[run], run).model_copy(update={"seeds": seeds})


def _titled(variant: Variant, title: str) -> Variant:
    return variant.model_copy(update={"name": title, "title": title})


def _recorded(folder: Path) -> Variant:
    """Return the variant of a run that no study of this configuration names."""
    seeds = {path.parent.name.removeprefix("seed"): path for path in folder.glob(f"seed*/{records.RUN}")}
    there = {int(seed): path for seed, path in seeds.items() if seed.isdecimal()}  # no copies
    if not there:
        raise UserError(f"{folder} holds no finished run of a seed (seed0, seed1, …)")
    try:
        spec = RunSpec.model_validate(json_of(next(iter(there.values())))["spec"])
    except (KeyError, ValidationError):
        raise UserError(f"{folder} was written by another version of pj and cannot be read") from None
    return Variant(
        study="",
        name=folder.name,
        title=folder.name,
        spec=spec,
        seeds=tuple(sorted(there)),
        scale=Scale(name="unknown"),
        reported=Reported(),
    )
