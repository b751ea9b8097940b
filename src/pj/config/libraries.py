"""Names of the networks of torchvision and timm, known without importing them."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pj.config.messages import nearest
from pj.errors import UserError
from pj.syntax import parsed

SMALL_STEMS = ("resnet", "resnext", "wide_resnet", "densenet")  # for which the usual CIFAR stem is known


def check(name: str, arch: str, *, cifar_stem: bool) -> None:
    """UserError for a network that a library does not have, or a library that is not installed."""
    if find_spec(name) is None:
        raise UserError(f'{name} is not installed: pip install "pj[{name}]"')
    if name == "torchvision" and arch not in classifiers():
        did = nearest(arch, classifiers()) or "."
        raise UserError(f"torchvision has no classifier {arch!r}{did} It has: {', '.join(classifiers())}")
    if cifar_stem and not arch.startswith(SMALL_STEMS):
        raise UserError(f"cifar_stem is known for {', '.join(SMALL_STEMS)}, not for {arch}; leave it out")


@cache
def classifiers() -> list[str]:
    """Return the classification networks of torchvision: the functions that its files register."""
    spec = find_spec("torchvision")
    folder = Path(str(spec.origin)).parent / "models" if spec else Path()
    return sorted(
        node.name
        for path in folder.glob("[a-z]*.py")
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef)
        and any("register_model" in ast.unparse(decorator) for decorator in node.decorator_list)
    )
