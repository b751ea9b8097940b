"""report.md: the scorecard, all tables and all figures in one page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from pj import files
from pj.claims.verdicts import Judgement
from pj.config.settings import Study
from pj.report.pages.source import Source
from pj.report.tables import claims
from pj.report.text import caveats
from pj.report.text.captions import FIGURES
from pj.report.text.labels import reduced, study_label

INTRODUCTION = """\
# Report

{whose}{scope}

Test accuracies are in percent. *Last epoch* and *best validation* are honest choices; *best test epoch*
is shown only to stand beside numbers that were chosen so. A diverged run is a result: it is named, and no
mean contains it. Seconds are wall time of a run with its measurements after each epoch.
"""
REPORTS = "The studies of two course reports on CIFAR-10 and MNIST, trained anew. "
REDUCED = "**All of it at {label}: too small to say anything about the reports' numbers.**"
MIXED = "Reduced studies say so above their table; they are too small to be compared with the reports."
ASSUMPTIONS = """\
## How it was measured

- Report A trains on all training images and prints its best *test* epoch. Its seconds are CPU seconds of
  another machine, so only ratios between its rows compare.
- Report B's text leaves out its split, augmentation and layer order. Assumed, at full scale: 40,000 /
  10,000 / 10,000 by position; no augmentation; report A's channel means and deviations; the layers
  linear-BN-ReLU-dropout and conv-BN-ReLU-dropout-pool.
- *Train, running* is the accuracy during the epoch, dropout on, as report B prints it; *train, clean* is
  the selected network in eval mode.
- Report A's batch norm studies: assumed no augmentation, mean and deviation 0.5, momentum 0.9, and Adam for
  the learning rates of its 2.1. Trained and probed in fp32, on the batch of the step, every 30 steps.
- Report A's DessiLBI studies: assumed MNIST's pixels in [0, 1], CIFAR-10 with mean and deviation 0.5, no
  augmentation.
- Each study's runs, a row each, stand in its `runs.csv`.
"""
PATHS = """\
DessiLBI carries beside the weights W a sparse Γ, which begins at zero; a unit is in the support once its Γ is
not. Below: the share of each layer's units in the support (filters of convolutions, single weights of linear
layers), and the absolute weights of one layer beside those of the rivals.
"""
PRUNINGS = """\
Units are removed from the selected network, which is not trained again, and the test set is measured once.
*Last selected first* goes by the epoch at which a unit's Γ first was not zero, those never selected before
all others, then by the norms of Γ and of W. *Smallest first* goes by the weights alone, which needs no
DessiLBI, and *at random* is what any order must beat. A removed filter takes its bias with it and the scale
and shift of its batch norm; the narrowed network, without the removed filters, computes the same.
"""
CLAIMS = """\
## Claims

Each claim against the runs below. Differences are paired by seed, with 95 % t intervals and
Holm's adjustment within a study; *equivalent* when both one-sided tests pass. What was measured at a reduced
scale confirms and refutes nothing. `report.html` beside this page opens each claim to its evidence.
"""
INTERPRETATIONS = """\
The selected network on test images, in eval mode. *Feature maps*: the first three channels of a layer.
*Grad-CAM* (Selvaraju et al. 2017) at a layer: its maps, weighted by the mean gradient of the predicted
class's logit, summed and cut at zero, enlarged to the image; scaled to a maximum of 1 for looking at, the
contour at one half. A picture convinces too easily, so two tests stand beside it. *Deletion*: pixels are
replaced by the mean colour, the most important ones first; a map that shows what the network uses makes the
probability of the class fall faster (a smaller area) than the maps of other images, or random maps of the
same grid. *Randomised weights*: the rank correlation with the map of a network whose weights are shuffled,
from the last layer back to the first; a map that stays the same does not depend on what was learnt.
"""
LANDSCAPES = """\
The training loss around the selected weights, batch norm's statistics as trained. Directions are random and
filter-normalised (Li et al. 2018): Gaussian, scaled filter by filter to the weights' norms, zero on biases
and batch norm; every network sees the same draw. The eigenvalue is of the Hessian with respect to all
parameters; networks that compute the same can differ in it (a kernel before batch norm and its running mean
and deviation, all times c), so between networks with and without batch norm it says less than the slices.
"""
ROOMS = {  # of what is measured of finished runs: heading, text and figures
    "prunings": ("Pruning", PRUNINGS, ("pruning",)),
    "interpretations": ("Looking inside", INTERPRETATIONS, ("image", "sheet", "tests")),
    "landscapes": ("Landscape of finished networks", LANDSCAPES, ("landscape",)),
}
PROBES = {
    "loss_range": """\
How far the loss L ranges along a line from the weights W of one training run: the lowest to the highest
L(W + step · direction) over the step sizes, on the batch of that step, batch norm in train mode. *As
reported*: the range of the training loss over separate runs at several learning rates, which mixes where
the runs are with what the loss looks like there.
""",
    "predictiveness": """\
