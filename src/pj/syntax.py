"""Python files read as syntax trees, without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar, TypeAlias

from pj.errors import UserError

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's tree, which nobody may change; UserError names the line that is not Python."""
    try:
        # of bytes, so that Python itself finds their encoding, from a byte order mark or a comment
        return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise UserError(f"{path}{line}: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and the statements in it, however deep: most nodes of a tree are parts of expressions."""
    yield node
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        inside = getattr(node, field, None)
        if isinstance(inside, list):
            for statement in inside:
                yield from statements(statement)


def strip_inert(tree: ast.Module) -> None:
    """Remove docstrings, and what is imported only for type checkers."""
    for node in statements(tree):
        if is_for_type_checkers(node):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]


def is_for_type_checkers(node: ast.AST) -> bool:
    """Whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def lineage(name: str, definitions: Mapping[str, Definition]) -> Iterator[Definition]:
    """Yield a function, or a class and those classes of ``definitions`` that it inherits from."""
    node = definitions.get(name)
    if node is None:
        return
    yield node
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        if isinstance(base, ast.Name) and base.id != name:
            yield from lineage(base.id, definitions)


def constructor(found: Iterable[Definition]) -> ast.FunctionDef | None:
    """Return a function, or the first constructor in the lineage of a class."""
    for node in found:
        if isinstance(node, ast.FunctionDef):
            return node
        for inside in node.body:
            if isinstance(inside, ast.FunctionDef) and inside.name == "__init__":
                return inside
    return None


def arguments(function: ast.FunctionDef) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield each named argument with its default, None if it has none."""
    known = function.args
    placed = [*known.posonlyargs, *known.args]
    missing = [None] * (len(placed) - len(known.defaults))
    yield from zip(placed, [*missing, *known.defaults], strict=True)
    yield from zip(known.kwonlyargs, known.kw_defaults, strict=True)


def constants(node: Definition) -> Iterator[tuple[str, ast.expr]]:
    """Yield the attributes of a class that are named in capitals, with their values."""
    for statement in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper():
                    yield target.id, statement.value


class Writer:
    """Trees as text that every version of Python writes alike: fields that are empty are left out."""

    LEFT_OUT: ClassVar[tuple[str, ...]] = ("kind",)  # fields that say nothing

    def text(self, node: object) -> str:
        """Return the text of a tree, or of a list of trees."""
        if isinstance(node, list):
            return f"[{','.join(filter(None, map(self.text, node)))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if (other := self.replaced(node)) is not None:
            return other
        parts = []
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != [] and name not in self.LEFT_OUT:
                parts.append(f"{name}={self.text(value)}")
        return f"{type(node).__name__}({','.join(parts)})"

    def replaced(self, node: ast.AST) -> str | None:
        """Return what is written in the place of a node, empty for nothing; None: the node itself."""
        return None
