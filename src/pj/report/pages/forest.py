"""The forest plot of report.html: where each claim's interval lies, on one axis per unit.

All rows share the line of no effect, and lie to its right if they say what was claimed. All claims of a unit
have the same axis: linear near no effect and logarithmic far from it (asinh), so that both 0.1 and 30 points
can be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import asinh, exp, isfinite, log
from typing import Any

from pj.claims.schema import Best, Contrast, Diverged, Probed, RankCorrelation, cells, of_runs
from pj.claims.verdicts import ACCURACIES, Judgement
from pj.config.analyses import ANALYSES
from pj.report.tables import claims
from pj.runs.records import SUPPORT

POINTS, RATIO, CORRELATION, SHARE = "percentage points", "ratio", "correlation", "share"
IN_POINTS = (*ACCURACIES, "validation", "train_running", "train", "gap", "accuracy")
UNITS = {
    "seconds": "seconds",
    "gradients": "gradient evaluations",
    "epochs_to_70": "epochs",
    "step_loss_difference": "loss",
}
STEPS = (1.0, 3.0)  # of a decade, for marks along an axis
RATIOS = (1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1e3, 1e4, 1e6)
APART = 0.22  # of half an axis, between two marks
BEYOND = 4  # times the largest value: an interval that goes farther is cut, with an arrow


@dataclass(frozen=True)
class Axis:
    """The axis of a unit: how far it goes from no effect, and within which distance it is linear."""

    unit: str
    bound: float
    linear: float

    def place(self, distance: float) -> float:
        """Return the place of a distance from no effect, in percent of the width."""
        share = asinh(distance / self.linear) / asinh(self.bound / self.linear)
        return round(50 + 46 * max(-1.0, min(1.0, share)), 2)

    def marks(self) -> list[tuple[float, str]]:
        """Return the place and label of each mark, from left to right."""
        taken: list[tuple[float, float]] = []
        for distance in sorted(self._candidates(), reverse=True):
            place = self.place(distance)
            if place - 50 > 46 * APART and all(other - place > 46 * APART for other, _ in taken):
                taken.append((place, distance))
        right = [(place, self._label(distance)) for place, distance in reversed(taken)]
        left = [(round(100 - place, 2), self._label(-distance)) for place, distance in taken]
        return [*left, (50.0, self._label(0.0)), *right]

    def _candidates(self) -> Iterator[float]:
        if self.unit == RATIO:
            yield from (log(ratio) for ratio in RATIOS if log(ratio) <= self.bound)
        elif self.unit in (CORRELATION, SHARE):
            yield from (self.bound, self.bound / 2)
        else:
            decades = range(-9, 10)
            yield from (s * 10.0**d for d in decades for s in STEPS if s * 10.0**d <= self.bound)

    def _label(self, distance: float) -> str:
        if self.unit == RATIO:
            return f"{'÷' if distance < 0 else '×'} {exp(abs(distance)):.3g}"
        if self.unit == SHARE:
            return f"{distance + 0.5:.0%}"
        return f"{distance:+g}".replace("-", "−") if distance else "0"


def groups(judgements: Sequence[Judgement]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the rows of the plot by section, sections in their order within each source paper."""
    axes = {axis.unit: axis for axis in axes_of(judgements)}
    reports = list(dict.fromkeys(found.claim.report for found in judgements))

    def order(found: Judgement) -> tuple[Any, ...]:
        numbers = tuple(map(int, re.findall(r"\d+", found.claim.section)))
        return reports.index(found.claim.report), numbers, found.claim.section

    ordered = sorted(judgements, key=order)
    by_section = groupby(ordered, key=lambda found: claims.where(found.claim))
    return [(where, [_row(found, axes) for found in own]) for where, own in by_section]


def axes_of(judgements: Sequence[Judgement]) -> list[Axis]:
    """Return an axis for each unit that some claim with a number has."""
    units = dict.fromkeys(unit(found) for found in judgements if found.value is not None)
    return [_axis(name, [found for found in judgements if unit(found) == name]) for name in units if name]


