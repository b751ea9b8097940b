"""A specification as dotted keys and their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pj.config.spec import RunSpec


def of(spec: RunSpec) -> dict[str, Any]:
    """Return the settings of a run by dotted key, such as ``optimizer.lr``; what is switched off has none."""
    return dict(_flat(spec.model_dump(mode="json", exclude_none=True), ()))


def _flat(content: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, (*path, key))
        else:
            yield ".".join((*path, key)), value
