"""Where images come from, by kind of source. Naming a source loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pj import registry

if TYPE_CHECKING:
    from pj.config.cards import Component
    from pj.data.store import Dataset

REGISTRY = {
    "torchvision": "pj.data.sources.official:read",
    "npz": "pj.data.sources.npz:read",
    "folder": "pj.data.sources.folder:read",
    "digits": "pj.data.sources.digits:read",
    "own": "pj.data.sources.own:read",
}


def read(source: Component) -> Dataset:
    """Return a source's images; DataError states what is wrong with them and what to do."""
    options = source.arguments({"source", "label"})
    dataset: Dataset = registry.find(REGISTRY, source.source, "data source")(**options)
    return dataset
