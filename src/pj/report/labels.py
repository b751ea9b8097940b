"""On what, and at what scale, in words."""

from __future__ import annotations

from pj.settings import Scale, Study


def scale_label(scale: Scale) -> str:
    """Return such as ``smoke scale (epochs 2, train 600)``."""
    parts = [f"{key} {value:,}" for key, value in scale.reductions.items()]
    return f"{scale.name} scale" + (f" ({', '.join(parts)})" if parts else "")


def study_label(study: Study) -> str:
    """Return a study's data and scale."""
    data = ", ".join(sorted({v.spec.data.name for v in study.variants}))
    return f"{data}, {scale_label(study.variants[0].scale)}"


def reduced(study: Study) -> bool:
    """Whether something was taken away from a study."""
    return any(v.scale.reductions for v in study.variants)


def has_reported(study: Study) -> bool:
    """Whether a report's numbers stand beside some variant."""
    return any(v.reported.model_dump(exclude_none=True) for v in study.variants)
