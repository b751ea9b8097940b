"""Which runs replay their steps as CUDA graphs (`pj.training.capture`). Imports no torch: plans need it."""

from __future__ import annotations

from pj.config.spec import LIBRARIES, RunSpec

NOT_FUSED = (
    "rmsprop",
    "dessilbi",
)  # no kernel of theirs reads the learning rate on the device
ALWAYS_CHANGING = ("cosine", "polynomial", "one_cycle")  # schedules with another rate in every step


def obstacle(spec: RunSpec) -> str | None:
    """Return why a run's steps are not captured; None if they are."""
    if own := [part for part in spec.own_parts if part != "schedule"]:  # that is computed outside of a step
        return f"its own {own[0]} may keep values outside of the device"
    if spec.model.name in LIBRARIES:
        return f"a network of {spec.model.name} may read values in its forward pass"
    if spec.optimizer.name == "dessilbi" and spec.optimizer.inner == "adam":
        return "DessiLBI with Adam counts its steps outside of the device"
    if spec.optimizer.name in NOT_FUSED and spec.schedule.name in ALWAYS_CHANGING:
        return f"the learning rate of {spec.optimizer.name} is part of a graph, and changes in every step"
    return None
