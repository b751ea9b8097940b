"""A user's own parts in a training of three steps, stopped and resumed as a killed run is.

What a part keeps outside of the resume state would silently make a resumed run another run. So two
trainings, one of which goes on from the other's state, must end with equal numbers in all their parts.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.serialization import get_unsafe_globals_in_checkpoint

from pj import own
from pj.config.spec import RunSpec
from pj.data import store
from pj.errors import UserError
from pj.training import build, unsaved
from pj.training.build import Images
from pj.training.device import Conditions
from pj.training.run import Training
from pj.training.state import READABLE

BATCH, STEPS = 4, 3  # images, and how many steps of them
ADVICE = {
    "model": "register it as a buffer, without persistent=False",
    "optimizer": "keep it in self.state or in param_groups, or let state_dict return it",
    "loss": "a loss must keep nothing between calls, and it is called with validation and test images, too",
}
NO_GRADIENT = """
If the step is under torch.no_grad(), call its closure with `with torch.enable_grad(): loss = closure()`."""
APART = {"seconds", "resumed_at", "conditions_before", "own"}  # keys of the state that may differ


def check(spec: RunSpec, images: Images) -> None:
    """UserError for an own part that fails in training, or that keeps what a resumed run would not have.

    Args:
        spec: of `pj.config.spec.checks`; parts that are not the user's own are taken as right.
        images: of the dataset: their number of classes, channels and side.

    """
    if "loss" in spec.own_parts:
        _check_loss(spec, images.classes)
    tiny = _tiny(spec)
    parts = ", ".join(_named(tiny, key) for key in tiny.own_parts)
    if not parts:
        return
    try:
        whole = _begin(tiny, images)
        buffers = dict(whole.model.named_buffers())
        for _ in range(STEPS - 1):
            whole.train_step()
        if tiny.ema:
            _check_buffers(whole.model, buffers)
        state = _stored(whole)
        kept, numbers = _end(whole)
        resumed = _begin(tiny, images)
        state.pop("own", None)  # what a state may not know is to be found here
        resumed.load_state_dict(state)
        kept_again, numbers_again = _end(resumed)
    except UserError:
        raise
    except Exception as error:
        hint = NO_GRADIENT if "does not require grad" in str(error) and "optimizer" in tiny.own_parts else ""
        fails = f"{parts}: a training of {STEPS} steps fails:\n{own.traceback_of_others()}"
        raise UserError(fails + hint) from None
    faults = []
    for key in kept:
        if lost := list(unsaved.differing(kept[key], kept_again[key])):
            keeps = f"{key}: {_named(spec, key)} keeps {', '.join(lost)} from step to step"
            faults.append(f"{keeps}, which a run that is stopped and continued would lose; {ADVICE[key]}")
    if not faults and set(unsaved.differing(numbers, numbers_again)) - APART:
        faults.append(
            f"{parts}: a training that is stopped and continued ends with other numbers; keep nothing in "
            "global variables, and draw random numbers by torch, without a generator of your own"
        )
    if faults:
        raise UserError("\n".join(faults))


def _named(spec: RunSpec, key: str) -> str:
    return str(spec.model_dump()[key]["class"])


def _tiny(spec: RunSpec) -> RunSpec:
    data: dict[str, Any] = {"name": spec.data.name}
    data |= {name: getattr(spec.data, name).model_dump() for name in spec.data.mixing}
    change = {"data": data | {"validation": BATCH}, "epochs": 1, "batch_size": BATCH, "probe": None}
    # a schedule is called for each step of the whole run elsewhere
    return RunSpec.model_validate(spec.model_dump() | change | {"schedule": {"name": "constant"}})


def _check_loss(spec: RunSpec, classes: int) -> None:
    name = _named(spec, "loss")
    logits = torch.randn(BATCH, classes, requires_grad=True)
    target = torch.arange(BATCH) % classes
    if spec.data.mixing:
        target = torch.softmax(torch.randn(BATCH, classes), 1)
    kind = "probabilities" if spec.data.mixing else "class indices"
    loss = build.loss(spec)
    try:
        value = loss(logits, target)
    except UserError:
        raise
    except Exception:
        shapes = f"logits {list(logits.shape)} and {kind} {list(target.shape)}"
        raise UserError(f"loss: {name} fails on {shapes}:\n{own.traceback_of_others()}") from None
    if not isinstance(value, Tensor) or value.numel() != 1:
        found = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise UserError(f"loss: {name} gives {found}; needed: a tensor of one number, the mean of the batch")
    if not value.requires_grad:
        raise UserError(f"loss: {name} gives no gradient; it must be computed from the logits by torch")
    made = _made(spec)
    if isinstance(made, nn.Module) and any(p.requires_grad for p in made.parameters()):
        raise UserError(
            f"loss: {name} has parameters, which no optimizer trains; keep constants as buffers, and what is "
            "to be trained in the network"
        )


def _made(spec: RunSpec) -> Any:
    """Return the object that a user's own loss is, or the function."""
    return own.loss_object(torch.device("cpu"), **build.options(spec.loss))


