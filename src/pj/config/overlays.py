"""Files of a configuration laid over one another: what is in force, and where each value came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from pj.config import sweeps, yaml_files
from pj.config.messages import NULL, choice_fault, tags, unwrapped
from pj.config.settings import Settings
from pj.config.sweeps import Sweep

REMOVED: Any = object()  # in a variant: the value of an earlier file that a later one has set to null
COMMAND_LINE = "command line"


def read(
    paths: Iterable[str | Path], overrides: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return files laid over one another, and command-line overrides over all, with the files' faults.

    A ``standalone`` file replaces those before it. A key of a variant that an earlier file has set and a
    later one sets to null is as if it had never been set.
    """
    merged: dict[str, Any] = {}
    faults: list[str] = []
    for file in dict.fromkeys(map(Path, paths)):
        content, found = yaml_files.read(file)
        content = _beside(file, content)
        alone = content.get("standalone") is True
        faults = found if alone else faults + found
        before = {} if alone else merged
        merged = _laid(before, content)
        faults += _removes_nothing(before, content, merged)
    if overrides:
        before, content = merged, yaml_files.parse_texts(overrides)
        merged = _laid(before, content)
        faults += _removes_nothing(before, content, merged)
    for study, name, variant in _variants(merged):
        merged["studies"][study]["variants"][name] = _left(variant)
    return merged, faults


def _beside(file: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Name claims and texts that are not in the working folder by their place beside the file."""
    paths = {key: content[key] for key in ("claims", "words") if isinstance(content.get(key), str)}
    there = {key: file.parent / path for key, path in paths.items() if not Path(path).is_file()}
    return content | {key: str(path) for key, path in there.items() if path.is_file()}


def _laid(before: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with changes laid over it, what they remove from variants as `REMOVED`."""
    merged: dict[str, Any] = yaml_files.merge(before, changes)
    old = {(study, name): variant for study, name, variant in _variants(before)}
    for study, name, variant in _variants(changes):
        if (study, name) in old:
            both = yaml_files.merge(old[study, name], variant, null=REMOVED)
            merged["studies"][study]["variants"][name] = both
    return merged


def _variants(content: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the variants of a configuration that may have any fault: study, name and content."""
    studies = content.get("studies")
    for study, frame in studies.items() if isinstance(studies, dict) else ():
        variants = frame.get("variants") if isinstance(frame, dict) else None
        for name, variant in variants.items() if isinstance(variants, dict) else ():
            if isinstance(variant, dict):
                yield study, name, variant


def _left(content: Any) -> Any:
    """Return what is left once everything that was removed has gone."""
    if not isinstance(content, dict):
        return content
    return {key: _left(value) for key, value in content.items() if value is not REMOVED}


def _removes_nothing(before: dict[str, Any], changes: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return a fault for each null whose name no earlier file has, such as that of a misspelt study."""
    faults = []
    for path in named_nulls(changes, Settings, ()):
        *parents, name = path
        there = _at(before, parents)
        if is_variant := parents[::2] == ["studies", "variants"]:
            swept = _at(after, [*parents[:2], "sweep"])
            made = sweeps.variants(swept)
            if swept and not made:  # a faulty sweep, which is reported
                continue
            there = {**made, **there}
        if name not in there:
            known = [str(key) for key, value in there.items() if value is not None]
            hint = "; a variant without changes is {}" if is_variant else ""
            reason = f"null takes out what an earlier file has{hint}. Unknown name"
            faults.append(choice_fault(tuple(map(str, path)), str(name), known, reason) + NULL)
    return faults


def named_nulls(
    content: Mapping[str, Any], annotation: Any, path: tuple[Any, ...]
) -> Iterator[tuple[Any, ...]]:
    """Yield the places of nulls in mappings by name: studies, variants, datasets, analyses, swept keys."""
    kind = _kind(annotation, content)
    fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
    inner = get_args(kind)[-1] if get_origin(kind) is dict else Any
    named = not _nullable(inner)
    if path[::2] == ("studies", "sweep") and path[3:] in ((), ("zip",)):
        fields, named = Sweep.model_fields, True
    for key, value in content.items():
        of_key = fields[key].annotation if key in fields else inner
        if isinstance(value, Mapping) and of_key is not Any:  # an anchor may lead back to itself
            yield from named_nulls(value, of_key, (*path, key))
        elif value is None and named and key not in fields:
            yield (*path, key)


def _at(content: Any, path: Iterable[Any]) -> dict[Any, Any]:
    """Return the mapping at a place; an empty one if there is none."""
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content if isinstance(content, dict) else {}


def without_nulls(content: Any, annotation: Any) -> Any:
    """Leave out each null that is no value of its place and may be missing there.

    That is an entry of a mapping by name (a study, a variant, a dataset), and an optional key. What is left
    is a value (``train: null`` means all images), or a fault.
    """
    if not _holds_null(content):
        return content
    kind = _kind(annotation, content)
    if get_origin(kind) is dict:
        inner = get_args(kind)[-1]
        return {k: without_nulls(v, inner) for k, v in content.items() if v is not None or _nullable(inner)}
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return content
    fields = kind.model_fields
    return {
        key: without_nulls(value, fields[key].annotation) if key in fields else value
        for key, value in content.items()
        if value is not None
        or key not in fields
        or fields[key].is_required()
        or _nullable(fields[key].annotation)
    }


def _holds_null(content: Any) -> bool:
    return isinstance(content, Mapping) and any(v is None or _holds_null(v) for v in content.values())


def _kind(annotation: Any, content: Mapping[str, Any]) -> Any:
    """Return the type of a mapping; of several components, the one that it names."""
    kind = unwrapped(annotation)
    if get_origin(kind) is Union or isinstance(kind, type(int | str)):
        given = ("own",) if "class" in content else (content.get("name"), content.get("source"))
        return next((m for m in get_args(kind) if any(tag in given for tag in tags(m))), None)
    return kind


def _nullable(annotation: Any) -> bool:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation is Any or NoneType in get_args(annotation)


def places(
    paths: Iterable[str | Path], overrides: Mapping[str, Any] | None = None
) -> dict[tuple[str, ...], str]:
    """Return where each key was last set: ``my.yaml:12``. Reads the files again, so loading stays fast."""
    found: dict[tuple[str, ...], str] = {}
    for file in dict.fromkeys(map(Path, paths)):
        lines = yaml_files.lines(file)
        if ("standalone",) in lines and yaml_files.read(file)[0].get("standalone") is True:
            found = {}
        # Snakemake makes the paths of overlays absolute
        name = file.relative_to(here) if file.is_relative_to(here := Path.cwd()) else file
        found |= {path: f"{name}:{line}" for path, line in lines.items()}
    return found | dict.fromkeys(_paths(overrides or {}), COMMAND_LINE)


def _paths(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in content.items():
        yield (key,)
        if isinstance(value, Mapping):
            yield from ((key, *rest) for rest in _paths(value))


def place(key: str, there: Mapping[str, str]) -> str | None:
    """Return where a key, written with dots as in messages, was set, or the mapping that lacks it."""
    while key:
        if key in there:
            return there[key]
        key = key.rpartition(".")[0]
    return None
