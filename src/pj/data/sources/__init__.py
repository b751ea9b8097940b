"""Where images come from, by kind of source."""

from __future__ import annotations

from pkgutil import resolve_name

from pj.config.settings import Source
from pj.data.store import Dataset

REGISTRY = {
    "torchvision": "pj.data.sources.official:read",
    "npz": "pj.data.sources.npz:read",
    "folder": "pj.data.sources.folder:read",
    "digits": "pj.data.sources.digits:read",
}


def read(source: Source) -> Dataset:
    """Return a source's images; DataError says what is wrong with them and what to do."""
    return resolve_name(REGISTRY[source.source])(source)
