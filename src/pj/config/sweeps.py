"""Sweeps: from values of keys to the variants of a study.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias, get_args

from pydantic import ConfigDict, Field

from pj.config import values
from pj.config.messages import choice_fault
from pj.config.types import Name, Strict, distinct
from pj.config.values import MOST, Place, Range, Value

WIDE = 30  # positive values that spread wider than this factor are shown on a logarithmic axis
NAME = str(get_args(Name)[1].pattern)


class Sweep(Strict):
    """Variants with all combinations of values of a specification's keys, which are written with dots.

    Such as `model.dropout` or `batch_size`, each with a list of values or a range. Its faults are reported by
    `with_variants`; this class is for the JSON schema.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, list[Any] | Range]

    zip: dict[str, list[Any] | Range] | None = Field(
        None, description="keys whose values are taken in pairs: lists of equal length"
    )
    names: str | None = Field(
        None, description="the variants' names, such as p_{model.dropout} (default: dropout_0.1)"
    )
    titles: str | None = Field(
        None, description="the variants' titles, in the same way (default: their names)"
    )


Row: TypeAlias = dict[str, Value]  # the values of one variant by key, or those of a few of its keys


@dataclass(frozen=True)
class Generated:
    """A variant of a sweep: its title, and what it changes in the base."""

    title: str
    changes: dict[str, Any]


class Swept(Strict):
    """The one numeric key of a sweep, and the variants of its values."""

    key: str
    variants: tuple[str, ...]
    log: bool


@dataclass
class _Plan:
    """What a sweep says: its variants by name, and its faults."""

    rows: dict[str, Row] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def with_variants(merged: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return a configuration with the names of swept variants among those of each study, and faults by study.

    Variants under other names come first. A study with a faulty sweep loses it.
    """
    studies = merged.get("studies")
    if not isinstance(studies, Mapping):
        return dict(merged), {}
    found, faults = dict(studies), {}
    for name, study in studies.items():
        sweep = study.get("sweep") if isinstance(study, Mapping) else None
        written = (study.get("variants") or {}) if sweep is not None else None
        if sweep is None or not isinstance(written, Mapping):
            continue
        plan = _plan(sweep, ("studies", str(name), "sweep"))
        own = plan.faults or list(_set_twice(plan, written, ("studies", str(name), "variants")))
        if own:
            faults[str(name)] = own
            found[name] = {**study, "sweep": None, "reference": None, "variants": written or {"any": {}}}
        else:
            others = {key: value for key, value in written.items() if key not in plan.rows}
            swept = {key: written.get(key, {}) for key in plan.rows}
            found[name] = {**study, "variants": others | swept}
    return {**merged, "studies": found}, faults


def variants(sweep: Mapping[str, Any] | None) -> dict[str, Generated]:
    """Return the variants of a sweep without faults, by name."""
    if sweep is None:
        return {}
    plan = _plan(sweep, ())
    return {
        name: Generated(plan.titles[name], _nested({key: found.value for key, found in row.items()}))
        for name, row in plan.rows.items()
    }


def places(sweep: Mapping[str, Any] | None) -> list[Place]:
    """Return the keys that a sweep sets, each as its parts."""
    return [tuple(key.split(".")) for key in _values_by_key(sweep or {})]


def axis(sweep: Mapping[str, Any] | None) -> Swept | None:
    """Return the key of a sweep of one key with several numbers; None of any other."""
    by_key = _values_by_key(sweep or {})
    if len(by_key) != 1:
        return None
    (key, written), rows = next(iter(by_key.items())), _plan(sweep, ()).rows
    swept = [row[key].value for row in rows.values()]
    if len(swept) < 2 or not all(map(values.is_number, swept)):
        return None
    log = bool(isinstance(written, Mapping) and written.get("log"))
    wide = min(swept) > 0 and max(swept) > WIDE * min(swept)
    return Swept(key=key, variants=tuple(rows), log=log or wide)


def _plan(sweep: Any, path: Place) -> _Plan:
    """Return the variants of a sweep, or everything that is wrong with it."""
    if not isinstance(sweep, Mapping):
        return _Plan(faults=[f"{'.'.join(path)}: {sweep!r}; allowed: a mapping of keys to lists of values"])
    plan = _Plan()
    axes = list(_axes(sweep, path, plan.faults))
    keys = list(_values_by_key(sweep))
    if not keys and not plan.faults:
        plan.faults.append(f"{'.'.join(path)}: sweeps no key; give one with its values, or remove the sweep")
    for key in keys:
        if inside := [other for other in keys if other.startswith(f"{key}.")]:
            plan.faults.append(f"{'.'.join((*path, key))}: {inside[0]} is part of it; sweep one of the two")
    if not plan.faults and (count := math.prod(map(len, axes))) > MOST:
        plan.faults.append(f"{'.'.join(path)}: makes {count:,} variants; allowed: at most {MOST:,}")
    templates = {what: _template(sweep, what, keys, path, plan.faults) for what in ("names", "titles")}
    if plan.faults:
        return plan
    rows = [{key: found for part in parts for key, found in part.items()} for parts in product(*axes)]
    names = [_name(row, templates["names"]) for row in rows]
    plan.faults += _name_faults(names, (*path, "names") if templates["names"] else path)
    plan.rows = dict(zip(names, rows, strict=True))
    titles = templates["titles"]
    plan.titles = {name: _filled(titles, row) if titles else name for name, row in plan.rows.items()}
    return plan


def _values_by_key(sweep: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as they are written, by key; keys that an overlay has set to null are left out."""
    zipped = sweep.get("zip")
    own = {key: value for key, value in sweep.items() if key not in Sweep.model_fields}
    pairs = zipped if isinstance(zipped, Mapping) else {}
    return {str(key): value for key, value in (own | dict(pairs)).items() if value is not None}


def _axes(sweep: Mapping[str, Any], path: Place, faults: list[str]) -> Iterable[list[Row]]:
    """Yield what is combined with everything else: the values of one key, or of those that are zipped."""
    for key, written in ((str(key), written) for key, written in sweep.items()):
        if key == "zip" and written is not None:
            yield _zipped(written, (*path, key), sweep, faults)
        elif key not in Sweep.model_fields and written is not None:
            rows = [{key: value} for value in values.read(written, (*path, key), faults)]
            yield _distinct(rows, (*path, key), faults)


def _zipped(written: Any, path: Place, sweep: Mapping[str, Any], faults: list[str]) -> list[Row]:
    if not isinstance(written, Mapping):
        faults.append(f"{'.'.join(path)}: {written!r}; allowed: a mapping of keys to lists of equal length")
        return []
    there = {str(key): value for key, value in written.items() if value is not None}
    faults += [f"{'.'.join((*path, key))}: is swept twice; keep one" for key in there if sweep.get(key)]
    known = len(faults)
    columns = {key: values.read(value, (*path, key), faults) for key, value in there.items()}
    if len({len(column) for column in columns.values()}) > 1 and len(faults) == known:
        lengths = ", ".join(f"{len(column)} of {key}" for key, column in columns.items())
        faults.append(f"{'.'.join(path)}: {lengths}; allowed: lists of equal length")
        return []
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=False)]
    return _distinct(rows, path, faults)


