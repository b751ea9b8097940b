"""report.md: the scorecard, all tables and all figures in one page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from pj import files
from pj.claims.verdicts import Judgement
from pj.config.analyses import ANALYSES
from pj.config.settings import Study
from pj.config.words import Words
from pj.report.pages.source import Source
from pj.report.tables import claims, classes
from pj.report.text import caveats, overview
from pj.report.text.captions import OF_STUDIES
from pj.report.text.labels import reduced, study_label
from pj.report.text.sheet import plain

INTRODUCTION = """\
# Report

{whose}{scope}

{overview}

Test accuracies are in percent. *Last epoch* and *best validation* do not use the test set; *best test
epoch* does, as some papers do. A diverged run counts as a result: it is named, and left out of means.
Seconds are the wall time of a run, including its measurements after each epoch.
"""
REDUCED = """\
**Everything here was measured at {label}, which is too small for conclusions about the paper's numbers.**"""
MIXED = """\
Studies at a reduced scale are marked above their table; their numbers cannot be compared with the paper's."""
MEASURED = """\
## How it was measured

{assumptions}
- Each study's runs are in its `runs.csv`, one row per run.
"""
PATHS = """\
DessiLBI trains, beside the weights W, a sparse copy Γ that begins at zero; a unit is in the support once
its Γ is not zero. Shown are the share of each layer's units in the support (filters of convolutions,
single weights of linear layers), and the absolute weights of one layer in each variant.
"""
CLAIMS = """\
## Claims

Each claim is tested by the runs below. Differences are paired by seed, with 95 % t intervals and Holm's
adjustment within a study; *equivalent* means that both one-sided tests pass. Results at a reduced scale
decide only claims that do not depend on the scale; their notes say so. `report.html`, in the same folder,
shows the evidence of each claim.
"""
PROBES = {
    "loss_range": """\
The range of the loss L along a line from the weights W: the lowest to the highest L(W + step · direction)
over the step sizes, on the training batch of that step, with batch norm in train mode.
""",
    "predictiveness": """\
How well the gradient g at the weights W predicts the gradient further along a line: the range of
‖∇L(W + step · direction) − g‖ over the step sizes.
""",
    "beta": """\
The largest ‖∇L(W + step · direction) − g‖ / ‖step · direction‖ over the step sizes: how fast the gradient
changes with the distance moved (effective β-smoothness).
""",
    "ics": """\
Internal covariate shift of a layer: how much its gradient changes, from G to G', when the layers *before*
it are updated. Batch norm by itself changes the norm of a gradient, so the shift relative to ‖G‖ and the
cosine of G and G' are given as well.
""",
}


def write(judgements: Sequence[Judgement], sources: Sequence[Source], words: Words, output: Path) -> None:
    """Write the report from the tables of the sources, with links to the figures beside them."""
    parts = [
        INTRODUCTION.format(
            whose=_ended(words.introduction), scope=_scope(sources), overview=_overview(judgements, sources)
        )
    ]
    if judgements:
        parts += [CLAIMS, claims.sheet(judgements, sources).markdown()]
    if doubts := caveats.doubts(judgements, sources):
        parts.append("## Caveats\n\n" + "".join(f"- {doubt}\n" for doubt in doubts))
    for source in sources:
        level = "##"
        if source.name:
            parts.append(f"## {source.name}\n")
            level = "###"
        parts += _source(source, words, level, output.parent)
    if words.assumptions:
        parts.append(MEASURED.format(assumptions=words.assumptions.strip()))
    files.write_text(output, "\n".join(parts))


def _overview(judgements: Sequence[Judgement], sources: Sequence[Source]) -> str:
    """Return how many claims held, and what was run, in a few lines."""
    standing, rest = overview.standing(judgements)
    held = [f"**{standing}**" + (f" ({rest})." if rest else ".")] if standing else []
    facts = [f"- {key}: {value}" for key, value in overview.facts(sources).items()]
    return "\n".join([*held, "", *facts]).strip()


def _ended(text: str) -> str:
    """Return a text with a space behind it, if there is one."""
    return f"{text.strip()} " if text.strip() else ""


def _scope(sources: Sequence[Source]) -> str:
    """Return what everything on the page has in common: its data and scale."""
    studies = [study for source in sources for study in _studies(source)]
    labels = dict.fromkeys(study_label(study) for study in studies)
    if studies and all(reduced(study) for study in studies):
        return REDUCED.format(label="; ".join(labels))
    if len(labels) == 1:
        return f"All of it on {next(iter(labels))}."
    return (
        MIXED
        if any(reduced(study) for study in studies)
        else "All studies are at full scale: nothing is reduced."
    )


def _studies(source: Source) -> list[Study]:
    """Return the studies that have a table."""
    names = source.config.settings.studies
    return [source.config.study(n) for n in names if (source.folder / "studies" / n / "table.md").is_file()]


def _source(source: Source, words: Words, level: str, page: Path) -> Iterator[str]:
    """Yield what a source holds: studies, then the analyses of their finished runs."""
    for study in _studies(source):
        yield from _study(study, source, words.notes.get(study.name, ""), level, page)
    for key, analysis in ANALYSES.items():
        frames = source.config.analyses(key)
        there = [name for name in frames if (source.folder / key / name / "table.md").is_file()]
        if there:
            yield f"{level} {analysis.title}\n\n{analysis.text}"
        for name in there:
            folder, frame = source.folder / key / name, frames[name]
            yield _headed(f"{level}# {plain(frame.title)}", frame.report, folder / "table.md")
            for figure, declared in analysis.figures.items():
                yield _image(f"{frame.title}: {declared.shows}", folder / f"{figure}.png", page, source)
    modes = source.folder / "modes" / "table.md"
    if source.config.settings.modes and modes.is_file():
        yield f"{level} train() and eval()\n\n{_table(modes)}"


def _study(study: Study, source: Source, note: str, level: str, page: Path) -> Iterator[str]:
    folder = source.folder / "studies" / study.name
    yield _headed(f"{level} {plain(study.title)}", study.report, folder / "table.md")
    by_class = folder / f"{classes.NAME}.md"
    if by_class.is_file():
        yield f"[Accuracy by class]({_link(by_class, page)})\n"
    curves = f"{study.title}: {OF_STUDIES['curves']}"
    yield _image(curves, folder / "curves.png", page, source)
    if study.swept:
        yield _image(f"{study.title}: {OF_STUDIES['sweep']}", folder / "sweep.png", page, source)
    if study.probes:
        yield PROBES[study.probes.show] + note
        note = ""
        yield _table(folder / "probes_table.md")
        networks = f"{study.title}: with batch norm (blue, solid) and without (orange, dashed)"
        yield _image(networks, folder / "probes.png", page, source)
    if study.path:
        yield PATHS
        shown = f"{study.title}: {OF_STUDIES['path']}"
        yield _image(shown, folder / "path.png", page, source)
        shown = f"{study.title}: weights of {study.path.weights_of}, one picture per variant"
        yield _image(shown, folder / "weights.png", page, source)
    if note:
        yield note


def _headed(heading: str, report: str, table: Path) -> str:
    where = f"Report {plain(report)}. " if report else ""
    return f"{heading}\n\n{where}{_table(table)}"


def _table(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _image(text: str, path: Path, page: Path, source: Source) -> str:
    """Return a link to a figure; of what was kept only if it is there: in results it may be drawn later."""
    if source.kept and not path.is_file():
        return ""
    return f"![{plain(text)}]({_link(path, page)})\n"


def _link(path: Path, page: Path) -> str:
    return quote(Path(os.path.relpath(path, page)).as_posix())
