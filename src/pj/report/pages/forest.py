"""The forest plot of report.html: where each claim's interval lies, and where it would confirm the claim.

All claims of a unit share an axis of the measured values. Differences and ratios are linear near no effect
and logarithmic far from it (asinh), so that both 0.1 and 30 points can be seen; others are linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import asinh, inf, isfinite, log
from typing import Any

from pj.claims import units
from pj.claims.schema import Best, Contrast, Diverged, Probed, RankCorrelation
from pj.claims.units import CORRELATION, POINTS, RATIO
from pj.claims.verdicts import Judgement
from pj.durations import counted
from pj.report.tables import claims
from pj.report.text.labels import number

COSINES = "difference of cosines"
RUNS, BOOTSTRAPS = "share of runs", "share of bootstraps"
LINEAR = {RATIO: log(1.5), POINTS: 1.0, COSINES: 0.2}
SHORT = {POINTS: "points", RATIO: "", RUNS: "", BOOTSTRAPS: ""}  # behind a number, which says × or % itself
STEPS = (1.0, 3.0)  # of a decade, for marks along an axis
RATIOS = (
    *(1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9),
    *(1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1e3, 1e4, 1e6),
)
APART = 11.0  # percent of the width, at least, between two marks
CHARACTER = 2.7  # percent of the width of a mark's label
EDGE = 4.0  # percent of the width, left free on both sides
BEYOND = 4  # times the largest value: an interval that goes farther is cut, with an arrow
THIN = 1.0  # percent of the width: half of the narrowest region that is drawn

Span = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """The axis of a unit, of the values themselves.

    ``centre`` is in the middle, ``bound`` the distance from it to either end, ``linear`` the distance within
    which the axis is about linear; distances of ratios are those of their logarithms.
    """

    unit: str
    centre: float
    bound: float
    linear: float

    @property
    def title(self) -> str:
        """Its unit, and the middle if that is not where it is for the unit's other claims."""
        usual = 1.0 if self.unit == RATIO else 0.5 if self.unit in (RUNS, BOOTSTRAPS) else 0.0
        return self.unit if self.centre == usual else f"{self.unit}, around {self.centre:g}"

    def distance(self, value: float) -> float:
        """Return how far a value is from the centre; of a ratio that is not positive minus infinity."""
        if self.unit != RATIO:
            return value - self.centre
        return log(value) - log(self.centre) if value > 0 else -inf

    def place(self, value: float) -> float:
        """Return the place of a value in percent of the width; what lies outside is at the edge."""
        distance = max(-self.bound, min(self.bound, self.distance(value)))
        share = asinh(distance / self.linear) / asinh(self.bound / self.linear)
        return round(50 + (50 - EDGE) * share, 2)

    def marks(self) -> list[tuple[float, str]]:
        """Return the place and label of each mark, from left to right."""
        marks = [(50.0, self._label(self.centre))]
        candidates = [value for value in self._candidates() if abs(self.distance(value)) <= self.bound]
        for value in sorted(candidates, key=lambda value: -abs(self.distance(value))):
            place, label = self.place(value), self._label(value)
            if all(abs(other - place) > _apart(written, label) for other, written in marks):
                marks.append((place, label))
        return sorted(marks)

    def _candidates(self) -> Iterator[float]:
        if self.unit == RATIO:
            yield from RATIOS
        elif self.linear > self.bound:
            yield from (self.centre + share * self.bound for share in (-1, -0.5, 0.5, 1))
        else:
            steps = [step * 10.0**decade for decade in range(-9, 10) for step in STEPS]
            yield from (self.centre + sign * step for step in steps for sign in (-1, 1))

    def _label(self, value: float) -> str:
        if self.unit == RATIO:
            return number(value, "× {:g}")
        if self.unit in (RUNS, BOOTSTRAPS):
            return number(value, "{:.0%}")
        return number(value, "{:g}" if self.centre or not value else "{:+g}")


def _apart(label: str, other: str) -> float:
    return max(APART, CHARACTER * (len(label) + len(other) + 1) / 2)


