"""The code that a result depends on, as one hash.

Snakemake can compare a rule's parameters, so each rule carries the fingerprint of the code that its
script reaches: all modules of `pj` that it imports, directly or not, hashed as syntax trees without comments,
docstrings, formatting and annotations of functions. A module's place and name and the order of imports do not
count: an imported name is hashed as the content of the module it comes from. Other files of the package that
a module names (a template) count with their content. Imports no torch and executes nothing of what it reads.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pj import data
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.syntax import Writer, is_for_type_checkers, statements, strip_inert

PACKAGE = Path(__file__).resolve().parents[1]
REGISTRY = "REGISTRY"
TARGET = re.compile(rf"{PACKAGE.name}(\.\w+)+:\w+")  # of a registry
NAMED = re.compile(r"[\w/-]+(\.\w+)+(:\w+)?")  # a target, or a file
# These cannot change a result: they check settings (which are in the rules' parameters themselves), write
# messages, or record what a result was made with.
WITHOUT_EFFECT = ("pj.config", "pj.workflow", "pj.errors", "pj.runs.provenance", "pj.training.progress")


def fingerprint(entry: Path, choices: Mapping[str, str] | None = None, targets: Iterable[str] = ()) -> str:
    """Return 16 hex digits for a script and all of `pj` that it imports, directly or not.

    Args:
        entry: the file where the work begins.
        targets: what it resolves by name in addition, as "module" or "module:object".
        choices: for a registry module (``pj.models``) the one name that is used. Of its dictionary
            ``REGISTRY`` (name -> "module:object") only that entry counts and only its module is
            followed, so that another model's code, or a new entry, changes nothing. Registries that are
            not mentioned do not count.

    Raises:
        ValueError: a registry without the entry, or an import that cannot be followed.

    """
    return _fingerprint(entry.resolve(), tuple(sorted((choices or {}).items())), tuple(targets))


def run_fingerprint(entry: Path, spec: RunSpec, targets: Iterable[str] = ()) -> str:
    """Return the fingerprint of a script that works on one run: with its own model, loss and so on."""
    chosen: dict[str, str] = {
        "pj.models": spec.model.name,
        "pj.losses": spec.loss.name,
        "pj.optim": spec.optimizer.name,
        "pj.training.schedule": spec.schedule.name,
    }
    if spec.ema:
        chosen["pj.training.build"] = "ema"
    if spec.probe:
        chosen["pj.training.observers"] = "probe"
    return fingerprint(entry, chosen, [*targets, *(data.REGISTRY[name] for name in spec.data.parts)])


def check_unchanged(entry: Path, spec: RunSpec, code: str) -> None:
    """Raise UserError if the code on disk is not that which had this fingerprint when it was loaded."""
    if all(path.is_file() and path.read_bytes() == content for path, content in _CONTENTS.items()):
        return
    _CONTENTS.clear()
    for function in (_fingerprint, _read, _parsed, _identity, _top_level):
        function.cache_clear()
    if run_fingerprint(entry, spec) != code:
        raise UserError("pj's source was edited while this run was loading it; run the command again")


def parts(code: str) -> dict[str, str]:
    """Return a hash of the own content of each module behind a fingerprint of this process, by file."""
    return _PARTS[code]


def computed() -> list[str]:
    """Return the fingerprints that this process has computed."""
    return list(_PARTS)


_CONTENTS: dict[Path, bytes] = {}  # of every file that was read
_PARTS: dict[str, dict[str, str]] = {}  # of every fingerprint


def _content(path: Path) -> bytes:
    if path not in _CONTENTS:
        _CONTENTS[path] = path.read_bytes()
    return _CONTENTS[path]


@cache  # one answer for all runs of a model; a workflow asks thousands of times
def _fingerprint(entry: Path, choices: tuple[tuple[str, str], ...], targets: tuple[str, ...]) -> str:
    chosen = dict(choices)
    dumps = {target.partition(":")[2] for target in targets}
    seen: set[Path] = set()
    pending = [entry, *(file for target in targets for file in _files(target.partition(":")[0]))]
    while pending:
        path = pending.pop()
        if path in seen or _has_no_effect(path):
            continue
        seen.add(path)
        dump, imports = _read(path, chosen.get(module_name(path) or ""))
        dumps.add(dump)
        pending += imports
    # sorted, so that the hash depends on no name and no order; an empty __init__ does not count
    code = hashlib.sha256("\n".join(sorted(filter(None, dumps))).encode()).hexdigest()[:16]
    _PARTS[code] = {_place(path): _identity(path) for path in seen}
    return code


def _place(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent)) if path.is_relative_to(PACKAGE.parent) else path.name


def module_name(path: Path) -> str | None:
    """Return the dotted name of a file of this package; None for a file outside it."""
    if not path.is_relative_to(PACKAGE):
        return None
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _has_no_effect(path: Path) -> bool:
    return f"{module_name(path)}.".startswith(tuple(f"{name}." for name in WITHOUT_EFFECT))


def _files(name: str) -> list[Path]:
    """Return the files that importing a dotted name runs: its packages, and the module last."""
    if name.split(".")[0] != PACKAGE.name:
        return []
    files = []
    path = PACKAGE.parent
    for part in name.split("."):
        path = path / part
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                files.append(file)
    return files


def _file(name: str) -> Path | None:
    """Return the file of a module or package of `pj` by its dotted name; None for anything else."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    found = [p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()]
    return found[0] if found and name.split(".")[0] == PACKAGE.name else None


