"""The values of a swept key: lists, and ranges of numbers as the decimals that a person would write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from pj.config import yaml_files
from pj.config.messages import faults_of
from pj.config.types import Strict

MOST = 1000  # values, and variants of a sweep
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")  # a number that YAML takes for text
LARGEST = 1e300
DIGITS = 6  # of a number between the ends that is kept as it is; one with more is rounded
ROUNDED = 3  # significant digits of a number that is rounded, such as 0.000316


def _parsed(value: Any) -> Any:
    """Return 1e-4, which is text in YAML, as a number."""
    return yaml_files.as_number(value) if isinstance(value, str) else value


Place: TypeAlias = tuple[str, ...]
Number = Annotated[float, BeforeValidator(_parsed)]


class Range(Strict):
    """Numbers from one to another: in steps, or a count of them, evenly or logarithmically spaced."""

    first: Number = Field(alias="from", description="the first number")
    to: Number = Field(description="the last number, if steps arrive at it")
    step: Annotated[float, Field(gt=0), BeforeValidator(_parsed)] | None = Field(
        None, description="from one number to the next"
    )
    count: Annotated[int, Field(ge=2)] | None = Field(None, description="how many numbers, instead of step")
    log: bool = Field(False, description="with count: equal ratios instead of equal steps")

    @model_validator(mode="after")
    def _one_spacing(self) -> Range:
        if self.to <= self.first:
            raise ValueError(f"from {self.first:g} to {self.to:g}; allowed: to above from")
        if (self.step is None) == (self.count is None):
            raise ValueError("needs step or count, and not both; null takes one away")
        if self.log and (self.count is None or self.first <= 0):
            raise ValueError("log: true needs count, and from above 0")
        return self

    @cached_property
    def length(self) -> int:
        """How many numbers it has."""
        if self.count is not None:
            return self.count
        assert self.step is not None
        return int((_decimal(self.to) - _decimal(self.first)) / _decimal(self.step)) + 1

    def numbers(self) -> list[float]:
        """Return the numbers; whole ones if all of them are."""
        first, last, n = _decimal(self.first), _decimal(self.to), self.length
        if self.step is not None:
            found = [first + i * _decimal(self.step) for i in range(n)]
        elif self.log:
            inside = [first * (last / first) ** (Decimal(i) / (n - 1)) for i in range(1, n - 1)]
            found = [first, *map(_written, inside), last]
        else:
            inside = [first + (last - first) * i / (n - 1) for i in range(1, n - 1)]
            found = [first, *map(_written, inside), last]
        if all(number == number.to_integral_value() for number in found):
            return [int(number) for number in found]
        return [float(number) for number in found]


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))


def _written(number: Decimal) -> Decimal:
    """Return a number without rounding errors; one with many digits is rounded."""
    near = Decimal(f"{number:.12g}").normalize()
    return near if len(near.as_tuple().digits) <= DIGITS else Decimal(f"{number:.{ROUNDED}g}")


@dataclass(frozen=True)
class Value:
    """A swept value and how it is written in names."""

    value: Any
    text: str


def read(written: Any, path: Place, faults: list[str]) -> list[Value]:
    """Return the values of a list or a range, as far as there are no more than a sweep may have."""
    place = ".".join(path)
    if isinstance(written, Mapping):
        try:
            found = Range.model_validate(dict(written))
        except ValidationError as error:
            faults += faults_of(error, Range, path)
            return []
        if found.length > MOST:
            faults.append(f"{place}: has {found.length:,} values; allowed: at most {MOST:,}")
            return []
        return _in_one_style(found.numbers())
    if not isinstance(written, list):
        faults.append(f"{place}: {written!r}; allowed: a list of values, or a range with from and to")
        return []
    if not written:
        faults.append(f"{place}: is an empty list; give at least one value")
    for value in written:
        if is_number(value) and not abs(value) <= LARGEST:
            faults.append(f"{place}: {str(value)[:20]}; allowed: a finite number")
        elif not isinstance(value, bool | int | float | str | None):
            faults.append(f"{place}: {value!r}; allowed: numbers, texts, true, false and null")
    return [_value(value) for value in written]


def _in_one_style(numbers: list[float]) -> list[Value]:
    """Return the numbers of a range; if one is written with an exponent, all are: 1e-5, 1e-4, 1e-3."""
    if any("e" in text(number) for number in numbers):
        scientific = [f"{_decimal(number).normalize():e}".replace("e+", "e") for number in numbers]
        return [
            Value(number, how if number else "0") for number, how in zip(numbers, scientific, strict=True)
        ]
    return [Value(number, text(number)) for number in numbers]


def _value(written: Any) -> Value:
    """Return a value of a list; 1e-3, which is text in YAML, as a number that is named as it is written."""
    if isinstance(written, str) and EXPONENT.fullmatch(written):
        number = float(yaml_files.as_number(written))
        return Value(int(number) if number.is_integer() else number, written)
    return Value(written, text(written))


def text(value: Any) -> str:
    """Return a value as a person writes it: 0.3, 64, 1e-5, true, null, relu."""
    if is_number(value):
        return re.sub(r"e\+?(-?)0*", r"e\1", repr(value))
    return value if isinstance(value, str) else json.dumps(value)


def plain(found: Value) -> str:
    """Return a value as text that is the same for 1, 1.0 and 1e0."""
    value = found.value
    return f"{value:.15g}" if is_number(value) else text(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
