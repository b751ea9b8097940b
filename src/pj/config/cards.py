"""A component's card: its options and facts, read from the source of the component itself.

A network, loss, optimizer, schedule or data source is declared once, where it is made: the arguments of its
constructor (or function), with their types and defaults, are its options; the ``Args`` of its docstring say
what they mean; class attributes in capitals are facts about it. All of it is read as syntax, because
importing the module would load torch into every job that parses the configuration.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Field, create_model
from pydantic.json_schema import SkipJsonSchema

from pj import syntax
from pj.config import own
from pj.config.types import VOCABULARY, Strict
from pj.errors import UserError
from pj.syntax import parsed


class Component(Strict):
    """A part of a run: its name (for a data source: ``source``) and its options."""

    if TYPE_CHECKING:
        name: str

        def __getattr__(self, option: str) -> Any: ...

    else:

        def __getattr__(self, option: str) -> Any:
            """Return an option of a user's own component, as of the others."""
            options = self.__dict__.get("options")
            return options[option] if option in (options or ()) else super().__getattr__(option)

    def arguments(self, names: Collection[str]) -> dict[str, Any]:
        """Return the options but ``names`` as keyword arguments; ``class`` becomes ``class_``."""
        options = self.model_dump(exclude=set(names))
        return {f"{key}_" if iskeyword(key) else key: value for key, value in options.items()}


@dataclass(frozen=True)
class Card:
    """What is known about a component without importing it."""

    settings: type[Component]  # its keys in a configuration
    annotations: dict[str, str]  # of all arguments, as in the source
    facts: dict[str, Any] = field(default_factory=dict)  # class attributes in capitals, literals only


def read(
    module: ModuleType,
    kind: str,
    given: Collection[str],
    *,
    optional: Collection[str] = (),
    facts: Collection[str] = (),
    key: str = "name",
    **more: Any,
) -> dict[str, Card]:
    """Return the cards of a registry's components by name.

    Args:
        module: that has the ``REGISTRY``, a dictionary from names to "module:object".
        kind: what the components are, in one word.
        given: arguments that every component takes and that are not options: the caller passes them.
        optional: the same, but a component need not take them.
        facts: class attributes that every component must have.
        key: which key names the component in a configuration.
        more: fields that all components have in addition, as pydantic's ``create_model`` takes them.

    Raises:
        UserError: what cannot be read from the syntax, of which component, and where it is.

    """
    path = Path(str(module.__file__))
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Dict):
            names = [entry.value for entry in node.keys if isinstance(entry, ast.Constant)]
            if twice := [name for name in names if names.count(name) > 1]:
                raise UserError(f"{path}: two components are named {twice[0]!r}; give each its own name")
    cards = {}
    for name, target in module.REGISTRY.items():
        card = _card(name, kind, target, (*given, *optional), key, more)
        where = f"{kind} {name!r} ({target})"
        if lacking := [argument for argument in given if argument not in card.annotations]:
            raise UserError(f"{where} does not take {', '.join(lacking)}; needed: {', '.join(given)}")
        if lacking := [fact for fact in facts if card.facts and fact not in card.facts]:
            raise UserError(f"{where} lacks the class attribute {', '.join(lacking)}")
        cards[name] = card
    return cards


def union(cards: Mapping[str, Card], given: own.Given, key: str = "name") -> Any:
    """Return the type of a component that is one of these, or a class of the user's own."""
    members: Any = Union[tuple(card.settings for card in cards.values())]  # noqa: UP007
    completed = partial(own.completed, given=given, key=key)
    return Annotated[Annotated[members, Field(discriminator=key)], BeforeValidator(completed)]


def _card(
    name: str, kind: str, target: str, given: Collection[str], key: str, more: Mapping[str, Any]
) -> Card:
    module, _, thing = target.partition(":")
    if not thing:
        raise UserError(f'{kind} {name!r}: the registry has {target!r}; needed: "module:object"')
    path = _file(module, name)
    definitions = _definitions(path)
    if thing not in definitions:
        raise UserError(f"{path} has no class or function {thing}, which the registry names for {name!r}")
    lineage = list(syntax.lineage(thing, definitions))
    function = syntax.constructor(lineage)
    if function is None:
        raise UserError(f"{path}: {thing} has no constructor in this file; its options are read from there")
    meanings: dict[str, str] = {}
    for node in (function, *lineage):
        meanings = _meanings(ast.get_docstring(node) or "") | meanings
    fields, annotations = {}, {}
    for argument, default in syntax.arguments(function):
        annotations[argument.arg] = ast.unparse(argument.annotation) if argument.annotation else ""
        if argument.arg in given or argument.arg == "self":
            continue
        where = f"{path}, line {argument.lineno}: option {argument.arg}"
        annotation = _type(argument, where)
        fields[argument.arg.rstrip("_")] = (
            Annotated[annotation, SkipJsonSchema()] if argument.arg == own.CONTENT else annotation,
            _field(default, meanings.get(argument.arg), where),
        )
    facts: dict[str, Any] = {}
    for constant, value in (found for node in reversed(lineage) for found in syntax.constants(node)):
        try:
            facts[constant] = ast.literal_eval(value)
        except ValueError:
            raise UserError(f"{path}, line {value.lineno}: {constant} must be a literal") from None
    summary = (ast.get_docstring(lineage[0]) or name).split("\n\n")[0]
    if summary.startswith("Return "):  # of a function; people read what it is
        first = summary.removeprefix("Return ").split()[0]
        start = first.capitalize() if first.isalpha() else first
        summary = start + summary.removeprefix(f"Return {first}")
    settings: Any = create_model(  # type: ignore[call-overload]
        "".join(part.capitalize() for part in f"{name}_{kind}".split("_")),
        __base__=Component,
        __doc__=summary,
        **{key: (Literal[name], Field(description=summary.split("\n")[0]))},
        **fields,
        **more,
    )
    return Card(settings, annotations, facts)


def _file(module: str, name: str) -> Path:
    """Return a module's file, importing only the packages that it is in."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise UserError(f"the module {module}, which the registry names for {name!r}, does not exist")
    return Path(spec.origin)


@cache
def _definitions(path: Path) -> dict[str, syntax.Definition]:
    """Return the classes and functions at the top of a file."""
    body = parsed(path).body
    return {node.name: node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def _type(argument: ast.arg, where: str) -> Any:
    if argument.annotation is None:
        raise UserError(f"{where} has no type annotation")
    expression = compile(ast.Expression(argument.annotation), where, "eval")
    try:
        return eval(expression, {"__builtins__": {}}, VOCABULARY)
    except NameError as error:
        raise UserError(f"{where}: {error}; allowed: the types of pj.config.types") from None


def _field(default: ast.expr | None, meaning: str | None, where: str) -> Any:
    # an option without a meaning of its own has that of its type
    described: dict[str, Any] = {"description": meaning} if meaning else {}
    if default is None:
        return Field(**described)
    try:
        value = ast.literal_eval(default)
    except ValueError:
        raise UserError(f"{where}: its default {ast.unparse(default)} must be a literal") from None
    value = list(value) if isinstance(value, tuple) else value
    return Field(value, validate_default=True, **described)


def _meanings(docstring: str) -> dict[str, str]:
    """Return what a docstring's ``Args`` say, by argument."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", docstring, re.MULTILINE | re.DOTALL)
    if not section:
        return {}
    entries = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", section[1], re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()).rstrip(".") for name, text in entries}
