"""Strict reading of YAML and deep merging of overlays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that remembers every key given twice in one mapping."""

    duplicates: list[tuple[str, int]]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                self.duplicates.append((key.value, key.start_mark.line + 1))
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return a YAML file's mapping and its faults (unreadable, malformed, a key given twice)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"{path}: cannot be read: {error}"]
    loader = _StrictLoader(text)
    loader.duplicates = []
    try:
        content = loader.get_single_data()
    except yaml.YAMLError as error:
        return {}, [f"{path}: is not YAML: {' '.join(str(error).split())}"]
    finally:
        loader.dispose()
    faults = [
        f"{path}, line {line}: the key {key!r} is given twice in one mapping; keep one"
        for key, line in dict.fromkeys(loader.duplicates)  # an anchor's mapping is built at each use
    ]
    if content is None:
        content = {}
    if not isinstance(content, dict):
        return {}, [*faults, f"{path}: holds a {type(content).__name__} at the top; allowed: a mapping"]
    return content, faults


def merge(base: Any, changes: Any) -> Any:
    """Return ``base`` with ``changes`` laid over it: mappings merge by key, anything else is replaced.

    A mapping that names another component (its ``name`` or ``source`` differs) replaces the old one
    whole, since the options of the one mean nothing to the other.
    """
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    for key in ("name", "source"):
        if key in changes and key in base and changes[key] != base[key]:
            return dict(changes)
    return {**base, **{k: merge(base[k], v) if k in base else v for k, v in changes.items()}}


def parse_texts(value: Any) -> Any:
    """Give the texts of a command line (``--config``) the types that a YAML file would give them."""
    if isinstance(value, Mapping):
        return {k: parse_texts(v) for k, v in value.items()}
    if isinstance(value, list):
        return [parse_texts(v) for v in value]
    if not isinstance(value, str):
        return value
    if value == "None":  # how Snakemake hands a null on to its own jobs
        return None
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return as_number(parsed) if isinstance(parsed, str) else parsed


def as_number(text: str) -> float | str:
    """Return the finite number that a text like ``1e-3`` means, or the text."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text in a nested structure with its key path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts(inner, (*path, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, (*path, str(index)))
    elif isinstance(value, str):
        yield path, value
