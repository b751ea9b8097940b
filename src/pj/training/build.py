"""From a specification to its network and loss."""

from __future__ import annotations

import os
import shutil
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pj import losses, models, optim
from pj.config.cards import Component
from pj.config.spec import RunSpec
from pj.data.store import Dataset
from pj.errors import UserError
from pj.training import schedule


def network(spec: RunSpec, dataset: Dataset, device: torch.device) -> nn.Module:
    """Return the network for a dataset's images; UserError if they do not fit it."""
    try:
        model = models.create(
            spec.model.name,
            num_classes=dataset.classes,
            in_channels=dataset.channels,
            image_size=dataset.image_size,
            **options(spec.model),
        )
    except ValueError as error:
        raise UserError(f"{spec.run}: {error}") from error
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device.type == "cpu" and "AVX512" not in torch.backends.cpu.get_cpu_capability():
        _avoid_onednns_fault(model)
    return model


def _avoid_onednns_fault(model: nn.Module) -> None:
    """Compute narrow 1x1 convolutions with a stride in contiguous order.

    With AVX2, oneDNN 3.12 (issue 6035) writes the gradient of such weights beyond its memory if images are
    in channels_last order and fewer than eight channels come in: a crash, a hang or wrong numbers.
    """
    for layer in model.modules():
        if (
            isinstance(layer, nn.Conv2d)
            and layer.kernel_size == (1, 1)
            and layer.stride != (1, 1)
            and layer.in_channels // layer.groups < 8
        ):
            layer.weight.data = layer.weight.data.clone(memory_format=torch.contiguous_format)
            layer.register_forward_pre_hook(_contiguous)


def _contiguous(layer: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].contiguous(),)


def compiled(model: nn.Module) -> nn.Module:
    """Return the network through torch.compile; parameters and buffers are those of ``model``.

    UserError without a C++ compiler, which torch.compile needs on every device.
    """
    if not shutil.which(os.environ.get("CXX") or "g++"):
        raise UserError(
            "compile: true needs a C++ compiler (g++, or the one that CXX names); install one, or set "
            "compile: false, which trains the same network more slowly"
        )
    # bit-identical resumption needs the same kernels, so none are chosen by measured speed
    return torch.compile(model, dynamic=False, options={"deterministic": True})  # type: ignore[return-value]


def optimizer(spec: RunSpec, model: nn.Module, steps_per_epoch: int) -> Optimizer:
    """Return the optimizer. DessiLBI's relative thresholds become absolute by the run's sum of lr / nu."""
    settings = options(spec.optimizer)
    if settings.get("relative"):
        steps = range(spec.epochs * steps_per_epoch)
        rates = (schedule.factor(spec.schedule, step / steps_per_epoch, spec.epochs) for step in steps)
        settings["reach"] = spec.optimizer.lr * sum(rates) / spec.optimizer.nu
    return optim.create(spec.optimizer.name, model.parameters(), **settings)


def loss(spec: RunSpec) -> losses.Loss:
    """Return the loss."""
    return losses.create(spec.loss.name, **options(spec.loss))


def options(component: Component) -> dict[str, Any]:
    """Return a component's settings without its name, as keyword arguments for its registry."""
    return component.arguments({"name"})
