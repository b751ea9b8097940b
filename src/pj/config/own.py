"""A user's own network, loss, optimizer, schedule or data source: ``{class: "my_nets.py:TinyNet"}``.

The file is read as syntax, never imported here: its constructor's arguments are the names of options, and a
hash of it and of the files beside it that it imports is part of the specification, so that editing
them makes another run. `pj.own` imports it, in the job that uses it.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo

from pj import syntax
from pj.config import modules, signatures
from pj.config.messages import nearest
from pj.durations import counted
from pj.errors import UserError
from pj.syntax import Writer, parsed, strip_inert

PACKAGE, PYTHON = Path(__file__).resolve().parents[1], Path(os.__file__).parent
NAME, CLASS, CONTENT = "own", "class", "content"
WRITTEN = "written"  # the context of a validation of what a user has written


@dataclass(frozen=True)
class Given:
    """Arguments that pj passes, and that are no options."""

    names: tuple[str, ...]
    by_place: bool = False  # the first ones, whatever they are called
    to_objects: bool = False  # of a class; its constructor takes only options


def completed(raw: Any, info: ValidationInfo, given: Given, key: str = "name") -> Any:
    """Return a component's settings; those with a ``class`` with the hash of its content.

    Args:
        raw: as a user writes it, or with its content as in a specification.
        info: whose context is `WRITTEN` if a user has written it.
        given: what is passed to it besides its options.
        key: which key names a component.

    Raises:
        ValueError: the file, class or option that is not there, and the nearest name.

    """
    if not isinstance(raw, Mapping) or CLASS not in raw or raw.get(key, NAME) != NAME:
        return raw
    found = {key: NAME, **raw}
    if CONTENT in raw and info.context == WRITTEN:
        raise ValueError(f"unknown key {CONTENT!r}; it is a hash of the file, which pj fills in itself")
    if (
        CONTENT in raw
        or not isinstance(raw[CLASS], str)
        or not isinstance(raw.get("options"), Mapping | None)
    ):
        return found
    try:
        check_options(raw[CLASS], raw.get("options") or {}, given)
        return found | {CONTENT: content(raw[CLASS])}
    except UserError as error:
        raise ValueError(f"class: {error}") from None


def without_content(settings: Any) -> Any:
    """Return settings as a user writes them: without what pj fills in."""
    if not isinstance(settings, Mapping):
        return settings
    hidden = (CONTENT,) if CLASS in settings else ()
    return {key: without_content(value) for key, value in settings.items() if key not in hidden}


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
    found = modules.located(place, [str(Path.cwd()), *sys.path])
    if found is None:
        _check_name(target, None)
        raise UserError(f"there is no module {place}; a file is named with its ending, {place}.py:…")
    if found.is_dir():
        raise UserError(
            f"the module {place} is a folder without __init__.py; name a file in it, {place}.file:…"
        )
    if found.suffix != ".py":
        raise UserError(f"the module {place} is no Python file")
    return found


def _check_name(target: str, path: Path | None) -> None:
    """UserError for a file or folder of the user's that an import cannot find: another module has its name.

    Without a ``path``, no module was found.
    """
    place, _ = split(target)
    top = Path(place).stem if place.endswith(".py") else place.partition(".")[0]
    if path is None:
        path = next((p for p in (Path.cwd() / top, Path.cwd() / f"{top}.py") if p.exists()), None)
    if path is None or any(path.is_relative_to(folder) for folder in (PYTHON, PACKAGE)):
        return
    if set(modules.INSTALLED) & set(path.resolve().parts):
        return
    elsewhere = [folder for folder in sys.path if set(modules.INSTALLED) & set(Path(folder).parts)]
    other = modules.located(top, elsewhere, hooks=False)
    if top in sys.stdlib_module_names or other:
        where = f"installed in {other.parent}" if other else "a module of Python"
        raise UserError(f"{path}: {top} is also {where}, and one hides the other; rename yours")


def _found(target: str) -> modules.Found | None:
    """Return a class or function with its file; None if it comes from where its source is not found.

    UserError if it is not there.
    """
    path, (_, name) = path_of(target), split(target)
    defined = [node.name for node in parsed(path).body if isinstance(node, syntax.Definition)]
    known = modules.names(path)
    if known is not None and name not in known:
        public = defined or sorted(other for other in known if not other.startswith("_"))
        has = ", ".join(public) or "none"
        raise UserError(f"{path} has no class or function {name}. It has: {has}{nearest(name, known)}")
    return modules.find(path, name)


def _signature(target: str) -> signatures.Signature | None:
    found = _found(target)
    return signatures.of(found) if found else None


def check_options(target: str, options: Mapping[str, Any], given: Given) -> None:
    """UserError for an option that the constructor does not take, or one that it needs and that is missing.

    What cannot be read from the source is left to the job that calls it.
    """
    _check_name(target, path_of(target))
    found = _found(target)
    known = signatures.of(found) if found else None
    if found is None or known is None:
        return
    to_it = () if given.to_objects and isinstance(found.node, ast.ClassDef) else given.names
    placed = known.placed[: len(to_it)] if given.by_place else ()
    if given.by_place and len(placed) < len(to_it) and not known.any_place:
        raise UserError(
            f"{target} takes {counted(len(placed), 'argument')} by place; it is given {', '.join(to_it)}"
        )
    passed = placed if given.by_place else to_it
    taken = [name for name in known.named if name not in passed]
    for name in options:
        if name in passed or (name not in taken and not known.any_name):
            has = ", ".join(taken) or "none"
            raise UserError(f"{target} has no option {name!r}. It has: {has}{nearest(str(name), taken)}")
    if missing := [name for name in known.needed if name not in options and name not in passed]:
        raise UserError(f"{target} needs the option {', '.join(missing)} (options: {{{missing[0]}: …}})")


def named(target: str) -> tuple[str, ...]:
    """Return the arguments that a constructor takes by name, as far as its source says, also by **kwargs."""
    known = _signature(target)
    return known.named if known else ()


def defaults(target: str) -> dict[str, Any]:
    """Return the defaults of a constructor's arguments that are literals, as far as its source says."""
    known = _signature(target)
    return known.defaults if known else {}


