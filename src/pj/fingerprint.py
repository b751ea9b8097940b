"""Which code a result depends on, as one hash.

Snakemake can compare a rule's parameters, so each rule carries the fingerprint of the code that its
script reaches: the import closure inside `pj`, hashed as syntax trees without comments, docstrings and
formatting. Imports no torch and runs nothing of what it reads.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pj.errors import UserError
from pj.spec import RunSpec

PACKAGE = Path(__file__).resolve().parent
REGISTRY = "REGISTRY"
# These cannot change a result: they check settings (which stand in the rules' parameters themselves),
# word messages, or note what a result was made with.
WITHOUT_EFFECT = {
    *("pj.spec", "pj.components", "pj.settings", "pj.config", "pj.checks", "pj.faults", "pj.yaml_files"),
    *("pj.errors", "pj.jobs", "pj.provenance", "pj.slots", "pj.training.progress"),
}


def fingerprint(entry: Path, choices: Mapping[str, str] | None = None) -> str:
    """Return 16 hex digits for a script and all of `pj` that it imports, directly or not.

    Args:
        entry: the file where the work begins.
        choices: for a registry module (``pj.models``) the one name that is used. Of its dictionary
            ``REGISTRY`` (name -> "module:object") only that entry counts and only its module is
            followed, so that another model's code, or a new entry, changes nothing. Registries that are
            not mentioned count whole, but are not followed.

    """
    return _fingerprint(entry.resolve(), tuple(sorted((choices or {}).items())))


def run_fingerprint(entry: Path, spec: RunSpec) -> str:
    """Return the fingerprint of a script that works on one run: with its own model, loss and so on."""
    chosen: dict[str, str] = {
        "pj.models": spec.model.name,
        "pj.losses": spec.loss.name,
        "pj.optim": spec.optimizer.name,
    }
    if spec.data.cutmix:
        chosen["pj.data"] = "cutmix"
    if spec.probe:
        chosen["pj.training.observers"] = "probe"
    return fingerprint(entry, chosen)


def code_on_disk(entry: Path, spec: RunSpec) -> str:
    """Return `run_fingerprint` of the files as they are now, whatever was read before."""
    _fingerprint.cache_clear()
    _read.cache_clear()
    return run_fingerprint(entry, spec)


def check_unchanged(entry: Path, spec: RunSpec, code: str) -> None:
    """Raise UserError if the code on disk is not the one that had this fingerprint before it was loaded."""
    if code_on_disk(entry, spec) != code:
        raise UserError(
            "the source was edited while this run was loading it, so that nobody could tell which code it "
            "used; call again"
        )


@cache  # one answer for all runs of a model; a workflow asks thousands of times
def _fingerprint(entry: Path, choices: tuple[tuple[str, str], ...]) -> str:
    chosen = dict(choices)
    digest = hashlib.sha256()
    pending = [entry]
    seen: set[Path] = set()
    while pending:
        path = pending.pop()
        module = module_name(path)
        if path in seen or module in WITHOUT_EFFECT:
            continue
        seen.add(path)
        dump, imports = _read(path, chosen.get(module or ""))
        digest.update(f"{module or path.name}\n{dump}\n".encode())
        # sorted, so that the hash does not depend on the order of import statements
        pending += sorted((p for name in imports for p in _files(name)), reverse=True)
    return digest.hexdigest()[:16]


def module_name(path: Path) -> str | None:
    """Return the dotted name of a file of this package; None for a file outside it."""
    if not path.is_relative_to(PACKAGE):
        return None
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _files(name: str) -> list[Path]:
    """Return the files that importing a dotted name runs: the module and its packages."""
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


@cache
def _read(path: Path, choice: str | None) -> tuple[str, frozenset[str]]:
    """Return a file's normalised syntax tree and the dotted names it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    _strip_inert(tree)
    imports = set()
    followed = choice is None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = _parent(path, node)
            imports |= {parent} | {f"{parent}.{alias.name}" for alias in node.names}
        elif choice is not None and _is_registry(node):
            kept = [(k, v) for k, v in _entries(node) if ast.literal_eval(k) == choice]
            if not kept:
                raise ValueError(f"{path}: {REGISTRY} has no entry {choice!r}")
            followed = True
            node.value = ast.Dict([k for k, _ in kept], [v for _, v in kept])  # type: ignore[attr-defined]
            imports |= {ast.literal_eval(v).split(":")[0] for _, v in kept}
    if not followed:
        raise ValueError(f"{path}: has no dictionary {REGISTRY} to choose {choice!r} from")
    return ast.dump(tree), frozenset(imports)


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


def _strip_inert(tree: ast.Module) -> None:
    """Take out docstrings, and what is imported for type checkers alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]