def groups(judgements: Sequence[Judgement]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the rows of the plot by section, sections in their order within each source paper."""
    axes = {(axis.unit, axis.centre): axis for axis in axes_of(judgements)}
    reports = list(dict.fromkeys(found.claim.report for found in judgements))

    def order(found: Judgement) -> tuple[Any, ...]:
        numbers = tuple(map(int, re.findall(r"\d+", found.claim.section)))
        return reports.index(found.claim.report), numbers, found.claim.section

    ordered = sorted(judgements, key=order)
    by_section = groupby(ordered, key=lambda found: claims.where(found.claim))
    return [(where, [row(found, axes.get(_key(found))) for found in own]) for where, own in by_section]


def axes_of(judgements: Sequence[Judgement]) -> list[Axis]:
    """Return the axes that claims with a number need."""
    keys = dict.fromkeys(_key(found) for found in judgements if found.value is not None)
    return [_axis(*key, [found for found in judgements if _key(found) == key]) for key in keys if key[0]]


def _axis(name: str, centre: float, own: Sequence[Judgement]) -> Axis:
    if bound := {CORRELATION: 1.0, RUNS: 0.5, BOOTSTRAPS: 0.5}.get(name):
        return Axis(name, centre, bound, 10 * bound)  # as good as linear
    scale = Axis(name, centre, 1.0, 1.0)

    def far(numbers: Sequence[float | None]) -> list[float]:
        distances = (abs(scale.distance(number)) for number in numbers if number is not None)
        return [distance for distance in distances if isfinite(distance)]

    margins = [far(margin)[-1] for found in own if (margin := _margin(found))]
    linear = LINEAR.get(name) or max(margins, default=1.0)
    values = [number for found in own for number in (found.value, found.claim.reported, tested(found))]
    largest = max([*far(values), 2 * linear])
    ends = far([end for found in own for end in (found.low, found.high)])
    return Axis(name, centre, max([largest, *(min(end, BEYOND * largest) for end in ends)]), linear)


def _key(found: Judgement) -> tuple[str, float]:
    """Return the unit of a claim's number, and the value in the middle of its axis."""
    name, claim = unit(found), found.claim
    if name in (RUNS, BOOTSTRAPS):
        return name, 0.5
    if isinstance(claim, Contrast) and not claim.ratio and sum(claim.contrast.values()) != 0:
        return name, tested(found) or 0.0  # such as an accuracy itself, which may be near 90
    return name, 1.0 if name == RATIO else 0.0


def unit(found: Judgement) -> str:
    """Return the unit of a claim's number; nothing if it has none."""
    match found.claim:
        case Contrast() as claim:
            return units.of_contrast(claim)
        case Probed():
            return "" if found.value is None else RATIO if found.neutral else COSINES
        case RankCorrelation():
            return CORRELATION
        case Best():
            return BOOTSTRAPS
        case Diverged():
            return RUNS
    return ""


def tested(found: Judgement) -> float | None:
    """Return the value that a claim's is compared with; None for shares."""
    match found.claim:
        case Best() | Diverged():
            return None
        case Contrast(expect="reached", reported=float(paper)):
            return paper
        case Contrast(than=than):
            return than
    return found.neutral


def _margin(found: Judgement) -> Span | None:
    """Return between which values a difference counts as none; None where that is not asked."""
    claim = found.claim
    if not isinstance(claim, Contrast):
        return None
    if claim.ratio:
        return claim.than / (1 + claim.margin), claim.than * (1 + claim.margin)
    return claim.than - claim.margin, claim.than + claim.margin


def claimed(found: Judgement) -> Span | None:
    """Return between which values a measured one lies if the claim is true."""
    claim = found.claim
    match claim:
        case Diverged():
            return (1.0, 1.0) if claim.expect == "all" else (0.0, 0.0)
        case Best():
            return 1 - found.level, 1.0
        case Contrast(expect="same"):
            return _margin(found)
        case Contrast(expect="reached", reported=float(paper)):
            # one run could give the paper's number, or the mean exceeds it
            predicted = found.predicted or (0.0, 2 * claim.margin)
            return paper - (predicted[1] - predicted[0]) / 2, inf
    compared, expect = tested(found), getattr(claim, "expect", "")
    if compared is None or expect not in ("above", "below"):
        return None
    return (compared, inf) if expect == "above" else (-inf, compared)


def row(found: Judgement, axis: Axis | None) -> dict[str, Any]:
    """Return what the page draws of a claim: places in percent of the width, and its numbers in words."""
    claim = found.claim
    drawn: dict[str, Any] = {
        "id": claim.id,
        "statement": claim.statement,
        "verdict": found.verdict,
        "measured": claims.shown(found),
        "pointing": claims.pointing(found),
        "unit": SHORT.get(unit(found), unit(found)),
        "text": text(found),
        **dict.fromkeys(("value", "interval", "reported", "band", "claimed", "tested")),
        "marks": [],
        "cut": (False, False),
    }
    if axis is None:
        return drawn
    drawn["marks"] = [at for at, _ in axis.marks()]
    if found.value is not None and isfinite(axis.distance(found.value)):
        drawn["value"] = axis.place(found.value)
    if claim.reported is not None and isfinite(axis.distance(claim.reported)):
        drawn["reported"] = axis.place(claim.reported)
    if found.low is not None and found.high is not None and drawn["value"] is not None:
        ends = found.low, found.high
        drawn["interval"] = [axis.place(end) for end in ends]
        drawn["cut"] = (axis.distance(found.low) < -axis.bound, axis.distance(found.high) > axis.bound)
    drawn["claimed"] = _region(claimed(found), axis)
    if (compared := tested(found)) is not None:
        drawn["tested"] = axis.place(compared)
    if getattr(claim, "expect", "") in ("above", "below"):
        drawn["band"] = _region(_margin(found), axis)
    return drawn


def _region(span: Span | None, axis: Axis) -> Span | None:
    """Return where a region begins and how wide it is, in percent of the width; open ends reach the edge."""
    if span is None:
        return None
    low, high = (axis.place(end) for end in span)
    low, high = (0.0 if span[0] == -inf else low), (100.0 if span[1] == inf else high)
    if high - low < 2 * THIN:
        low, high = low - THIN, high + THIN
    return low, round(high - low, 2)


def text(found: Judgement) -> str:
    """Return a claim's numbers in words, for pointers and screen readers."""
    measured = claims.shown(found) + claims.pointing(found)
    parts = [
        f"measured {measured}" if measured else "no number",
        *([counted(found.seeds, "seed")] if found.seeds else []),
        *([] if found.claim.reported is None else [f"paper {number(found.claim.reported, '{:g}')}"]),
    ]
    return f"{', '.join(parts)}: {found.verdict}"
