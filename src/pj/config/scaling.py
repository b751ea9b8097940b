"""A specification reduced to a scale: fewer epochs and images, a narrower network."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from pj.config import own
from pj.config.checks import label
from pj.config.components import Source
from pj.config.messages import faults_of
from pj.config.settings import Scale
from pj.config.spec import RunSpec


class ScaleError(ValueError):
    """A specification that a scale does not fit."""


def at_scale(spec: RunSpec, scale: Scale, source: Source, base_epochs: Any) -> RunSpec:
    """Return the specification reduced to a scale, its dataset's key replaced by the label.

    A variant keeps the ratio of its epochs to those of its study's base, if the base sets them.
    ScaleError: what of it the scale does not fit.
    """

    def least(count: int | None, limit: int | None) -> int | None:
        return min((c for c in (count, limit) if c is not None), default=None)

    content = spec.model_dump()
    data = content["data"]
    data["name"] = label(data["name"], source)
    data["train"] = least(data["train"], scale.train)
    data["test"] = least(data["test"], scale.test)
    if data["validation"]:
        data["validation"] = least(data["validation"], scale.validation)
    if scale.width is not None:
        _narrow(spec, content["model"], scale.width)
    if scale.epochs is not None:
        longer = spec.epochs / base_epochs if type(base_epochs) is int and base_epochs > 0 else 1
        content["epochs"] = min(spec.epochs, max(1, round(scale.epochs * longer)))
    _shorten(content["schedule"], content["epochs"] / spec.epochs)
    try:
        return RunSpec.model_validate(content)
    except ValidationError as error:
        reasons = [fault.removeprefix("the file: ") for fault in faults_of(error, RunSpec, ())]
        raise ScaleError("; ".join(reasons)) from None


def _narrow(spec: RunSpec, model: dict[str, Any], share: float) -> None:
    """Multiply a model's width; a user's own option ``width`` stays a whole number if it is one."""
    if "width" in model:
        model["width"] *= share
        return
    options = model.get("options") or {}
    of_own = model["name"] == own.NAME
    width = ((own.defaults(model[own.CLASS]) if of_own else {}) | options).get("width")
    if not isinstance(width, int | float) or isinstance(width, bool):
        other = "give its constructor one, or " if of_own else ""
        raise ScaleError(
            f"the model {spec.network} has no width that is a number; {other}leave width out of the scale"
        )
    narrowed = max(1, round(width * share)) if isinstance(width, int) else width * share
    model["options"] = options | {"width": narrowed}


def _shorten(schedule: dict[str, Any], share: float) -> None:
    """Let the learning rate change after the same shares of a run that has this share of its epochs."""
    if "every" in schedule:
        schedule["every"] = max(1, round(schedule["every"] * share))
    if "milestones" in schedule:
        schedule["milestones"] = [milestone * share for milestone in schedule["milestones"]]
    if schedule["warmup"]:
        schedule["warmup"] *= share
