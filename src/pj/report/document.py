"""results/report.md: all tables and figures in one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pj import files
from pj.report.labels import reduced, study_label
from pj.settings import Study

INTRODUCTION = """\
# Report

The studies of two course reports on CIFAR-10 and MNIST, trained anew. {scope}

Test accuracies are in percent. *Last epoch* and *best validation* are honest choices; *best test epoch*
is the way report A chose its numbers, shown only to stand beside them. A diverged run is a result: it is
named, and no mean contains it. Seconds are wall time of a run with its measurements after each epoch;
report A's are CPU seconds of another machine, so only ratios between its rows compare.
"""
REDUCED = "**All of it at {label}: too small to say anything about the reports' numbers.**"
MIXED = "Reduced studies say so above their table; they are too small to be compared with the reports."
ASSUMPTIONS = """\
## How it was measured

- Report A trains on all training images and prints its best *test* epoch.
- Report B's text leaves out its split, augmentation and layer order. Assumed, at full scale: 40,000 /
  10,000 / 10,000 by position; no augmentation; report A's channel means and deviations; the layers
  linear-BN-ReLU-dropout and conv-BN-ReLU-dropout-pool.
- *Train, running* is the accuracy during the epoch, dropout on, as report B prints it; *train, clean* is
  the selected network in eval mode.
- Each study's runs, a row each, stand in its `runs.csv`.
"""
PROBES = {
    "loss_range": """\
How far the loss L ranges along a line from the weights W of one training run: the lowest to the highest
L(W + step · direction) over the step sizes, on the batch of that step, batch norm in train mode. *As
reported*: the range of the training loss over separate runs at several learning rates, which mixes where
the runs are with what the loss looks like there.""",
    "predictiveness": """\
How far a gradient g = ∇L(W) stays true along its line: the lowest to the highest ‖∇L(W + step · direction)
- g‖ over the step sizes. Report A gives this name to internal covariate shift, which is another quantity
and stands in its own study.""",
    "beta": """\
The largest ‖∇L(W + step · direction) - g‖ / ‖step · direction‖ over the step sizes: how fast the gradient
changes per distance moved. *As reported*: divided by the step size alone, along -g, so that a network with
small gradients looks smooth.""",
    "ics": """\
How far updating the layers *before* a layer changes that layer's gradient, from G to G': its internal
covariate shift. Report A calls this gradient predictiveness. It is not: nothing is moved along the layer's
own gradient. A gradient's norm changes with batch norm by itself, so the shift relative to ‖G‖ and the cosine
stand beside it. *As reported*: its range at the second convolution over runs at several learning rates.""",
}


def write(studies: Sequence[Study], tables: Path, modes: Path, output: Path) -> None:
    """Write the report from ``tables``/<study>/table.md, the curves beside it, and the table of modes."""
    labels = dict.fromkeys(study_label(study) for study in studies)
    scope = f"All of it on {next(iter(labels))}." if len(labels) == 1 else MIXED
    if all(reduced(study) for study in studies):
        scope = REDUCED.format(label="; ".join(labels))
    parts = [INTRODUCTION.format(scope=scope)]
    for study in studies:
        table = (tables / study.name / "table.md").read_text(encoding="utf-8")
        curves = (tables / study.name / "curves.png").relative_to(output.parent)
        where = f"Report {study.report}. " if study.report else ""
        image = f"![{study.title}: loss and accuracy by epoch, one line a variant]({curves})"
        parts.append(f"## {study.title}\n\n{where}{table}\n{image}\n")
        if study.probes:
            parts.append(_probes(study, tables / study.name, output.parent))
    parts.append("## train() and eval()\n\n" + modes.read_text(encoding="utf-8"))
    parts.append(ASSUMPTIONS)
    files.write_text(output, "\n".join(parts))


def _probes(study: Study, folder: Path, page: Path) -> str:
    assert study.probes is not None
    table = (folder / "probes_table.md").read_text(encoding="utf-8")
    figure = (folder / "probes.png").relative_to(page)
    image = f"![{study.title}: with batch norm (blue, solid) and without (orange, dashed)]({figure})"
    return f"{PROBES[study.probes.show]}\n\n{table}\n{image}\n"
