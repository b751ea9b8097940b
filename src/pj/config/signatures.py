"""What a class or function takes, read from its source and that of what it inherits and passes on to.

What cannot be known for certain (a base that is not found, a decorator, a constructor that is made when its
module runs) is None: then nothing is said before the job that calls it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pj import syntax
from pj.config.modules import HOPS, Found, bound, meant

# decorators that leave a function's arguments as they are
NEUTRAL = (
    *("no_grad", "enable_grad", "inference_mode", "cache", "lru_cache", "final", "compile"),
    *("register_model", "handle_legacy_interface"),  # torchvision's
)
ROOTS = ("nn.Module", "torch.nn.Module")
SETS_ONE = "_ovewrite_named_param"  # torchvision's way to write kwargs[name]


@dataclass(frozen=True)
class Signature:
    """The arguments of a class or function."""

    placed: tuple[str, ...] = ()  # that may be given by their place
    named: tuple[str, ...] = ()  # that may be given by name, also on the way of **kwargs
    needed: tuple[str, ...] = ()  # without a default
    defaults: dict[str, Any] = field(default_factory=dict)  # those that are literals
    any_place: bool = False  # *args
    any_name: bool = False  # **kwargs that may take more names than these


def _class(text: str) -> ast.ClassDef:
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.ClassDef)
    return node


# its real constructor passes anything on, and then refuses it
ROOT = Found(Path("torch"), _class("class Module:\n    def __init__(self): ..."))


def of(found: Found, hops: int = HOPS) -> Signature | None:
    """Return what a class or function takes; None if its source does not say.

    ``hops``: calls with ``**kwargs`` that are followed from one function to the next.
    """
    if isinstance(found.node, ast.FunctionDef):
        return _of_function(found.node, found, (), hops)
    return _of_constructor(lineage(found), hops)


def lineage(found: Found) -> list[Found | None]:
    """Return a class and those that it inherits from, in Python's order; None for one that is not found."""
    made: dict[object, type] = {}
    known: dict[type, Found] = {}

    def stand_in(base: Found) -> type:
        """Make a class of the same place, and let Python find the order."""
        if base.node not in made:
            made[base.node] = object  # a class that is its own base
            assert isinstance(base.node, ast.ClassDef)
            bases = [node for node in base.node.bases if ast.unparse(node) != "object"]
            made[base.node] = new = type(base.node.name, tuple(of_base(node, base) for node in bases), {})
            known[new] = base
        return made[base.node]

    def of_base(node: ast.expr, heir: Found) -> type:
        base = ROOT if ast.unparse(node) in ROOTS else meant(heir.path, node)
        if base and isinstance(base.node, ast.ClassDef):
            return stand_in(base)
        return made.setdefault(ast.unparse(node), type("Unknown", (), {}))

    if isinstance(found.node, ast.FunctionDef):
        return [found]
    try:
        return [known.get(kind) for kind in stand_in(found).__mro__[:-1]]
    except TypeError:  # Python would refuse it, too
        return [found, None]


def _of_constructor(classes: Sequence[Found | None], hops: int) -> Signature | None:
    for i, found in enumerate(classes):
        if found is None or not isinstance(found.node, ast.ClassDef):
            return None
        inside, of_fields = bound(found.node), _is_dataclass(found.node)
        others = [d for d in found.node.decorator_list if _last_name(d) not in ("dataclass", *NEUTRAL)]
        if others or found.node.keywords or "__new__" in inside:
            return None
        if "__init__" in inside:
            node = inside["__init__"][-1]
            if len(inside["__init__"]) > 1 or not isinstance(node, ast.FunctionDef):
                return None
            return _of_function(node, found, classes[i + 1 :], hops)
        if of_fields:
            return _of_fields(classes[i:])
    return Signature()


