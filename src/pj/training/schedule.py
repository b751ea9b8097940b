"""Learning rate schedules as functions of how far a run is."""

from __future__ import annotations

import math

from pj.config.components import Schedule, StepSchedule


def factor(schedule: Schedule, progress: float, epochs: int) -> float:
    """Return what the learning rate is multiplied by.

    Args:
        schedule: constant, step (times gamma every so many epochs) or cosine (to zero; Loshchilov &
            Hutter 2017, equation 5, without restarts).
        progress: epochs done so far, in fractions.
        epochs: of the whole run.

    """
    if isinstance(schedule, StepSchedule):
        return schedule.gamma ** (int(progress + 1e-9) // schedule.every)
    if schedule.name == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress / epochs))
    return 1.0