How true the gradient g at the weights W stays along a line: the range over the step sizes of the distance
‖∇L(W + step · direction) - g‖. Report A gives this name to internal covariate shift, which is another
quantity and stands in its own study.
""",
    "beta": """\
The largest ‖∇L(W + step · direction) - g‖ / ‖step · direction‖ over the step sizes: how fast the gradient
changes per distance moved. *As reported*: divided by the step size alone, along -g, so that a network with
small gradients looks smooth.
""",
    "ics": """\
How far updating the layers *before* a layer changes that layer's gradient, from G to G': its internal
covariate shift. Report A calls this gradient predictiveness. It is not: nothing is moved along the layer's
own gradient. A gradient's norm changes with batch norm by itself, so the shift relative to ‖G‖ and the cosine
stand beside it. *As reported*: its range at the second convolution over runs at several learning rates.
""",
}


def write(judgements: Sequence[Judgement], sources: Sequence[Source], output: Path) -> None:
    """Write the report from the tables of the sources, with links to the figures beside them."""
    of_reports = any(study.report[:2].strip() in ("A", "B") for s in sources for study in _studies(s))
    parts = [INTRODUCTION.format(whose=REPORTS if of_reports else "", scope=_scope(sources))]
    if judgements:
        parts += [CLAIMS, claims.sheet(judgements).markdown()]
    if doubts := caveats.doubts(judgements, sources):
        parts.append("## What to distrust\n\n" + "".join(f"- {doubt}\n" for doubt in doubts))
    for source in sources:
        level = "##"
        if source.name:
            parts.append(f"## {source.name}\n")
            level = "###"
        parts += _source(source, level, output.parent)
    if of_reports:
        parts.append(ASSUMPTIONS)
    files.write_text(output, "\n".join(parts))


def _scope(sources: Sequence[Source]) -> str:
    """Return what everything on the page has in common: its data and scale."""
    studies = [study for source in sources for study in _studies(source)]
    labels = dict.fromkeys(study_label(study) for study in studies)
    if studies and all(reduced(study) for study in studies):
        return REDUCED.format(label="; ".join(labels))
    return f"All of it on {next(iter(labels))}." if len(labels) == 1 else MIXED


def _studies(source: Source) -> list[Study]:
    """Return the studies that have a table."""
    names = source.config.settings.studies
    return [source.config.study(n) for n in names if (source.folder / "studies" / n / "table.md").is_file()]


def _source(source: Source, level: str, page: Path) -> Iterator[str]:
    """Yield what a source holds: studies, then what was measured of their finished runs, a room at a time."""
    for study in _studies(source):
        yield from _study(study, source, level, page)
    for room, (title, text, figures) in ROOMS.items():
        frames = getattr(source.config.settings, room)
        there = [name for name in frames if (source.folder / room / name / "table.md").is_file()]
        if there:
            yield f"{level} {title}\n\n{text}"
        for name in there:
            folder = source.folder / room / name
            report = getattr(frames[name], "report", "")
            yield _headed(f"{level}# {_plain(frames[name].title)}", report, folder / "table.md")
            for figure in figures:
                shown = f"{frames[name].title}: {FIGURES[figure]}"
                yield _image(shown, folder / f"{figure}.png", page, source)
    modes = source.folder / "modes" / "table.md"
    if modes.is_file():
        yield f"{level} train() and eval()\n\n{_table(modes)}"


def _study(study: Study, source: Source, level: str, page: Path) -> Iterator[str]:
    folder = source.folder / "studies" / study.name
    yield _headed(f"{level} {_plain(study.title)}", study.report, folder / "table.md")
    curves = f"{study.title}: {FIGURES['curves']}"
    yield _image(curves, folder / "curves.png", page, source)
    if study.probes:
        yield PROBES[study.probes.show]
        yield _table(folder / "probes_table.md")
        networks = f"{study.title}: with batch norm (blue, solid) and without (orange, dashed)"
        yield _image(networks, folder / "probes.png", page, source)
    if study.path:
        yield PATHS
        shown = f"{study.title}: {FIGURES['path']}"
        yield _image(shown, folder / "path.png", page, source)
        shown = f"{study.title}: weights of {study.path.weights_of}, a picture a variant"
        yield _image(shown, folder / "weights.png", page, source)


def _headed(heading: str, report: str, table: Path) -> str:
    where = f"Report {report}. " if report else ""
    return f"{heading}\n\n{where}{_table(table)}"


def _table(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _image(text: str, path: Path, page: Path, source: Source) -> str:
    """Return a link to a figure; of what was kept only if it is there: in results it may be drawn later."""
    if source.kept and not path.is_file():
        return ""
    return f"![{_plain(text)}]({quote(Path(os.path.relpath(path, page)).as_posix())})\n"


def _plain(title: str) -> str:
    """Return a title that is no markup and stays on its line."""
    return re.sub(r"([<\[\]])", r"\\\1", " ".join(title.split()))
