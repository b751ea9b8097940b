"""A user's own network, loss, optimizer, schedule or data source: ``{class: "my_nets.py:TinyNet"}``.

The file is read as syntax, never imported here: its constructor's arguments are the names of options, and a
hash of it and of the files beside it that it imports is part of the specification, so that editing
them makes another run. `pj.own` imports it, in the job that uses it.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from pj import syntax
from pj.config.messages import nearest
from pj.errors import UserError
from pj.syntax import Writer, parsed, statements, strip_inert

PACKAGE = Path(__file__).resolve().parents[1]
NAME, CLASS, CONTENT = "own", "class", "content"
INSTALLED = ("site-packages", "dist-packages")  # what lies in these folders is not a user's own


def completed(raw: Any, given: Collection[str], key: str = "name") -> Any:
    """Return a component's settings; those with a ``class`` with the hash of its content.

    Args:
        raw: as in a configuration, or with its content as in a specification.
        given: arguments that are no options: the caller passes them.
        key: which key names a component.

    Raises:
        ValueError: the file, class or option that is not there, and the nearest name.

    """
    if not isinstance(raw, Mapping) or CLASS not in raw or raw.get(key, NAME) != NAME:
        return raw
    found = {key: NAME, **raw}
    if CONTENT in raw or not isinstance(raw[CLASS], str):
        return found
    try:
        check_options(raw[CLASS], raw.get("options") or {}, given)
        return found | {CONTENT: content(raw[CLASS])}
    except UserError as error:
        raise ValueError(f"class: {error}") from None


def split(target: str) -> tuple[str, str]:
    """Return file or module, and the name in it; UserError for another form."""
    place, _, name = target.rpartition(":")
    if not place or not name.isidentifier():
        raise UserError(f'{target!r}; allowed: "file.py:Name" or "package.module:Name"')
    return place, name


def path_of(target: str) -> Path:
    """Return the file of a target, relative to the current folder; UserError if there is none."""
    place, _ = split(target)
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            beside = [str(other) for other in sorted(path.parent.glob("*.py"))]
            raise UserError(f"{place} does not exist in {Path.cwd()}{nearest(place, beside)}")
        return path
    search: Any = [str(Path.cwd()), *sys.path]
    for i in range(len(parts := place.split("."))):
        spec = PathFinder.find_spec(".".join(parts[: i + 1]), search)  # imports no package on the way
        if spec is None:
            raise UserError(f"there is no module {place}; a file is named with its ending, {place}.py:…")
        search = spec.submodule_search_locations
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise UserError(f"the module {place} is no Python file")
    return Path(spec.origin)


def _lineage(target: str) -> list[syntax.Definition]:
    """Return a function, or a class and its bases in the file, as syntax; nothing if the module imports it.

    UserError if it is not there.
    """
    path, (_, name) = path_of(target), split(target)
    there = {}
    for node in statements(parsed(path)):
        if isinstance(node, syntax.Definition):
            there[node.name] = node
    if name not in there and not {name, "*"} & _bound(parsed(path)):
        names = [n.name for n in parsed(path).body if isinstance(n, syntax.Definition)]
        raise UserError(
            f"{path} has no class or function {name}. It has: {', '.join(names)}{nearest(name, names)}"
        )
    return list(syntax.lineage(name, there))


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that a module imports or assigns."""
    found = set()
    for node in statements(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def check_options(target: str, options: Mapping[str, Any], given: Collection[str]) -> None:
    """UserError for an option that the constructor does not take, or one that it needs and that is missing.

    A constructor that is not in the same file, or that takes any keyword, is left to the job that calls it.
    """
    lineage = _lineage(target)
    function = syntax.constructor(lineage)
    if function is None:
        return
    found = [(argument.arg, default) for argument, default in syntax.arguments(function)]
    found = found[1:] if isinstance(lineage[0], ast.ClassDef) else found  # self
    names = [name for name, _ in found]
    taken = [name for name in names if name not in given]
    for name in options:
        if name in given or (name not in names and not function.args.kwarg):
            has = ", ".join(taken) or "none"
            raise UserError(f"{target} has no option {name!r}. It has: {has}{nearest(name, taken)}")
    needed = [name for name, default in found if default is None]
    if missing := [name for name in needed if name not in options and name not in given]:
        raise UserError(f"{target} needs the option {', '.join(missing)} (options: {{{missing[0]}: …}})")


def facts(target: str) -> dict[str, Any]:
    """Return a class's attributes in capitals that are literals; none if its file is not here."""
    try:
        lineage = _lineage(target)
    except UserError:
        return {}
    found = {}
    for name, value in (constant for node in reversed(lineage) for constant in syntax.constants(node)):
        with suppress(ValueError):  # an attribute that is no fact
            found[name] = ast.literal_eval(value)
    return found


def content(target: str) -> str:
    """Return a hash of a file and of what it imports of the project; comments and docstrings do not count."""
    return _content(path_of(target).resolve())


@cache
def _content(path: Path) -> str:
    seen: dict[Path, str] = {}
    pending = [path]
    while pending:
        file = pending.pop()
        if file in seen:
            continue
        tree = copy.deepcopy(parsed(file))
        strip_inert(tree)
        seen[file] = Writer().text(tree)
        if file.is_relative_to(PACKAGE) or not set(INSTALLED) & set(file.parts):
            pending += _beside(tree, file, path.parent)
    text = "\n".join(sorted(seen.values()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _beside(tree: ast.Module, file: Path, root: Path) -> Iterator[Path]:
    """Yield the files that a file imports, where the job that imports it finds them.

    That is in its own folder, in that of the first file, in the project's, above its package, and in pj.
    """
    above = file.parent
    while (above / "__init__.py").is_file():
        above = above.parent
    places = list(dict.fromkeys((root, file.parent, Path.cwd(), above, PACKAGE.parent)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules, folders = [alias.name for alias in node.names], places
        elif isinstance(node, ast.ImportFrom):
            # a name may be a module of its own: from nets import blocks
            stem = node.module or ""
            modules = [stem, *(f"{stem}.{alias.name}".strip(".") for alias in node.names)]
            folders = [file.parents[node.level - 1]] if node.level else places
        else:
            continue
        for module in filter(None, modules):
            for folder in folders:
                parts = module.split(".")
                for i in range(len(parts)):  # the packages on the way, and the module
                    place = folder.joinpath(*parts[: i + 1])
                    for found in (place.with_suffix(".py"), place / "__init__.py"):
                        if found.is_file():
                            yield found.resolve()
