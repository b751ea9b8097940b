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
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pj import data
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.syntax import is_for_type_checkers, statements, strip_inert

PACKAGE = Path(__file__).resolve().parents[1]
REGISTRY = "REGISTRY"
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
    for function in (_fingerprint, _read, _identity):
        function.cache_clear()
    if run_fingerprint(entry, spec) != code:
        raise UserError("pj's source was edited while this run was loading it; run the command again")


_CONTENTS: dict[Path, bytes] = {}  # of every file that was read


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
    return hashlib.sha256("\n".join(sorted(filter(None, dumps))).encode()).hexdigest()[:16]


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
    if choice is not None:
        imports |= set(_files(_chosen(tree, path, choice)))
    else:
        _forget_registry(tree)
    names: dict[str, str] = {}
    for alias, target in sorted(bindings):  # two functions may give one name to different things
        names[alias] = " ".join(filter(None, (names.get(alias), _identified(*target, path))))
    normalised = _Normalised(path, names).visit(tree)
    idle = all(isinstance(node, ast.Pass) for node in normalised.body)
    return "" if idle else ast.dump(normalised), frozenset(imports)


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
    _forget_registry(tree)
    names = {
        alias: f"pj:{name}" if _file(module) else ".".join(filter(None, (module, name)))
        for alias, (module, name) in _bindings(tree, path)
    }
    dump = ast.dump(_Normalised(path, names).visit(tree))
    return hashlib.sha256(dump.encode()).hexdigest()[:16]


def _forget_registry(tree: ast.Module) -> None:
    for node in tree.body:
        if _is_registry(node):
            node.value = ast.Dict([], [])  # type: ignore[attr-defined]


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


def _chosen(tree: ast.Module, path: Path, choice: str) -> str:
    """Leave one entry in a module's registry, and return the dotted name of the module it is in."""
    target = None
    for node in tree.body:
        if _is_registry(node):
            kept = [(k, v) for k, v in _entries(node) if ast.literal_eval(k) == choice]
            if not kept:
                raise ValueError(f"{path}: {REGISTRY} has no entry {choice!r}")
            if len(kept) > 1:
                raise ValueError(f"{path}: {REGISTRY} has two entries {choice!r}; give each its own name")
            node.value = ast.Dict([k for k, _ in kept], [v for _, v in kept])  # type: ignore[attr-defined]
            target = ast.literal_eval(kept[0][1]).split(":")[0]
    if target is None:
        raise ValueError(f"{path}: has no dictionary {REGISTRY} to choose {choice!r} from")
    return str(target)


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


class _Normalised(ast.NodeTransformer):
    """A syntax tree without imports, with imported names and named files replaced by their content."""

    def __init__(self, path: Path, names: Mapping[str, str]) -> None:
        self.path, self.names = path, names

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if is_for_type_checkers(node) else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)  # annotations are never evaluated

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Make ``module.name`` what ``from module import name`` gives."""
        known = self.names.get(node.value.id, "") if isinstance(node.value, ast.Name) else ""
        if known.endswith(":"):
            return ast.Name(known + node.attr, node.ctx)
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Replace a file of the package by its content, and "module:object" by the object's name."""
        if not isinstance(node.value, str):
            return node
        if re.fullmatch(rf"{PACKAGE.name}(\.\w+)+:\w+", node.value):
            return ast.Constant(node.value.partition(":")[2])
        if re.fullmatch(r"[\w/-]+(\.\w+)+", node.value) and not node.value.endswith(".py"):
            file = self.path.parent / node.value
            if file.is_file() and file.is_relative_to(PACKAGE):
                return ast.Constant(hashlib.sha256(_content(file)).hexdigest())
        return node
