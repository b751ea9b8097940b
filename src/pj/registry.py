"""Registries: dictionaries from names to "module:object", resolved on use."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any


def find(registry: Mapping[str, str], name: str, kind: str) -> Any:
    """Return the object of that name, importing its module; ValueError lists the available names."""
    if name not in registry:
        raise ValueError(f"no {kind} named {name!r}; available: {', '.join(registry)}")
    return resolve_name(registry[name])


def public(package: str, names: Mapping[str, str], name: str) -> Any:
    """Return an object that a package offers, for its ``__getattr__``: the package itself loads nothing."""
    if name in names:
        return resolve_name(names[name])
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
