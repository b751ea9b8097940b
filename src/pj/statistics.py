"""Means and intervals over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and, from two seeds on, half the width of its 95 % t interval."""

    mean: float
    half_width: float | None


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return mean and 95 % t interval of the finite values; None if there are none.

    One value has no interval: nothing is known about its spread.
    """
    finite = np.asarray([v for v in values if v is not None and np.isfinite(v)], dtype=float)
    n = len(finite)
    if n == 0:
        return None
    if n == 1:
        return Estimate(float(finite[0]), None)
    half = stats.t.ppf(0.975, n - 1) * finite.std(ddof=1) / np.sqrt(n)
    return Estimate(float(finite.mean()), float(half))
