"""Learning rate schedules: the factor of the learning rate as a function of a run's progress.

Each maps ``progress`` (epochs done so far, in fractions) and ``epochs`` (of the whole run) to a factor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pj import registry
from pj.config.types import Count, Fraction

if TYPE_CHECKING:
    from pj.config.cards import Component

REGISTRY = {
    "constant": "pj.training.schedule:constant",
    "cosine": "pj.training.schedule:cosine",
    "step": "pj.training.schedule:step",
    "own": "pj.own:schedule",
}


def factor(schedule: Component, progress: float, epochs: int) -> float:
    """Return the factor of the next step's learning rate."""
    function = registry.find(REGISTRY, schedule.name, "schedule")
    return float(function(progress, epochs, **schedule.arguments({"name"})))


def constant(progress: float, epochs: int) -> float:
    """Return the factor 1: a constant learning rate."""
    return 1.0


def cosine(progress: float, epochs: int) -> float:
    """Return half a cosine, from 1 to 0 (Loshchilov & Hutter 2017, equation 5, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * progress / epochs))


def step(progress: float, epochs: int, *, every: Count, gamma: Fraction = 0.1) -> float:
    """Return gamma to the power of the number of drops so far, one per ``every`` epochs.

    Args:
        progress: epochs done so far.
        epochs: of the whole run.
        every: epochs between two drops of the learning rate.
        gamma: factor of the learning rate at each drop.

    """
    return gamma ** (int(progress + 1e-9) // every)