def _of_function(
    node: ast.FunctionDef, found: Found, above: Sequence[Found | None], hops: int
) -> Signature | None:
    """Return what a function of a file takes, or the constructor of a class, with the classes above it."""
    if any(_last_name(decorator) not in NEUTRAL for decorator in node.decorator_list):
        return None
    args, skipped = node.args, int(node is not found.node)  # self
    defaults = {arg.arg: default for arg, default in syntax.arguments(node)}
    placed = [arg.arg for arg in (*args.posonlyargs, *args.args)][skipped:]
    named = [arg.arg for arg in (*args.args, *args.kwonlyargs)]
    named = named[skipped:] if not args.posonlyargs else named
    more, any_name = _passed_on(node, found, above, hops)
    return Signature(
        placed=tuple(placed),
        named=tuple(dict.fromkeys((*named, *more))),
        needed=tuple(n for n in dict.fromkeys((*placed, *named)) if defaults[n] is None),
        defaults=_literals(defaults),
        any_place=args.vararg is not None,
        any_name=any_name,
    )


def _passed_on(
    node: ast.FunctionDef, found: Found, above: Sequence[Found | None], hops: int
) -> tuple[list[str], bool]:
    """Return the names that a function takes by its ``**kwargs``, and whether it may take others.

    Names count that it reads from them (``kwargs.get("hidden", 8)``), and those of what it calls with them.
    """
    if node.args.kwarg is None:
        return [], False
    kwargs, names, understood, any_name = node.args.kwarg.arg, [], 0, False
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and _is(part.value, kwargs):
            names += (key := _text(part.slice))
            understood += len(key)
        if isinstance(part, ast.Compare):  # "hidden" in kwargs
            understood += sum(_is(other, kwargs) for other in part.comparators)
        if not isinstance(part, ast.Call):
            continue
        if isinstance(part.func, ast.Attribute) and _is(part.func.value, kwargs) and part.args:
            names += (key := _text(part.args[0]))
            understood += len(key)
        if _last_name(part) == SETS_ONE:
            understood += 1
        for keyword in part.keywords:
            if keyword.arg is None and _is(keyword.value, kwargs):
                understood += 1
                called = _called(part, found, above, hops - 1) if hops else None
                if called is None or any(isinstance(argument, ast.Starred) for argument in part.args):
                    any_name = True
                    continue
                given = {*called.placed[: len(part.args)], *(other.arg for other in part.keywords)}
                names += [name for name in called.named if name not in given]
                any_name |= called.any_name
    uses = sum(_is(part, kwargs) for part in ast.walk(node))
    return names, any_name or uses != understood


def _called(call: ast.Call, found: Found, above: Sequence[Found | None], hops: int) -> Signature | None:
    if ast.unparse(call.func) == "super().__init__":
        return _of_constructor(above, hops)
    other = meant(found.path, call.func)
    return of(other, hops) if other else None


def _of_fields(classes: Sequence[Found | None]) -> Signature | None:
    """Return what the constructor takes that ``@dataclass`` makes."""
    names: dict[str, ast.expr | None] = {}
    for found in reversed(classes):
        if found is None:
            return None
        if not isinstance(found.node, ast.ClassDef) or not _is_dataclass(found.node):
            continue
        if any("init" in _keywords(decorator) for decorator in found.node.decorator_list):
            return None
        for node in found.node.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            if "ClassVar" in (kind := ast.unparse(node.annotation)) or "KW_ONLY" in kind:
                continue
            default = node.value
            if isinstance(default, ast.Call) and _last_name(default) == "field":
                known = _keywords(default)
                if "init" in known:
                    continue
                default = known.get("default", known.get("default_factory"))
            names[node.target.id] = default
    needed = tuple(name for name, default in names.items() if default is None)
    return Signature(tuple(names), tuple(names), needed, _literals(names))


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(_last_name(decorator) == "dataclass" for decorator in node.decorator_list)


def _keywords(node: ast.expr) -> dict[str | None, ast.expr]:
    return {keyword.arg: keyword.value for keyword in node.keywords} if isinstance(node, ast.Call) else {}


def _literals(defaults: dict[str, ast.expr | None]) -> dict[str, Any]:
    found = {}
    for name, default in defaults.items():
        if default is not None:
            with suppress(ValueError, TypeError):
                found[name] = ast.literal_eval(default)
    return found


def _last_name(node: ast.expr) -> str:
    """Return ``no_grad`` of ``torch.no_grad()``."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _text(node: ast.expr) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
