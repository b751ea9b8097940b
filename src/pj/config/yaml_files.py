"""Strict reading of YAML and deep merging of overlays."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

# libyaml's where PyYAML has it, which is ten times as fast: every cluster job reads the configuration again.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

LARGEST = 2**24  # bytes
DEEPEST, MOST = 20, 2**20  # keys above a key, and keys of a file, whose lines are known


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return a YAML file's mapping and its faults (unreadable, malformed, a key given twice)."""
    if not path.exists():
        return {}, [no_file(path)]
    if not _is_usable(path):
        return {}, [f"{path}: is not a YAML file of at most {LARGEST >> 20} MB"]
    try:
        text = path.read_text(encoding="utf-8")
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            faults = [f"{path}, {fault}" for fault in _key_faults(node)]
            unusable = any("allowed: text" in fault for fault in faults)
            content = loader.construct_document(node) if node and not unusable else {}
        finally:
            loader.dispose()
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"{path}: cannot be read: {error}"]
    except yaml.YAMLError as error:
        return {}, [f"{path}: is not valid YAML: {_complaint(text, error)}"]
    if not isinstance(content, dict | None):
        return {}, [f"{path}: holds a {type(content).__name__} at the top; allowed: a mapping"]
    return content or {}, faults


def no_file(path: Path) -> str:
    """Return the fault of a file that is not there, with the nearest name of a YAML file beside it."""
    from pj.config.messages import nearest  # which imports this module

    return f"{path}: there is no such file{nearest(str(path), map(str, sorted(path.parent.glob('*.y*ml'))))}"


def _is_usable(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= LARGEST


def lines(path: Path) -> dict[tuple[str, ...], int]:
    """Return the line of each key of a YAML file, by its path; none of a file that cannot be read."""
    if not _is_usable(path):
        return {}
    try:
        loader = Loader(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
            if node is not None:
                loader.construct_document(node)  # puts what `<<` names in its place
        finally:
            loader.dispose()
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return dict(islice(_lines(node, ()), MOST))


def _lines(node: yaml.Node | None, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if not isinstance(node, yaml.MappingNode) or len(path) == DEEPEST:  # an anchor may lead back to itself
        return
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            yield (*path, key.value), key.start_mark.line + 1
            yield from _lines(value, (*path, key.value))


def _complaint(text: str, error: yaml.YAMLError) -> str:
    """Return why a text is not YAML as PyYAML's own reader says it, which quotes the faulty line."""
    try:
        yaml.safe_load(text)
    except yaml.YAMLError as found:
        error = found
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "")


def _key_faults(node: yaml.Node | None) -> Iterator[str]:
    """Yield every key that is given twice in one mapping, or is not text."""
    pending, done = deque([node]), set()
    while pending:
        node = pending.popleft()
        if node is None or id(node) in done:  # an anchor's mapping is reached several times
            continue
        done.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)
        if not isinstance(node, yaml.MappingNode):
            continue
        seen: set[str] = set()
        for key, value in node.value:
            pending.append(value)
            line = f"line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode):
                yield f"{line}: a key is a {key.id}; allowed: text"
            elif key.value in seen and key.value != "<<":
                yield f"{line}: the key {key.value!r} is given twice in one mapping; keep one"
            else:
                seen.add(key.value)


def merge(base: Any, changes: Any, null: Any = None) -> Any:
    """Return ``base`` with ``changes`` laid over it: mappings merge by key, anything else is replaced.

    A mapping that names another component (its ``name``, ``source``, ``class`` or ``arch`` differs) replaces
    the old one whole, since the options of one mean nothing to the other. Below the ``options`` of a user's
    own part, such keys are like others. ``null`` replaces a value that becomes None.
    """
    return _merged(base, changes, null, plain=False)


def _merged(base: Any, changes: Any, null: Any, *, plain: bool) -> Any:
    """Return the same as `merge`; ``plain``: by key alone, whatever it is called."""
    if changes is None and base is not None:
        return null
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    before, after = _component(base), _component(changes)
    if not plain:
        if before and after and before != after:
            return dict(changes)
        arch = base.get("arch")
        if isinstance(arch, str) and changes.get("arch", arch) != arch:
            return {"name": base.get("name"), **changes}
    merged = {
        key: _merged(base[key], value, null, plain=plain or bool(before and key == "options"))
        if key in base
        else value
        for key, value in changes.items()
    }
    return {**base, **merged}


def _component(content: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the key that says which component a mapping is, and its value; a variant may be called so."""
    found = [(key, content[key]) for key in ("class", "source", "name") if key in content]
    return next((one for one in found if one[1] is None or isinstance(one[1], str)), None)


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
    if isinstance(parsed, dict | list):
        return value  # Snakemake has parsed structures already: this is a text with a colon
    return as_number(parsed) if isinstance(parsed, str) else parsed


def as_number(text: str) -> float | str:
    """Return the finite number that a text like ``1e-3`` means, or the text."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
