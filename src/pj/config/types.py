"""The types of options: what a constructor's arguments and a configuration's keys may be.

`pj.config.cards` reads the annotations of components' constructors with the names in this module.
Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, islice, pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["Annotated", "Literal"]  # part of the vocabulary of annotations, too
T = TypeVar("T")


class Strict(BaseModel):
    """A model that accepts no unknown key, converts nothing, allows no NaN and is immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def increasing(numbers: Sequence[float]) -> Sequence[float]:
    """Return numbers as they are; ValueError unless there are some, all positive, in increasing order."""
    if not numbers or numbers[0] <= 0 or any(b <= a for a, b in pairwise(numbers)):
        raise ValueError(f"{list(numbers)}; allowed: at least one number, all above 0, increasing")
    return numbers


def ascending(percents: list[float]) -> list[float]:
    """Return percentages as they are; ValueError unless they increase."""
    if any(b <= a for a, b in pairwise(percents)):
        raise ValueError(f"{percents}; allowed: increasing percentages")
    return percents


def distinct(items: list[T]) -> list[T]:
    """Return names or seeds as they are; ValueError if one is listed twice."""
    if twice := sorted({str(item) for item in items if items.count(item) > 1}):
        raise ValueError(f"{', '.join(twice)} is listed twice; list each once")
    return items


def spaced(start: int, step: int) -> AfterValidator:
    """Return a check that a number is one of start, start + step, start + 2 · step, …."""

    def check(value: int) -> int:
        if value < start or (value - start) % step:
            first = ", ".join(map(str, islice(count(start, step), 4)))
            raise ValueError(f"{value}; allowed: {first}, …")
        return value

    return AfterValidator(check)


Switch = Annotated[bool | None, AfterValidator(lambda value: value or None)]  # false is absence
Probability = Annotated[float, Field(ge=0, lt=1)]
Dropout = Annotated[Probability, Field(description="share of units set to zero in a training step")]
Fraction = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, lt=100)]
Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Width = Annotated[float, Field(gt=0, le=4, description="multiplies the numbers of hidden units and channels")]
Activation = Literal["relu", "sigmoid", "tanh", "elu", "leaky_relu"]
Channels = Literal[1, 3]
Grid = Annotated[list[float], AfterValidator(increasing)]
Layers = Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


if TYPE_CHECKING:
    Betas = Sequence[float]
    Lambdas = Mapping[str, float]
else:
    Betas = Annotated[list[Probability], Field(min_length=2, max_length=2)]

    class Lambdas(Strict):
        """Thresholds of DessiLBI by kind of weight."""

        conv: NonNegative = Field(1.0, description="of a filter's norm")
        linear: NonNegative = Field(1.0, description="of the single weights of a linear layer")


VOCABULARY: dict[str, Any] = {name: value for name, value in globals().items() if not name.startswith("_")}
VOCABULARY |= {kind.__name__: kind for kind in (bool, int, float, str, list, dict)}