def _distinct(rows: list[Row], path: Place, faults: list[str]) -> list[Row]:
    try:
        distinct([", ".join(map(values.plain, row.values())) for row in rows])
    except ValueError as error:
        faults.append(f"{'.'.join(path)}: {error}")
    return rows


def _name(row: Row, template: str | None) -> str:
    if template:
        return _filled(template, row)
    labels = _labels(row)
    parts = [f"{labels[key]}_{found.text}" for key, found in row.items()]
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(parts))


def _labels(keys: Iterable[str]) -> dict[str, str]:
    """Return a short name of each key: its last part, or as many as tell it from the others.

    A component's `name` is named by what it is: `model`, not `name`.
    """
    parts = {key: key.removesuffix(".name").split(".") for key in keys}
    labels = {key: own[-1] for key, own in parts.items()}
    for length in range(2, 1 + max(map(len, parts.values()), default=0)):
        counts = Counter(labels.values())
        labels = {
            key: ".".join(parts[key][-length:]) if counts[label] > 1 else label
            for key, label in labels.items()
        }
    return labels


def _template(
    sweep: Mapping[str, Any], what: str, keys: list[str], path: Place, faults: list[str]
) -> str | None:
    template = sweep.get(what)
    if template is None:
        return None
    if not isinstance(template, str):
        faults.append(f"{'.'.join((*path, what))}: {template!r}; allowed: text such as p_{{model.dropout}}")
        return None
    unknown = [key for key in re.findall(r"{([^{}]*)}", template) if key not in keys]
    faults += [choice_fault((*path, what), key, keys) for key in unknown]
    return template


def _filled(template: str, row: Row) -> str:
    return re.sub(r"{([^{}]*)}", lambda found: row[found[1]].text, template)


def _name_faults(names: list[str], path: Place) -> Iterable[str]:
    """Yield the first name that several variants have, and the first that is none."""
    place = ".".join(path)
    if twice := [(name, count) for name, count in Counter(names).items() if count > 1][:1]:
        name, count = twice[0]
        yield f"{place}: {count} variants have the name {name!r}; names must say every value that differs"
    if wrong := [name for name in names if not re.fullmatch(NAME, name)][:1]:
        yield f"{place}: {wrong[0]!r} is not a name; allowed: letters, digits, _ . -, a letter or digit first"


def _set_twice(plan: _Plan, written: Mapping[str, Any], path: Place) -> Iterable[str]:
    """Yield the keys that are swept and are set by a variant of the sweep as well."""
    for name, row in plan.rows.items():
        for key in row:
            if written.get(name) is not None and _sets(written[name], key.split(".")):
                yield f"{'.'.join((*path, name, key))}: is swept by the study; remove it here or there"


def _sets(changes: Any, parts: list[str]) -> bool:
    if not parts or not isinstance(changes, Mapping):  # all of it is replaced
        return True
    return parts[0] in changes and _sets(changes[parts[0]], parts[1:])


def _nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in changes.items():
        *parents, last = key.split(".")
        inner = found
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return found
