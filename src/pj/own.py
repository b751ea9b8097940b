"""A user's own network, loss, optimizer, schedule or data source, imported in the job that uses it.

`pj.config.own` has read its file as syntax before any job, and put a hash of it into the specification.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pj.config import own
from pj.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer


def model(
    *,
    num_classes: int,
    in_channels: int,
    image_size: int,
    class_: str,
    options: dict | None = None,
    content: str | None = None,
) -> nn.Module:
    """Return a network of your own, from a Python file.

    It is given those of num_classes, in_channels and image_size that its constructor takes, also as
    ``**kwargs`` that it reads by name or passes on.

    Args:
        num_classes: K.
        in_channels: of the images.
        image_size: pixels per side.
        class_: the class or function, as "file.py:Name" or "package.module:Name".
        options: its arguments.
        content: a hash of the file, which pj fills in.

    """
    found = loaded(class_, content)
    given = {"num_classes": num_classes, "in_channels": in_channels, "image_size": image_size}
    taken = {*inspect.signature(found).parameters, *own.named(class_)}
    chosen = {name: value for name, value in given.items() if name in taken}
    built: nn.Module = called(class_, partial(found, **chosen), options)
    return built


def loss(
    logits: Tensor,
    target: Tensor,
    *,
    class_: str,
    options: dict | None = None,
    content: str | None = None,
) -> Tensor:
    """Return the value of a loss of your own: a function of logits and targets, or a class of such objects.

    Args:
        logits: [N, K].
        target: class indices int64 [N], or probabilities [N, K] of mixed images.
        class_: the class or function, as "file.py:Name" or "package.module:Name".
        options: its arguments.
        content: a hash of the file, which pj fills in.

    """
    found: Tensor = loss_object(logits.device, class_=class_, options=options, content=content)(
        logits, target
    )
    return found


def loss_object(
    device: torch.device, *, class_: str, options: dict | None = None, content: str | None = None
) -> Callable[..., Any]:
    """Return the function, or the object with its buffers on a device, that all calls of a loss use."""
    return _loss(device, class_, json.dumps(options), content)


@cache  # a step calls it
def _loss(device: torch.device, class_: str, options: str, content: str | None) -> Callable[..., Any]:
    found = loaded(class_, content)
    if not isinstance(found, type):
        return partial(found, **(json.loads(options) or {}))
    built: Callable[..., Any] = called(class_, found, json.loads(options))
    return built.to(device) if hasattr(built, "to") else built


def forget_losses() -> None:
    """Let the next call of each loss make its object anew, as another process does."""
    _loss.cache_clear()


def optimizer(
    params: Iterable[nn.Parameter],
    *,
    class_: str,
    options: dict | None = None,
    content: str | None = None,
) -> Optimizer:
    """Return an optimizer of your own, whose step takes a closure as those of torch do.

    Args:
        params: parameters, as for any optimizer.
        class_: the class or function, as "file.py:Name" or "package.module:Name".
        options: its arguments; lr, which the schedule multiplies, is needed.
        content: a hash of the file, which pj fills in.

    """
    built: Optimizer = called(class_, partial(loaded(class_, content), params), options)
    return built


def schedule(
    progress: float,
    epochs: int,
    *,
    class_: str,
    options: dict | None = None,
    content: str | None = None,
) -> float:
    """Return the factor of a schedule of your own, a function of the progress and the number of epochs.

    Args:
        progress: epochs done so far, in fractions.
        epochs: of the whole run.
        class_: the function, as "file.py:name" or "package.module:name".
        options: its further arguments.
        content: a hash of the file, which pj fills in.

    """
    try:
        value = float(_function(class_, content)(progress, epochs, **(options or {})))
    except UserError:
        raise
    except Exception:
        raise UserError(f"{class_} fails after {progress:g} epochs:\n{traceback_of_others()}") from None
    if not 0 <= value < math.inf:
        raise UserError(
            f"{class_} gives {value:g} after {progress:g} of {epochs:g} epochs; needed: a factor of the "
            "learning rate that is finite and not below 0"
        )
    return value


@cache
def _function(class_: str, content: str | None) -> Callable[..., Any]:
    found: Callable[..., Any] = loaded(class_, content)
    return found


def loaded(target: str, content: str | None) -> Any:
    """Return a class or function, importing its file; UserError if that fails, or it was edited meanwhile."""
    place, name = own.split(target)
    _search_first(Path.cwd())  # a module may be beside config.yaml
    try:
        module = _imported(own.path_of(target)) if place.endswith(".py") else importlib.import_module(place)
        found = getattr(module, name)
    except UserError:
        raise
    except Exception:
        raise UserError(f"{target} cannot be imported:\n{traceback_of_others()}") from None
    if content is not None and own.content(target) != content:
        raise UserError(f"{own.path_of(target)} was edited since this run was planned; run the command again")
    return found


def _search_first(folder: Path) -> None:
    """Let imports look into a folder before all others."""
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))


def _forget_namesakes(folder: Path) -> None:
    """Let files of this folder be imported, though modules of their names were imported from another one."""
    for file in folder.glob("*.py"):
        known = getattr(sys.modules.get(file.stem), "__file__", None)
        if known and Path(known).parent != folder and not {"site-packages", "lib"} & set(Path(known).parts):
            del sys.modules[file.stem]


def _imported(path: Path) -> Any:
    """Return the module of a file, which imports what lies beside it as a script does."""
    _search_first(path.resolve().parent)
    _forget_namesakes(path.resolve().parent)
    if (known := sys.modules.get(path.stem)) and getattr(known, "__file__", None) == str(path.resolve()):
        return known
    spec = spec_from_file_location(path.stem, path.resolve())
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def called(target: str, function: Callable[..., Any], options: Mapping[str, Any] | None) -> Any:
    """Return what a part's constructor or function returns; UserError with its traceback if it fails."""
    try:
        return function(**(options or {}))
    except Exception:
        raise UserError(
            f"{target} cannot be made with {dict(options or {})}:\n{traceback_of_others()}"
        ) from None


def traceback_of_others() -> str:
    """Return the traceback of the error that is handled, without the lines of pj, torch and importlib."""
    kind, error, trace = sys.exc_info()
    packages = [Path(__file__).parent]
    if torch := sys.modules.get("torch"):
        packages.append(Path(str(torch.__file__)).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(trace)
        if not frame.filename.startswith("<frozen importlib")
        and not any(Path(frame.filename).is_relative_to(package) for package in packages)
    ]
    lines = [*traceback.format_list(frames), *traceback.format_exception_only(kind, error)]
    return "".join(lines).rstrip()
