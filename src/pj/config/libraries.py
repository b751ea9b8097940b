"""Networks of torchvision and timm: their names and options, known without importing them."""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pj.config import signatures
from pj.config.messages import nearest
from pj.config.modules import Found
from pj.errors import UserError
from pj.syntax import parsed

SMALL_STEMS = ("resnet", "resnext", "wide_resnet", "densenet")  # for which the usual CIFAR stem is known
PLAIN = ("alexnet", "convnext", "squeezenet", "swin", "vgg", "vit_")  # without batch norm, but for vgg11_bn

GIVEN = {  # arguments that pj passes, and those that would load trained weights or change nothing
    "torchvision": ("num_classes", "weights", "pretrained", "progress"),
    "timm": ("num_classes", "in_chans", "pretrained", "pretrained_cfg", "checkpoint_path"),
}


def check(name: str, arch: str, options: Collection[str] = (), *, cifar_stem: bool) -> None:
    """UserError for a network or option that a library does not have, or a library that is not installed.

    What timm takes, only timm knows; the job says it.
    """
    if find_spec(name) is None:
        raise UserError(f"arch: {name} is not installed: pip install {name}")
    if name == "torchvision" and arch not in classifiers():
        did = nearest(arch, classifiers()) or "."
        raise UserError(
            f"arch: torchvision has no classifier {arch!r}{did} It has: {', '.join(classifiers())}"
        )
    if cifar_stem and not arch.startswith(SMALL_STEMS):
        raise UserError(
            f"arch: cifar_stem is known for {', '.join(SMALL_STEMS)}, not for {arch}; leave it out"
        )
    if passed := [option for option in options if option in GIVEN[name]]:
        raise UserError(
            f"options: {passed[0]} is no option: the network has one output per class, and is trained from "
            "scratch"
        )
    known = signatures.of(classifiers()[arch]) if name == "torchvision" else None
    if known and not known.any_name:
        taken = [option for option in known.named if option not in GIVEN[name]]
        for option in options:
            if option not in taken:
                has = ", ".join(taken) or "none"
                raise UserError(
                    f"options: torchvision's {arch} has no option {option!r}. It has: {has}"
                    f"{nearest(str(option), taken)}"
                )


def has_batch_norm(arch: str) -> bool:
    """Return whether a network normalises over the batch; the many networks of timm are taken to do so."""
    return not arch.startswith(PLAIN) or "_bn" in arch


@cache
def classifiers() -> dict[str, Found]:
    """Return the classification networks of torchvision: the functions that its files register."""
    spec = find_spec("torchvision")
    folder = Path(str(spec.origin)).parent / "models" if spec else Path()
    found = {
        node.name: Found(path, node)
        for path in folder.glob("[a-z]*.py")
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef)
        and any("register_model" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    return dict(sorted(found.items()))
