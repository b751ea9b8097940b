"""Settings as keys and values without nesting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pj.config.spec import RunSpec

Path = tuple[str, ...]


def of(spec: RunSpec) -> dict[str, Any]:
    """Return the settings of a run by dotted key, such as ``optimizer.lr``; what is switched off has none."""
    found = leaves(spec.model_dump(mode="json", exclude_none=True))
    return {".".join(path): value for path, value in found}


def leaves(content: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the values that are no mappings (or empty ones), by path."""
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value
