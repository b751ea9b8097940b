"""What an object keeps in attributes that its state_dict does not know, and whether two of them are equal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# what torch's own classes keep: it is in their state, or it is a hook
MODULE = vars(nn.Module()).keys()
OPTIMIZER = vars(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)).keys()
VALUES = (str, bytes, bool, int, set, frozenset, type(None))
CODE = (type, FunctionType, MethodType, ModuleType, partial)


def attributes(thing: Any, *, saved: bool) -> dict[str, Any]:
    """Return what a network, an optimizer or a loss keeps, by paths of attributes.

    Args:
        thing: any object; of those of torch hooks and the like are left out.
        saved: its state_dict is in the resume state, so that only what is not in it counts.

    """
    if not isinstance(thing, nn.Module):
        known = OPTIMIZER if isinstance(thing, torch.optim.Optimizer) else ()
        return {name: value for name, value in getattr(thing, "__dict__", {}).items() if name not in known}
    found: dict[str, Any] = {}
    for path, module in thing.named_modules():
        own = {name: value for name, value in vars(module).items() if name not in MODULE}
        lost = module._non_persistent_buffers_set if saved else module._buffers
        own |= {name: module._buffers[name] for name in lost}
        found |= {f"{path}.{name}".lstrip("."): value for name, value in own.items()}
    return found


def simple(thing: Any, *, saved: bool) -> dict[str, Any]:
    """Return those of the `attributes` that are a number, a text, none or a tensor, but no parameter."""
    found: dict[str, Any] = {}
    for name, value in attributes(thing, saved=saved).items():
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            found[name] = value.detach()
        elif type(value) in (str, bool, int, float, type(None)):
            found[name] = value
    return found


def restore(thing: Any, values: Mapping[str, Any], device: torch.device) -> None:
    """Set attributes that `simple` returned; tensors go to the device of those that are there, or to this."""
    for path, value in values.items():
        where, _, name = path.rpartition(".")
        owner = thing.get_submodule(where) if isinstance(thing, nn.Module) else thing
        if isinstance(value, Tensor):
            there = getattr(owner, name, None)
            value = value.to(there.device if isinstance(there, Tensor) else device)
        setattr(owner, name, value)


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names whose values are not equal, or are in one of the two only."""
    for name in {**first, **second}:
        if name not in first or name not in second or not equal(first[name], second[name]):
            yield name


def equal(a: Any, b: Any, seen: frozenset[int] = frozenset()) -> bool:
    """Whether two values are equal in all that they hold; NaN equals NaN, and of code nothing is compared."""
    if id(a) in seen or isinstance(a, CODE):
        return True
    seen |= {id(a)}
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())
    if type(a) is not type(b):
        return False
    if isinstance(a, VALUES):
        return bool(a == b)
    if isinstance(a, float | complex | np.generic):
        return equal(np.asarray(a), np.asarray(b), seen)
    if isinstance(a, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.hasobject or a.dtype.names:
            return equal(a.tolist(), b.tolist(), seen)
        return bool(((a == b) | ((a != a) & (b != b))).all())  # NaN
    if isinstance(a, Mapping):  # parameters as keys, as in an optimizer's state, are compared as tensors
        return equal([*a, *a.values()], [*b, *b.values()], seen)
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(equal(*pair, seen) for pair in zip(a, b, strict=True))
    for state in ("get_state", "getstate"):  # of generators of random numbers
        if hasattr(a, state):
            return equal(getattr(a, state)(), getattr(b, state)(), seen)
    if isinstance(a, np.random.Generator):
        return equal(a.bit_generator.state, b.bit_generator.state, seen)
    return equal(getattr(a, "__dict__", {}), getattr(b, "__dict__", {}), seen)
