"""Pydantic's errors as messages for users: the key's path in the file, what is allowed, the nearest name."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import SkipJsonSchema

from pj.config import yaml_files

MISSING, NULL = "required key is missing", " (null)"
_ABSENT = object()


def faults_of(
    error: ValidationError,
    model: type[BaseModel],
    path: tuple[str, ...],
    changes: Mapping[str, Any] | None = None,
    variant: str = "",
    swept: Iterable[tuple[str, ...]] = (),
    base: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return pydantic's errors as messages.

    With ``changes`` of a ``base``, they name the base, the variant or, for the keys ``swept``, the sweep that
    is at fault.
    """
    faults = []
    for item in error.errors(include_url=False):
        keys = _keys(model, item["loc"])
        if item["type"] == "union_tag_invalid":
            keys = (*keys, item["ctx"]["discriminator"].strip("'"))
        where = path
        if changes is not None:
            where = (*path, "variants", variant) if _holds(changes, keys) else (*path, "base")
            if keys and any(keys[: len(key)] == key[: len(keys)] for key in swept):
                where = (*path, "sweep")
            field = model.model_fields.get(keys[0]) if keys else None
            needed = where[-1] == "sweep" or (field is not None and field.is_required())
            if base is not None and needed and item["type"] == "union_tag_not_found":
                where, item = (*path, "base"), _of_base(item, base.get(keys[0], _ABSENT))
        faults.append(f"{'.'.join((*where, *keys)) or 'the file'}: {_reason(item, model)}")
    return faults


def _of_base(item: Any, given: Any) -> Any:
    """Return the error of a component without a name as that of the base, which should name it."""
    return item | ({"type": "missing"} if given is _ABSENT else {"input": given})


def _holds(changes: Any, keys: tuple[str, ...]) -> bool:
    if not keys:
        return True
    if isinstance(changes, Mapping) and keys[0] in changes:
        return not isinstance(changes[keys[0]], Mapping) or _holds(changes[keys[0]], keys[1:])
    # if the variant names the component, what the component lacks is the variant's fault
    return isinstance(changes, Mapping) and len(keys) == 1 and bool({"name", "source"} & changes.keys())


def _reason(item: Any, model: type[BaseModel]) -> str:
    kind, given, context = item["type"], item["input"], item.get("ctx", {})
    # an optional key that is null has been left out before (pj.config.overlays)
    if given is None and kind != "extra_forbidden" and not isinstance(item["loc"][-1], int):
        return f"{MISSING}{NULL}"
    if kind == "union_tag_invalid" and given.get(context["discriminator"].strip("'"), "") is None:
        return f"{MISSING}{NULL}"
    if kind == "too_short" and given == {}:
        return "is empty; needed: at least one entry"
    if kind == "extra_forbidden":
        key = str(item["loc"][-1])
        return f"unknown key {key!r}. {_allowed(key, _fields(model, item['loc']))}"
    if kind == "missing":
        return MISSING
    if kind in ("union_tag_invalid", "literal_error"):
        choices = (context.get("expected_tags") or context.get("expected", "")).replace(" or ", ", ")
        wrong = context.get("tag", given)
        allowed = _allowed(str(wrong), [c.strip(chr(39)) for c in choices.split(", ")])
        return f"unknown value {_shown(wrong)}. {allowed}"
    if kind == "union_tag_not_found":
        return f"{_shown(given)} lacks the required key {context.get('discriminator', 'name')}"
    if isinstance(given, str) and kind in ("float_type", "int_type"):
        number = yaml_files.as_number(given)
        if not isinstance(number, str):
            if kind == "int_type" and number.is_integer():
                number = int(number)
            return f"{given!r} is text in YAML; write {number!r}"
    if kind == "finite_number":
        return f"{given!r}; allowed: a finite number"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{_shown(given)}; allowed: a mapping of keys to values"
    if kind == "value_error":
        return str(context["error"])
    message = item["msg"].removeprefix("Input ").replace("should be", "allowed:")
    return f"{_shown(given)}; {message}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _allowed(given: str, choices: Iterable[str]) -> str:
    choices = list(choices)
    return f"Allowed: {', '.join(choices)}{nearest(given, choices)}" if choices else "There are none"


def nearest(given: str, choices: Iterable[str]) -> str:
    """Return ". Did you mean …?" with the choice that is most like what was given; empty if none is."""
    near = difflib.get_close_matches(given, list(choices), n=1)
    return f". Did you mean {near[0]!r}?" if near and near[0] != given else ""


def choice_fault(
    path: tuple[str, ...], given: str, choices: Iterable[str], reason: str = "unknown name"
) -> str:
    """Return the message about a name that is none of the choices."""
    return f"{'.'.join(path)}: {reason} {given!r}. {_allowed(given, choices)}"


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return pydantic's location as the file's key path, without the tags of discriminated unions."""
    keys: list[str] = []
    annotation: Any = model
    for part in loc:
        annotation, tag = _inside(annotation, part)
        if not tag and part != "[key]":
            keys.append(str(part))
    return tuple(keys)


def _fields(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are allowed where an unknown one was found."""
    annotation: Any = model
    for part in loc[:-1]:
        annotation, _ = _inside(annotation, part)
    annotation = unwrapped(annotation)
    known = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return writable(annotation) if known else []


def writable(model: type[BaseModel]) -> list[str]:
    """Return the keys that a user may write of a model."""
    return [
        field.alias or name
        for name, field in model.model_fields.items()
        if not any(type(mark) is SkipJsonSchema for mark in field.metadata)
    ]


def with_removed(faults: Iterable[str], removed: Iterable[tuple[str, ...]]) -> list[str]:
    """Return faults; those of an unknown name say if it is one that an overlay has removed."""
    by_name = {path[-1]: ".".join(path) for path in removed}
    return [
        f"{fault} (null took out {by_name[found[1]]})"
        if (found := re.search(r": unknown name '(.+?)'\.", fault)) and found[1] in by_name
        else fault
        for fault in faults
    ]


def unwrapped(annotation: Any) -> Any:
    """Return the type that is annotated, or that may be None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        members = [m for m in get_args(annotation) if m is not type(None)]
        if len(members) == 1:
            return unwrapped(members[0])
    return annotation


def _inside(annotation: Any, part: int | str) -> tuple[Any, bool]:
    """Return the type that one part of a location leads to, and whether that part is a union's tag."""
    annotation = unwrapped(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return next((m for m in get_args(annotation) if part in tags(m)), None), True
    if get_origin(annotation) in (dict, list):
        return get_args(annotation)[-1], False
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and part in annotation.model_fields:
        return annotation.model_fields[str(part)].annotation, False
    return None, False


def tags(member: Any) -> tuple[Any, ...]:
    """Return the names that choose a component: the values of its name, source or statistic."""
    for key in ("name", "source", "statistic"):
        if key in getattr(member, "model_fields", ()):
            return get_args(member.model_fields[key].annotation)
    return ()
