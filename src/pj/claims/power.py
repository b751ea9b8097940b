"""How many seeds a verdict needs: the power of the tests that judge claims, from the spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from statistics import median, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr, stdtrit

from pj.claims.looks import spent
from pj.claims.schema import Claim, Contrast
from pj.claims.verdicts import Judgement

POWER = 0.8
MOST = 200  # seeds that are considered
NODES = (np.arange(400) + 0.5) / 400  # quantiles over which the unknown standard deviation is averaged


@dataclass(frozen=True)
class Needed:
    """How many seeds a claim needs for a verdict with a power of 80 %; None: more than `MOST`.

    ``effect`` and ``spread`` are what was assumed, ``why`` says where from.
    """

    seeds: int | None
    effect: float
    spread: float
    why: str


def difference(effect: float, spread: float, seeds: int, alpha: float) -> float:
    """Return the power of a two-sided t test of paired differences.

    Args:
        effect: their true mean.
        spread: their true standard deviation over seeds, above zero.
        seeds: number of differences, two or more.
        alpha: level of the test.

    """
    critical = float(stdtrit(seeds - 1, 1 - alpha / 2))
    shift, ratios = effect / spread * seeds**0.5, _deviations(seeds)
    return float(np.mean(ndtr(shift - critical * ratios) + ndtr(-shift - critical * ratios)))


def equivalence(effect: float, spread: float, seeds: int, alpha: float, margin: float) -> float:
    """Return the power of two one-sided t tests (TOST, Schuirmann 1987) against a margin on either side."""
    critical = float(stdtrit(seeds - 1, 1 - alpha))
    error, ratios = spread / seeds**0.5, _deviations(seeds)
    inside = ndtr((margin - effect) / error - critical * ratios) - ndtr(
        -(margin + effect) / error + critical * ratios
    )
    return float(np.mean(np.maximum(inside, 0.0)))


def precision(spread: float, seeds: int, half_width: float) -> float:
    """Return the probability that half a mean's 95 % interval is at most ``half_width``."""
    halves = stdtrit(seeds - 1, 0.975) * spread / seeds**0.5 * _deviations(seeds)
    return float(np.mean(halves <= half_width))


def _deviations(seeds: int) -> NDArray[np.float64]:
    """Return quantiles of the measured standard deviation, divided by the true one."""
    return np.sqrt(chdtri(seeds - 1, 1 - NODES) / (seeds - 1))


def needed(
    found: Judgement, family: int, spreads: Sequence[float] = (), *, before: int = 0, blind: bool = False
) -> Needed | None:
    """Return how many seeds a claim about a difference needs; None for others, or if no spread is known.

    Args:
        found: the claim with its values so far.
        family: number of the study's claims with a p value; the level is divided by it (Holm's strictest).
        spreads: those of other claims, whose median is taken where this one has fewer than two seeds.
        before: with how many seeds it was judged before, which determines the level that is left.
        blind: take no measured difference, since its verdict is not to be seen yet.

    Returns:
        The number, no smaller than that of the seeds there are, and what was assumed.

    The effect is the paper's number if it prints one, else what was measured, else the margin; for a claim of
    sameness none.

    """
    claim = found.claim
    if not isinstance(claim, Contrast):
        return None
    own = [log(v) if claim.ratio else v for v in found.values.values()]
    if len(own) > 1 and stdev(own):
        spread, of = stdev(own), f"spread of its {len(own)} seeds"
    elif spreads and median(spreads) and not claim.ratio:
        spread, of = median(spreads), "spread of other claims"
    else:
        return None
    effect, why = _effect(claim, [] if blind else own)
    power = _power(claim, effect, spread, family)
    for seeds in range(max(2, len(own), before + 1), MOST + 1):
        if power(seeds, spent(seeds) - spent(before)) >= POWER:
            return Needed(seeds, effect, spread, f"{why}, {of}")
    return Needed(None, effect, spread, f"{why}, {of}")


def _effect(claim: Contrast, own: Sequence[float]) -> tuple[float, str]:
    into: Callable[[float], float] = log if claim.ratio else float
    if claim.expect == "same":
        return 0.0, "no difference"
    if claim.expect == "reached":
        return 0.0, f"interval within ± {claim.margin:g}"
    if claim.reported is not None:
        return claim.difference(claim.reported, claim.than), "difference of the paper"
    if len(own) > 1:
        return sum(own) / len(own) - into(claim.than), "difference measured so far"
    return claim.tolerance, "difference of the margin"


def _power(claim: Contrast, effect: float, spread: float, family: int) -> Callable[[int, float], float]:
    margin = claim.tolerance
    if claim.expect == "same":  # tests of equivalence are not adjusted
        return lambda seeds, alpha: equivalence(effect, spread, seeds, alpha, margin)
    if claim.expect == "reached":
        return lambda seeds, alpha: precision(spread, seeds, margin)
    return lambda seeds, alpha: max(  # the difference is found, or found to be within the margin
        difference(effect, spread, seeds, alpha / family), equivalence(effect, spread, seeds, alpha, margin)
    )


def chance(claim: Claim, needs: Needed, seeds: int, family: int, before: int = 0) -> float:
    """Return the probability of a verdict with so many seeds, under the assumptions of ``needs``."""
    assert isinstance(claim, Contrast)
    left = max(0.0, spent(seeds) - spent(before))
    return _power(claim, needs.effect, needs.spread, family)(seeds, left) if left else 0.0
