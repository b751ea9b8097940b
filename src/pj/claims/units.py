"""What the values of a claim measure, and in which unit. Imports no torch and no pandas."""

from __future__ import annotations

from pj.claims.schema import Claim, Contrast, cells, of_runs
from pj.config.analyses import ANALYSES
from pj.runs.records import SUPPORT

POINTS = "percentage points"
RATIO = "ratio"
CORRELATION = "correlation"
ACCURACIES = ("last", "selected", "best_test")
IN_POINTS = (*ACCURACIES, "validation", "train_running", "train", "gap", "accuracy")
COUNTED = ("gradients",)  # quantities that a run's settings determine: they are exact
UNITS = {
    **dict.fromkeys(("grad_cam", "other", "random"), "probability"),  # mean area under a deletion curve
    **dict.fromkeys(("first_randomised", "all_randomised"), CORRELATION),
    "loss_at_the_ends": "loss",
    "seconds": "seconds",
    "gradients": "gradient evaluations",
    "epochs_to_70": "epochs",
    "step_loss_difference": "loss",
}


def quantity(claim: Claim, cell: str) -> str:
    """Return what is measured of a cell: the claim's quantity of its runs, or a column of an analysis."""
    if of_runs(cell):
        return str(getattr(claim, "quantity", ""))
    return column(cell)


def column(cell: str) -> str:
    """Return the column of an analysis's table that a cell means."""
    kind, *_, last = cell.split("/")
    values = ANALYSES[kind].cells.values
    return last if len(values) > 1 else values[0]


def exact(claim: Contrast) -> bool:
    """Whether all values of a contrast follow from settings, so that no spread over seeds is known."""
    return all(quantity(claim, cell) in COUNTED for cell in cells(claim))


def of_contrast(claim: Contrast) -> str:
    """Return the unit of a contrast's number: that of its first value, or of a ratio."""
    return RATIO if claim.ratio else of_quantity(quantity(claim, cells(claim)[0]))


def of_quantity(name: str) -> str:
    """Return the unit of a quantity."""
    if name in IN_POINTS or name.startswith(SUPPORT):
        return POINTS
    return UNITS.get(name, name.replace("_", " "))
