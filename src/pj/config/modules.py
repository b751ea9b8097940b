"""Names followed from file to file, without importing any: where a module is, and what a name in it means.

What cannot be told for certain (compiled code, a name that is bound twice, a module that makes its names
when it runs) is None.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from pj import syntax
from pj.errors import UserError

INSTALLED = ("site-packages", "dist-packages")  # what lies in these folders is not a user's own
HOPS = 6  # imports that are followed from one file to the next


@dataclass(frozen=True)
class Found:
    """A class or function, and its file."""

    path: Path
    node: syntax.Definition


def located(module: str, search: Sequence[str], *, hooks: bool = True) -> Path | None:
    """Return a module's file, or the folder of one that has no ``__init__.py``; None if there is none.

    No package on the way is imported. With ``hooks``, also what an installer finds in its own way.
    """
    places, found = list(search), None
    for i, part in enumerate(module.split(".")):
        # the plain name: the folders of a package without __init__.py would ask for the package itself
        spec = PathFinder.find_spec(part, places)
        if spec is None and i == 0 and hooks:
            spec = _installed_by_a_hook(part)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
        found = spec.origin or next(iter(places), None)
    return Path(found) if found else None


def _installed_by_a_hook(name: str) -> ModuleSpec | None:
    """Return the spec of a package that its installer finds in its own way, as with ``pip install -e``."""
    try:
        return find_spec(name)
    except ValueError:  # it was loaded without one
        return None


@cache
def bound(tree: ast.AST) -> dict[str, list[ast.stmt]]:
    """Return the statements that bind each name in the body of a module or class; ``*``: from elsewhere."""
    found: dict[str, list[ast.stmt]] = {}
    for node in _own_statements(tree):
        for name in _names(node):
            found.setdefault(name, []).append(node)
    return found


def _own_statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements of a body, also those under if, try and with, not those of what it defines."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        if field == "body" and syntax.is_for_type_checkers(tree):
            continue
        for node in getattr(tree, field, ()):
            yield node
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _own_statements(node)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id


def find(path: Path, name: str, hops: int = HOPS) -> Found | None:
    """Return the class or function that a name of a file means, wherever it comes from."""
    there = _bound_in(path)
    statements = there.get(name, [])
    if not hops or len(statements) > 1:
        return None
    if not statements:
        starred = (_found_from(path, node, name, hops) for node in there.get("*", ()))
        return next(filter(None, starred), None)
    (node,) = statements
    if isinstance(node, syntax.Definition):
        return Found(path, node)
    for alias in node.names if isinstance(node, ast.ImportFrom) else ():
        if (alias.asname or alias.name) == name:
            return _found_from(path, node, alias.name, hops)
    return None


def names(path: Path, hops: int = HOPS) -> set[str] | None:
    """Return the names that a file binds, also by ``from … import *``; None if only running it can tell."""
    found = set(_bound_in(path))
    for node in _bound_in(path).get("*", ()):
        assert isinstance(node, ast.ImportFrom)
        module = _imported(path, node.module or "", node.level)
        inside = names(module, hops - 1) if module and hops else None
        if inside is None:
            return None
        found |= inside
    return None if "__getattr__" in found else found - {"*"}


def _found_from(path: Path, node: ast.stmt, name: str, hops: int) -> Found | None:
    assert isinstance(node, ast.ImportFrom)
    module = _imported(path, node.module or "", node.level)
    return find(module, name, hops - 1) if module else None


def meant(path: Path, expression: ast.expr) -> Found | None:
    """Return the class or function that an expression in a file means, such as ``nn.Linear``."""
    if isinstance(expression, ast.Name):
        return find(path, expression.id)
    if isinstance(expression, ast.Attribute):
        module = _module(path, ast.unparse(expression.value))
        return find(module, expression.attr) if module else None
    return None


def _module(path: Path, dotted: str) -> Path | None:
    """Return the file of the module that a dotted name in a file means."""
    first, _, rest = dotted.partition(".")
    statements = _bound_in(path).get(first, [])
    for node in statements if len(statements) == 1 else ():
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            if isinstance(node, ast.ImportFrom) and (alias.asname or alias.name) == first:
                inside = ".".join(filter(None, (node.module, alias.name, rest)))
                return _imported(path, inside, node.level)
            if isinstance(node, ast.Import) and first in (alias.asname, alias.name.partition(".")[0]):
                full = ".".join(filter(None, (alias.name, rest))) if alias.asname else dotted
                return _imported(path, full, 0)
    return None


def _imported(path: Path, module: str, level: int) -> Path | None:
    """Return the file of a module as a file imports it."""
    if level and not module:
        found: Path | None = path.parents[level - 1] / "__init__.py"
    elif level:
        found = located(module, [str(path.parents[level - 1])], hooks=False)
    else:
        beside = [] if set(INSTALLED) & set(path.parts) else [str(path.parent.absolute()), str(Path.cwd())]
        found = located(module, [*beside, *sys.path])
    return found if found and found.suffix == ".py" and found.is_file() else None


def _bound_in(path: Path) -> dict[str, list[ast.stmt]]:
    try:
        return bound(syntax.parsed(path))
    except UserError:  # it is not the file that a configuration names; the job says it
        return {}
