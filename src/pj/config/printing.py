"""A configuration as YAML that says where each value was set."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from pj.config import loading, own, sweeps, yaml_files
from pj.config.flat import Path, leaves
from pj.config.loading import Config
from pj.config.messages import choice_fault
from pj.config.settings import StudySettings, Variant
from pj.config.spec import RunSpec
from pj.errors import UserError

Places = Mapping[Path, str]
WIDTH = 90  # of a mapping on one line, all of whose values were set on one line
DEFAULT = "default"


def whole(raw: Mapping[str, Any], config: Config, places: Places, key: str, *, defaults: bool) -> str:
    """Return a configuration, or the part below a key, as YAML that loads again to the same.

    Asked for the variants of a study, it shows those of its sweep as well.

    Args:
        raw: what all files hold, laid over one another.
        config: what that means.
        places: where each key was set.
        key: ``studies.own``, for example; empty for everything.
        defaults: also show the keys of settings that no file has.

    """
    content = own.without_content(config.settings.model_dump(mode="json")) if defaults else dict(raw)
    written = {path: places.get(path, DEFAULT) for path, _ in leaves(raw)}
    for study, frame in config.settings.studies.items():
        if frame.sweep and f"{key}.".startswith(f"studies.{study}.variants."):
            content, made = _with_swept(content, study, frame, places)
            written |= made
    found = _part(content, key, ()) if key else content
    return _text(found, lambda path: written.get(path, DEFAULT))


def _with_swept(
    content: dict[str, Any], study: str, frame: StudySettings, places: Places
) -> tuple[dict[str, Any], dict[Path, str]]:
    """Return a configuration with a sweep's variants written out, and where their values are set."""
    shown, made = dict(frame.variants), {}
    for name, generated in sweeps.variants(frame.sweep).items():
        if name in shown:  # and is not removed
            shown[name] = yaml_files.merge(generated.changes, frame.variants[name])
            for path, _ in leaves(generated.changes):
                made["studies", study, "variants", name, *path] = _place_of_sweep(study, path, places)
    studies = content["studies"]
    return {**content, "studies": {**studies, study: {**studies[study], "variants": shown}}}, made


def _place_of_sweep(study: str, path: Path, places: Places) -> str:
    """Return where the values of a swept key were set."""
    keys = [("studies", study, "sweep", *inside, ".".join(path)) for inside in ((), ("zip",))]
    return next((places[key] for key in keys if key in places), DEFAULT)


def variant(variant: Variant, config: Config, places: Places) -> str:
    """Return all of a variant's specification, as YAML that says where each value comes from."""
    study, key = config.settings.studies[variant.study], ("studies", variant.study)
    swept = sweeps.variants(study.sweep)
    changes = loading.changes_of(study, variant.name, swept)
    merged = loading.specified(config.settings, study.base, changes)
    full = dict(leaves(RunSpec.model_validate(merged).model_dump(mode="json")))
    changed, written = dict(leaves(changes)), dict(leaves(merged))
    of_sweep = dict(leaves(swept[variant.name].changes)) if variant.name in swept else {}
    spec = own.without_content(variant.spec.model_dump(mode="json", exclude_none=True))
    final = dict(leaves(spec))
    scale = places.get((*key, "scale"), places.get(("scale",)))

    def where(path: Path) -> str:
        if full.get(path) != final[path]:
            return f"label of datasets.{full[path]}" if path == ("data", "name") else f"scale in {scale}"
        if path in of_sweep:
            return _place_of_sweep(variant.study, path, places)
        if path in changed:
            return places.get((*key, "variants", variant.name, *path), DEFAULT)
        if path in written:
            return places.get((*key, "base", *path), places.get(path, DEFAULT))
        return DEFAULT

    seeds = ", ".join(map(str, variant.seeds))
    head = (
        f"# {variant.study}/{variant.name}: run {variant.spec.run}, seeds {seeds}, scale {variant.scale.name}"
    )
    return f"{head}\n{_text(spec, where)}"


def _part(content: Any, key: str, path: Path) -> dict[str, Any]:
    """Return the content of a key with the keys above it; UserError if there is none."""
    there = content if isinstance(content, Mapping) else {}
    if key in there:
        return {key: there[key]}
    for name in there:  # which may hold dots
        if key.startswith(f"{name}."):
            return {name: _part(there[name], key.removeprefix(f"{name}."), (*path, name))}
    raise UserError(choice_fault((*path, key), key, there))


def _text(content: Mapping[str, Any], where: Callable[[Path], str]) -> str:
    return "\n".join(_lines(content, (), where)) + "\n"


def _lines(content: Mapping[str, Any], path: Path, where: Callable[[Path], str]) -> Iterator[str]:
    for key, value in content.items():
        here = (*path, key)
        inside = isinstance(value, Mapping) and bool(value)
        places = {where(leaf) for leaf, _ in leaves(value, here)} if inside else {where(here)}
        start = f"{'  ' * len(path)}{_flow(key)}:"
        line = f"{start} {_flow(value)}"
        if inside and (len(places) > 1 or len(line) > WIDTH):
            yield start
            yield from _lines(value, here, where)
        else:
            yield f"{line}  # {places.pop()}"


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=math.inf)
    text = text.removeprefix("[").rstrip().removesuffix("]")
    return json.dumps(value) if "\n" in text else text