def _axis(name: str, own: Sequence[Judgement]) -> Axis:
    if name in (CORRELATION, SHARE):
        bound = 1.0 if name == CORRELATION else 0.5
        return Axis(name, bound, 10 * bound)  # as good as linear
    values, ends = [], []
    for found in own:
        distance = _distance(found)
        values += [abs(d) for x in (found.value, found.claim.reported) if (d := distance(x)) is not None]
        ends += [abs(d) for x in (found.low, found.high) if (d := distance(x)) is not None]
    margins = [margin for found in own if (margin := _margin(found))]
    linear = log(1.5) if name == RATIO else 1.0 if name == POINTS else max(margins, default=1.0)
    largest = max([*values, 2 * linear])
    return Axis(name, max([largest, *(min(end, BEYOND * largest) for end in ends)]), linear)


def unit(found: Judgement) -> str:
    """Return the unit of a claim's number; nothing if it has none."""
    match found.claim:
        case Contrast() as claim if claim.ratio:
            return RATIO
        case Contrast() as claim:
            cell = cells(claim)[0]
            kind, *_, last = cell.split("/")
            values = () if of_runs(cell) else ANALYSES[kind].cells.values
            quantity = last if len(values) > 1 else values[0] if values else claim.quantity
            if quantity in IN_POINTS or quantity.startswith(SUPPORT):
                return POINTS
            return UNITS.get(quantity, quantity.replace("_", " "))
        case Probed():
            return RATIO if found.neutral else CORRELATION
        case RankCorrelation():
            return CORRELATION
        case Best() | Diverged():
            return SHARE
    return ""


def _distance(found: Judgement) -> Callable[[float | None], float | None]:
    """Return how far a number is from no effect, positive as claimed; of what is not finite None."""
    claim = found.claim
    reached = isinstance(claim, Contrast) and claim.expect == "reached"
    centre = 0.5 if unit(found) == SHARE else claim.reported if reached else _neutral(found)
    sign = -1 if getattr(claim, "expect", "") in ("below", "none") else 1
    into: Callable[[float], float] = log if unit(found) == RATIO else float

    def distance(number: float | None) -> float | None:
        if number is None or centre is None or not isfinite(number):
            return None
        if into is log and number <= 0:
            return None
        return sign * (into(number) - into(centre))

    return distance


def _neutral(found: Judgement) -> float:
    """Return the value of no effect, which a claim without a number has as well."""
    if isinstance(found.claim, Contrast):
        return found.claim.than
    return found.neutral


def _margin(found: Judgement) -> float | None:
    """Return within which distance a difference counts as none; None where that is not asked."""
    claim = found.claim
    if not isinstance(claim, Contrast) or claim.expect == "reached":
        return None
    return log(1 + claim.margin) if claim.ratio else claim.margin


def _row(found: Judgement, axes: dict[str, Axis]) -> dict[str, Any]:
    """Return what the page draws of a claim: places in percent of the width, and its numbers in words."""
    claim, axis = found.claim, axes.get(unit(found))
    row: dict[str, Any] = {
        "id": claim.id,
        "statement": claim.statement,
        "verdict": found.verdict,
        "measured": claims.shown(found),
        "text": text(found),
        "value": None,
        "interval": None,
        "reported": None,
        "band": None,
        "marks": [],
        "cut": (False, False),
    }
    if axis is None:
        return row
    distance = _distance(found)

    def place(number: float | None) -> float | None:
        away = distance(number)
        return None if away is None else axis.place(away)

    row["marks"] = [at for at, _ in axis.marks()]
    row["value"] = place(found.value)
    row["reported"] = place(claim.reported)
    ends = [d for x in (found.low, found.high) if (d := distance(x)) is not None]
    if len(ends) == 2:
        row["interval"] = [axis.place(d) for d in sorted(ends)]
        row["cut"] = (min(ends) < -axis.bound, max(ends) > axis.bound)
    if margin := _margin(found):
        row["band"] = [axis.place(-margin), axis.place(margin)]
    return row


def text(found: Judgement) -> str:
    """Return a claim's numbers in words, for pointers and screen readers."""
    measured = claims.shown(found)
    parts = [
        f"measured {measured}" if measured else "no number",
        *([f"{found.seeds} {'seed' if found.seeds == 1 else 'seeds'}"] if found.seeds else []),
        *([] if found.claim.reported is None else [f"report {found.claim.reported:g}"]),
    ]
    return f"{', '.join(parts)}: {found.verdict}"
