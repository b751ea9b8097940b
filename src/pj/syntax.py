"""Python files read as syntax trees, without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pj.errors import UserError


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's tree, which nobody may change; UserError names the line that is not Python."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}") from None
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


def written(node: object) -> str:
    """Return a tree as text that every version of Python writes alike: fields that are empty are left out."""
    if isinstance(node, list):
        return f"[{','.join(map(written, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, getattr(node, name, None)) for name in node._fields if name != "kind")
    inside = ",".join(f"{name}={written(value)}" for name, value in fields if value not in (None, []))
    return f"{type(node).__name__}({inside})"
