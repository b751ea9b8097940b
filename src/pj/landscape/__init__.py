"""The loss around weights: probes along a training run, and slices around a finished network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pj import registry

if TYPE_CHECKING:
    from pj.landscape.probes import ics, probe

    __all__ = ["ics", "probe"]

PUBLIC = {"probe": "pj.landscape.probes:probe", "ics": "pj.landscape.probes:ics"}


def __getattr__(name: str) -> Any:
    return registry.public(__name__, PUBLIC, name)