def facts(target: str) -> dict[str, Any]:
    """Return the attributes in capitals of a class, and of its bases in the same file, that are literals.

    Empty if its file is not here.
    """
    try:
        found = _found(target)
    except UserError:
        return {}
    if found is None:
        return {}
    # a network that inherits from one of pj or torch may have other layers than that
    here = [base for base in signatures.lineage(found) if base and base.path == found.path]
    values = {}
    for base in reversed(here):
        for name, value in syntax.constants(base.node):
            with suppress(ValueError):  # an attribute that is no fact
                values[name] = ast.literal_eval(value)
    return values


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
        if file.is_relative_to(PACKAGE) or not set(modules.INSTALLED) & set(file.parts):
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
            names, folders = [alias.name for alias in node.names], places
        elif isinstance(node, ast.ImportFrom):
            # a name may be a module of its own: from nets import blocks
            stem = node.module or ""
            names = [stem, *(f"{stem}.{alias.name}".strip(".") for alias in node.names)]
            folders = [file.parents[node.level - 1]] if node.level else places
        elif isinstance(node, ast.Call) and (called := _literally_imported(node)):
            level = len(called) - len(called.lstrip("."))
            names, folders = [called.lstrip(".")], [file.parents[level - 1]] if level else places
        else:
            continue
        for module in filter(None, names):
            for folder in folders:
                parts = module.split(".")
                for i in range(len(parts)):  # the packages on the way, and the module
                    place = folder.joinpath(*parts[: i + 1])
                    for found in (place.with_suffix(".py"), place / "__init__.py"):
                        if found.is_file():
                            yield found.resolve()


def _literally_imported(call: ast.Call) -> str | None:
    """Return ``nets`` of ``importlib.import_module("nets")``."""
    function = getattr(call.func, "attr", getattr(call.func, "id", None))
    if function not in ("import_module", "__import__") or not call.args:
        return None
    name = call.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
