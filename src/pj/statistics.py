"""Means, intervals and tests over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtr, stdtrit  # scipy.stats takes a second to load, in every job

DRAWS = 10_000  # bootstraps
DUST = 1e-9  # of accuracies and logarithms: differences this small are rounding errors


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and, from two seeds on, half the width of its 95 % t interval."""

    mean: float
    half_width: float | None


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return mean and 95 % t interval of the finite values; None if there are none.

    One value has no interval: nothing is known about its spread.
    """
    finite = _finite(values)
    n = len(finite)
    if n == 0:
        return None
    if n == 1:
        return Estimate(float(finite[0]), None)
    half = stdtrit(n - 1, 0.975) * _deviation(finite) / np.sqrt(n)
    return Estimate(float(finite.mean()), float(half))


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray([v for v in values if v is not None and np.isfinite(v)], dtype=float)


def _deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation over seeds; zero if values differ by rounding errors alone."""
    found = float(values.std(ddof=1))
    return 0.0 if found <= DUST * max(1.0, abs(float(values.mean()))) else found


@dataclass(frozen=True)
class Comparison:
    """The tests of paired differences: an estimate, and two p values.

    ``different`` is that of a two-sided t test against zero, ``equivalent`` the larger of the two one-sided
    tests (Schuirmann 1987) against a margin on either side; both None for a single seed.
    """

    estimate: Estimate
    different: float | None
    equivalent: float | None


def compare(differences: Sequence[float], margin: float) -> Comparison | None:
    """Return the tests of paired differences; None if none of them is finite.

    If all differences are equal, their spread cannot be estimated: from three seeds on, and where they are
    zero, they are taken as exact. Values that differ only by floating-point rounding count as equal.
    """
    finite = _finite(differences)
    finite = np.where(abs(finite) < DUST, 0.0, finite)
    found = estimate(finite.tolist())
    if found is None or found.half_width is None:
        return None if found is None else Comparison(found, None, None)
    if not found.half_width:
        if found.mean and len(finite) < 3:
            return Comparison(found, None, None)
        return Comparison(found, float(found.mean == 0), float(abs(found.mean) >= margin))
    freedom = len(finite) - 1
    scale = finite.std(ddof=1) / np.sqrt(len(finite))
    below = stdtr(freedom, (abs(found.mean) - margin) / scale)  # the nearer margin has the larger p
    return Comparison(found, float(2 * stdtr(freedom, -abs(found.mean) / scale)), float(below))


def p_of_interval(mean: float, half_width: float, n: int) -> float | None:
    """Return the two-sided p value against zero of a mean with its 95 % t interval over ``n`` values.

    Without spread it is exact where `compare` takes it as exact, else None.
    """
    if not half_width:
        return None if mean and n < 3 else float(mean == 0)
    statistic = mean / half_width * stdtrit(n - 1, 0.975)
    return float(2 * stdtr(n - 1, -abs(statistic)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values adjusted for their number (Holm 1979); None stays None."""
    there = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(there):
        largest = max(largest, min(1.0, p * (len(there) - rank)))
        adjusted[i] = largest
    return adjusted


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % prediction interval of one more run, from two seeds on; runs are taken as normal."""
    finite = _finite(values)
    n = len(finite)
    if n < 2:
        return None
    half = stdtrit(n - 1, 0.975) * _deviation(finite) * np.sqrt(1 + 1 / n)
    return float(finite.mean() - half), float(finite.mean() + half)


def p_of_one_more(values: Sequence[float], one: float) -> float | None:
    """Return the two-sided p value of ``one`` as one more run, from two seeds on; runs are normal."""
    finite = _finite(values)
    n = len(finite)
    if n < 2:
        return None
    distance, scale = abs(one - float(finite.mean())), _deviation(finite) * np.sqrt(1 + 1 / n)
    if not scale:
        return float(distance <= DUST * max(1.0, abs(one)))
    return float(2 * stdtr(n - 1, -distance / scale))


def bootstrap_best(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each column the share of `DRAWS` bootstraps over seeds in which its mean is the highest.

    Args:
        values: [seeds, variants], paired by seed; a draw takes whole rows. Ties share.

    """
    generator = np.random.default_rng(0)
    chosen = generator.integers(len(values), size=(DRAWS, len(values)))
    means = values[chosen].mean(axis=1)
    best = means == means.max(axis=1, keepdims=True)
    return (best / best.sum(axis=1, keepdims=True)).mean(axis=0)


def central(shares: NDArray[np.float64], share: float = 0.95) -> tuple[int, int]:
    """Return the indices between which the central ``share`` of a discrete distribution lies."""
    cumulated = shares.cumsum()
    tail = (1 - share) / 2
    low = int(np.searchsorted(cumulated, tail, side="right"))
    return low, int(np.searchsorted(cumulated, 1 - tail - 1e-12, side="left"))


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the exact two-sided p value of McNemar's test.

    Args:
        first_only: number of images that only the first network classifies correctly.
        second_only: the same of the second network.

    """
    total = first_only + second_only
    return float(min(1.0, 2 * bdtr(min(first_only, second_only), total, 0.5)))
