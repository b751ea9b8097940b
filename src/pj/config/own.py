"""A user's own network, loss, optimizer, schedule or data source: ``{class: "my_nets.py:TinyNet"}``.

The file is read as syntax, never imported here: its constructor's arguments are the names of options, and a
hash of it and of the files beside it that it imports is part of the specification, so that editing
them makes another run. `pj.own` imports it, in the job that uses it.
"""

from __future__ import annotations

import ast
import copy
import difflib
import hashlib
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from pj.errors import UserError
from pj.syntax import parsed, statements, strip_inert, written

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
            raise UserError(f"{place} does not exist in {Path.cwd()}{_nearest(place, beside)}")
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


def definition(target: str) -> ast.ClassDef | ast.FunctionDef | None:
    """Return a class or function as syntax, None if its module imports it; UserError if it is not there."""
    path, (_, name) = path_of(target), split(target)
    there = {}
    for node in statements(parsed(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            there[node.name] = node
    if name not in there and not {name, "*"} & _bound(parsed(path)):
        names = [n.name for n in parsed(path).body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
        raise UserError(
            f"{path} has no class or function {name}. It has: {', '.join(names)}{_nearest(name, names)}"
        )
    return there.get(name)


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
    known = definition(target)
    function = _constructor(known, parsed(path_of(target))) if known else None
    if function is None:
        return
    arguments = function.args
    placed = [*arguments.posonlyargs, *arguments.args][1 if isinstance(known, ast.ClassDef) else 0 :]
    names = [argument.arg for argument in (*placed, *arguments.kwonlyargs)]
    taken = [name for name in names if name not in given]
    for name in options:
        if name in given or (name not in names and not arguments.kwarg):
            has = ", ".join(taken) or "none"
            raise UserError(f"{target} has no option {name!r}. It has: {has}{_nearest(name, taken)}")
    late = len(arguments.defaults)
    needed = [a.arg for a in (placed[: len(placed) - late] if late else placed)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    needed += [argument.arg for argument, default in pairs if default is None]
    if missing := [name for name in needed if name not in options and name not in given]:
        raise UserError(f"{target} needs the option {', '.join(missing)} (options: {{{missing[0]}: …}})")


def _constructor(node: ast.ClassDef | ast.FunctionDef | None, tree: ast.Module) -> ast.FunctionDef | None:
    """Return a function, or the constructor of a class or of one that it inherits from in the same file."""
    if not isinstance(node, ast.ClassDef):
        return node
    for inside in node.body:
        if isinstance(inside, ast.FunctionDef) and inside.name == "__init__":
            return inside
    names = [base.id for base in node.bases if isinstance(base, ast.Name)]
    bases = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in names and n is not node)
    return next((found for base in bases if (found := _constructor(base, tree))), None)


def facts(target: str) -> dict[str, Any]:
    """Return a class's attributes in capitals that are literals; none if its file is not here."""
    try:
        node = definition(target)
    except UserError:
        return {}
    found = {}
    for statement in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in (t.id for t in targets if isinstance(t, ast.Name) and t.id.isupper()):
                try:
                    found[name] = ast.literal_eval(statement.value)
                except ValueError:
                    continue  # an attribute that is no fact
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
        seen[file] = written(tree)
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


def _nearest(given: str, choices: Collection[str]) -> str:
    near = difflib.get_close_matches(given, list(choices), n=1)
    return f". Did you mean {near[0]!r}?" if near else ""
