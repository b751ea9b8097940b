"""Labels: data, scale, numbers and intervals as text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from pj.config.settings import Scale, Study
from pj.statistics import Estimate

TWO_DECIMALS = "{:.2f}"


def unsigned(style: str) -> str:
    """Return a style of numbers without the sign of positive ones, for half the width of an interval."""
    return style.replace("+", "")


def scale_label(scale: Scale) -> str:
    """Return such as ``smoke scale (epochs 2, train 600)``."""
    parts = [f"{key} {value:,}" for key, value in scale.reductions.items()]
    return f"{scale.name} scale" + (f" ({', '.join(parts)})" if parts else "")


def study_label(study: Study) -> str:
    """Return a study's data and scale."""
    data = ", ".join(sorted({v.spec.data.name for v in study.variants}))
    scales = dict.fromkeys(scale_label(v.scale) for v in study.variants)
    return f"{data}, {' or '.join(scales)}"


def reduced(study: Study) -> bool:
    """Whether a study is at a reduced scale."""
    return any(v.scale.reductions for v in study.variants)


def has_reported(study: Study) -> bool:
    """Whether some variant has numbers from the paper."""
    return any(v.reported.model_dump(exclude_none=True) for v in study.variants)


def number(value: Any, style: str) -> str:
    """Return a number in a style such as ``{:.2f}``, with a real minus sign; empty text for None and NaN.

    What is rounded to zero has no sign: that of a difference would claim a direction.
    """
    if value is None or pd.isna(value):
        return ""
    if np.isposinf(value):
        return "∞"
    text = style.format(float(value)).replace("%", " %")
    return text.replace("-", "−") if re.search("[1-9]|inf", text) else re.sub("[+-]", "", text)


def plus_minus(mean: Any, half_width: Any, style: str) -> str:
    """Return a mean with half the width of its interval, if there is one."""
    return number(mean, style) + number(half_width, f" ± {unsigned(style)}")


def interval(found: Estimate | None, style: str) -> str:
    """Return an estimate as text; nothing if there is none."""
    return plus_minus(found.mean, found.half_width, style) if found else ""
