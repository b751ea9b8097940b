"""The keys of config.yaml and claims.yaml, as JSON schemas for editors and as a page for readers.

Both are generated from the types and descriptions of settings. An overlay may leave out anything, and a
variant most of a specification, so the schemas require no key; required keys are checked on reading.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from pj.config.settings import Settings

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def of_config() -> Schema:
    """Return the schema of config.yaml and its overlays."""
    return _relaxed(_of(Settings, "The keys of config.yaml and of overlays of it."))


def of_claims(claims: type[BaseModel]) -> Schema:
    """Return the schema of claims.yaml, whose type `pj.claims` has."""
    return _relaxed(_of(claims, "The keys of claims.yaml."))


def _of(model: type[BaseModel], description: str) -> Schema:
    return {"$schema": DRAFT} | model.model_json_schema() | {"description": description}


def _relaxed(node: Any) -> Any:
    """Return a schema that requires no key, and accepts whichever of several alternatives fit."""
    if isinstance(node, list):
        return [_relaxed(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {
        key: {name: _relaxed(inner) for name, inner in value.items()}
        if key in ("properties", "$defs")
        else _relaxed(value)
        for key, value in node.items()
        if key not in ("required", "discriminator", "title") or not isinstance(value, list | dict | str)
    }
    if "oneOf" in found:
        found["anyOf"] = found.pop("oneOf")
    return found


HEAD = """\
# Reference: config.yaml and claims.yaml

Every key that a configuration or a file of claims may have, with its type, default and meaning. The page is
generated from the types of the settings by `pj schema`. Editors that know JSON schemas check and complete
these files while you type: the first line of each file names its schema (`config.schema.json`,
`claims.schema.json`).
"""


def page(config: Schema, claims: Schema) -> str:
    """Return the reference page: one table per kind of mapping."""
    parts = [HEAD]
    for title, schema in (("config.yaml", config), ("claims.yaml", claims)):
        parts += [f"## {title}\n", _table(schema)]
        for name, definition in sorted(schema["$defs"].items()):
            if "properties" in definition:
                description = " ".join(definition.get("description", "").split("\n\n")[0].split())
                parts += [f"### {name}\n", f"{description}\n" if description else "", _table(definition)]
    return "\n".join(filter(None, parts))


def _table(schema: Schema) -> str:
    rows = ["| key | type | default | meaning |", "|:--|:--|:--|:--|"]
    for key, field in schema["properties"].items():
        cells = (f"`{key}`", _kind(field), _default(field), field.get("description", ""))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _default(field: Schema) -> str:
    if "default" not in field:
        return ""
    value = field["default"]
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _kind(field: Schema) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(map(_kind, field["anyOf"])))
    if field.get("type") == "array":
        return f"a list, each item {_kind(field['items'])}" if field.get("items") else "a list"
    if field.get("type") == "object":
        inside = field.get("additionalProperties") or next(
            iter(field.get("patternProperties", {}).values()), None
        )
        return f"a mapping of names to {_kind(inside)}" if isinstance(inside, dict) else "a mapping"
    kinds = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
    kind = kinds.get(field.get("type", ""), "null" if field.get("type") == "null" else "anything")
    return " ".join([kind, *_bounds(field)])


def _bounds(field: Schema) -> Iterator[str]:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]:g}" for key, sign in words.items() if key in field]
    if bounds:
        yield ", ".join(bounds)