def _begin(spec: RunSpec, images: Images) -> Training:
    """Return a training on random images, as in a process of its own."""
    own.forget_losses()
    draw = np.random.default_rng(0)

    def part(count: int) -> tuple[Any, Any]:
        shape = (count, images.image_size, images.image_size, images.channels)
        return draw.integers(0, 256, shape, dtype=np.uint8), np.arange(count) % images.classes

    x_train, y_train = part(BATCH * (STEPS + 1))
    x_test, y_test = part(BATCH)
    names = tuple(map(str, range(images.classes)))
    dataset = store.Dataset(x_train, y_train, x_test, y_test, names, "")
    conditions = Conditions(torch.device("cpu"), "fp32", torch.get_num_threads())
    training = Training(spec, 0, dataset, conditions)
    for name, value in training.model.state_dict().items():
        if not isinstance(value, Tensor):
            raise UserError(
                f"model: {name} in the state_dict of {spec.network} is no tensor but {type(value).__name__}; "
                "register buffers instead"
            )
    if "optimizer" in spec.own_parts:
        _check_steps(training)
    training.batches.start_epoch(0)
    return training


def _check_steps(training: Training) -> None:
    """Let the steps of an optimizer say what is wrong with them."""
    step, name = training.optimizer.step, _named(training.spec, "optimizer")

    def checked(closure: Callable[[], Any]) -> Any:
        calls: list[Any] = []

        def counted() -> Any:
            calls.append(closure())
            return calls[-1]

        value = step(counted)
        if not calls or not isinstance(value, Tensor):
            fault = f"returns {type(value).__name__}" if calls else "does not call its closure"
            raise UserError(
                f"optimizer: the step of {name} {fault}; needed: step(closure), which calls the closure for "
                "the gradient and returns the loss that it gives"
            )
        return value

    training.optimizer.step = checked  # type: ignore[assignment,method-assign]


def _check_buffers(model: nn.Module, before: Mapping[str, Tensor]) -> None:
    """UserError for buffers that are not those of before: an average of weights would follow the old ones."""
    for name, buffer in model.named_buffers():
        if buffer is not before.get(name):
            raise UserError(
                f"model: a step puts another tensor in the place of the buffer {name}, which an average of "
                f"weights (ema) can't follow; change it in place, for example by self.{name}.copy_(…)"
            )


def _stored(training: Training) -> Any:
    """Return the resume state as it comes back from a file."""
    found = {}
    for key, value in training.state_dict().items():
        file = io.BytesIO()
        torch.save(value, file)
        file.seek(0)
        if names := get_unsafe_globals_in_checkpoint(file):
            name = _named(training.spec, key) if key in training.spec.own_parts else key
            raise UserError(f"{key}: the state of {name} holds {', '.join(names)}; {READABLE}")
        file.seek(0)
        found[key] = torch.load(file, weights_only=True)
    return found


def _end(training: Training) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take the last step; return what each own part keeps then, and the state of the whole."""
    training.train_step()
    training.end_epoch()
    training.selected()
    parts = training.own_parts().items()
    kept = {key: unsaved.attributes(part, saved=key != "loss") for key, part in parts}
    return kept, training.state_dict()