@cache
def _read(path: Path, choice: str | None) -> tuple[str, frozenset[Path]]:
    """Return a file's normalised syntax tree, empty if nothing is left, and the files of `pj` it imports."""
    tree = _parsed(path)
    bindings = list(_bindings(tree, path))
    imports = {file for _, (module, _) in bindings for file in _files(module)}
    chosen: list[ast.expr] = []
    if choice is not None:
        module, chosen = _chosen(tree, path, choice)
        imports |= set(_files(module))
    names: dict[str, str] = {}
    for alias, target in sorted(bindings):  # two functions may give one name to different things
        names[alias] = " ".join(filter(None, (names.get(alias), _identified(*target, path))))
    idle = all(isinstance(node, ast.Pass) or _is_left_out(node) for node in tree.body)
    return "" if idle else _Text(path, names, chosen).text(tree), frozenset(imports)


@cache
def _parsed(path: Path) -> ast.Module:
    tree = ast.parse(_content(path))
    strip_inert(tree)
    return tree


def _bindings(tree: ast.Module, path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each imported name with its module and its name there, which is empty for a module itself."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds a, and runs a.b
                yield alias.asname or alias.name.split(".")[0], (alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            parent = _parent(path, node)
            for alias in node.names:
                inside = f"{parent}.{alias.name}"
                yield alias.asname or alias.name, (inside, "") if _file(inside) else (parent, alias.name)


def _identified(module: str, name: str, importer: Path) -> str:
    """Return what identifies an imported name independently of its place: its module's content, its name."""
    file = _file(module)
    if file is None:
        return ".".join(filter(None, (module, name)))
    if _has_no_effect(file):
        return f"pj:{name}"
    if name and file.name == "__init__.py" and name not in _top_level(file):
        raise ValueError(f"{importer}: {name} of {module} cannot be followed; import it from its own module")
    return f"{_identity(file)}:{name}"


@cache
def _identity(path: Path) -> str:
    """Return a hash of a module's own content, without its registry's entries and what it imports."""
    tree = _parsed(path)
    names = {
        alias: f"pj:{name}" if _file(module) else ".".join(filter(None, (module, name)))
        for alias, (module, name) in _bindings(tree, path)
    }
    return hashlib.sha256(_Text(path, names).text(tree).encode()).hexdigest()[:16]


@cache
def _top_level(path: Path) -> set[str]:
    """Return the names that a package's own file binds."""
    found = set()
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
    return found


def _chosen(tree: ast.Module, path: Path, choice: str) -> tuple[str, list[ast.expr]]:
    """Return the dotted name of the module that an entry of a module's registry is in, and the entry."""
    for node in tree.body:
        if _is_registry(node):
            kept = [(k, v) for k, v in _entries(node) if ast.literal_eval(k) == choice]
            if not kept:
                raise ValueError(f"{path}: {REGISTRY} has no entry {choice!r}")
            if len(kept) > 1:
                raise ValueError(f"{path}: {REGISTRY} has two entries {choice!r}; give each its own name")
            return ast.literal_eval(kept[0][1]).split(":")[0], list(kept[0])
    raise ValueError(f"{path}: has no dictionary {REGISTRY} to choose {choice!r} from")


def _parent(path: Path, node: ast.ImportFrom) -> str:
    """Return the dotted name that ``from … import`` imports from, relative ones resolved."""
    if not node.level:
        return node.module or ""
    package = (module_name(path) or "").split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *filter(None, [node.module])])


def _is_registry(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict)):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [t.id for t in targets if isinstance(t, ast.Name)] == [REGISTRY]


def _entries(node: Any) -> list[tuple[ast.expr, ast.expr]]:
    return [(k, v) for k, v in zip(node.value.keys, node.value.values, strict=True) if k is not None]


def _is_left_out(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) or is_for_type_checkers(node)


class _Text(Writer):
    """A syntax tree as text: without imports, with imported names and named files replaced by their content.

    What says nothing is left out: annotations of functions, and whether a name is read or written, which its
    place says. Of a registry only the ``entry`` counts.
    """

    LEFT_OUT = (*Writer.LEFT_OUT, "ctx", "type_comment", "returns")

    def __init__(self, path: Path, names: Mapping[str, str], entry: Sequence[ast.expr] = ()) -> None:
        self.path, self.names, self.entry = path, names, list(entry)

    def replaced(self, node: ast.AST) -> str | None:
        """Return how names, constants, the registry and arguments are written; nothing if left out."""
        if name := self._name(node):
            return f"Name({name})"
        if isinstance(node, ast.Constant):
            return repr(self._constant(node.value))
        if isinstance(node, ast.arg):
            return node.arg
        if _is_registry(node):
            return f"{REGISTRY}{self.text(self.entry)}"
        return "" if _is_left_out(node) else None

    def _name(self, node: ast.AST) -> str | None:
        """Return what a name means; ``module.name`` is what ``from module import name`` gives."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            known = self.names.get(node.value.id, "")
            return known + node.attr if known.endswith(":") else None
        return None

    def _constant(self, value: Any) -> Any:
        """Replace a file of the package by its content, and "module:object" by the object's name."""
        if not isinstance(value, str) or not ("." in value and NAMED.fullmatch(value)):
            return value
        if TARGET.fullmatch(value):
            return value.partition(":")[2]
        if ":" not in value and not value.endswith(".py"):
            file = self.path.parent / value
            if file.is_file() and file.is_relative_to(PACKAGE):
                return hashlib.sha256(_content(file)).hexdigest()
        return value
