"""Learning rate schedules: the factor of the learning rate as a function of a run's progress.

Each maps ``progress`` (epochs done so far, in fractions) and ``epochs`` (of the whole run) to a factor. After
a ``warmup``, in which the factor rises linearly, both are counted from its end, as by torch's SequentialLR.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pj import registry
from pj.config.types import Count, Fraction, Grid, Positive, Probability
from pj.errors import UserError

if TYPE_CHECKING:
    from pj.config.cards import Component

REGISTRY = {
    "constant": "pj.training.schedule:constant",
    "cosine": "pj.training.schedule:cosine",
    "step": "pj.training.schedule:step",
    "multi_step": "pj.training.schedule:multi_step",
    "polynomial": "pj.training.schedule:polynomial",
    "one_cycle": "pj.training.schedule:one_cycle",
    "own": "pj.own:schedule",
}
WARMUP_START = 0.01  # the factor of the first step, as in torchvision's reference training


def factor(schedule: Component, progress: float, epochs: int) -> float:
    """Return the factor of the next step's learning rate.

    In the first ``warmup`` epochs (Goyal et al. 2017, section 2.2) it rises linearly from 0.01 to 1; then the
    schedule runs over the remaining epochs. torchvision's reference training does the same by torch's
    LinearLR and SequentialLR.
    """
    function = registry.find(REGISTRY, schedule.name, "schedule")
    warmup = schedule.warmup or 0
    if progress < warmup:
        return WARMUP_START + (1 - WARMUP_START) * progress / warmup
    return float(function(progress - warmup, epochs - warmup, **schedule.arguments({"name", "warmup"})))


def check(schedule: Component, epochs: int, steps: int) -> None:
    """Compute the factors of all epochs of ``steps`` steps each; UserError names the first bad one."""
    for step in range(epochs * steps):
        try:
            factor(schedule, step / steps, epochs)
        except UserError as error:
            raise UserError(f"schedule, step {step + 1} of {epochs * steps}: {error}") from None


def constant(progress: float, epochs: float) -> float:
    """Return the factor 1: a constant learning rate."""
    return 1.0


def cosine(progress: float, epochs: float) -> float:
    """Return half a cosine, from 1 to 0 (Loshchilov & Hutter 2017, equation 5, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * progress / epochs))


def step(progress: float, epochs: float, *, every: Count, gamma: Fraction = 0.1) -> float:
    """Return gamma to the power of the number of drops so far, one per ``every`` epochs.

    Args:
        progress: epochs done so far.
        epochs: of the whole run.
        every: epochs between two drops of the learning rate.
        gamma: factor of the learning rate at each drop.

    """
    return gamma ** (int(progress + 1e-9) // every)


def multi_step(progress: float, epochs: float, *, milestones: Grid, gamma: Fraction = 0.1) -> float:
    """Return gamma to the power of the number of milestones passed (torch's MultiStepLR).

    Args:
        progress: epochs done so far.
        epochs: of the whole run.
        milestones: epochs, also fractions, after which the learning rate drops, increasing; counted from the
            end of a warm-up.
        gamma: factor of the learning rate at each drop.

    """
    return gamma ** sum(progress + 1e-9 >= milestone for milestone in milestones)


def polynomial(progress: float, epochs: float, *, power: Positive = 1.0) -> float:
    """Return the remaining share of the run to a power, from 1 to 0 (torch's PolynomialLR).

    Args:
        progress: epochs done so far.
        epochs: of the whole run.
        power: 1: the learning rate falls linearly.

    """
    return (1 - progress / epochs) ** power


def one_cycle(
    progress: float,
    epochs: float,
    *,
    pct_start: Probability = 0.3,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 10000.0,
) -> float:
    """Return one rise to 1 and a longer fall, each half a cosine (Smith & Topin 2019; torch's OneCycleLR).

    The learning rate alone changes, not the momentum. As with the cosine, the end of the fall would be the
    rate of a step after the last one; torch's OneCycleLR has reached it in the last step.

    Args:
        progress: epochs done so far.
        epochs: of the whole run.
        pct_start: share of the run in which the learning rate rises.
        div_factor: the first factor is 1 divided by this.
        final_div_factor: the first factor divided by this is the factor at the end.

    """
    first = 1 / div_factor
    done = progress / epochs
    if done < pct_start:
        return _between(first, 1.0, done / pct_start)
    return _between(1.0, first / final_div_factor, (done - pct_start) / (1 - pct_start))


def _between(start: float, end: float, share: float) -> float:
    """Return the value after a share of half a cosine from start to end."""
    return end + 0.5 * (start - end) * (1 + math.cos(math.pi * share))
