"""From a specification to its network, optimizer, loss and average of weights."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from pj import losses, models, optim
from pj.config.cards import Component
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.training import compiler, schedule

if TYPE_CHECKING:
    from pj.training.averaging import Averaged


class Images(Protocol):
    """What a network must fit."""

    @property
    def classes(self) -> int:
        """How many there are."""

    @property
    def channels(self) -> int:
        """Of an image."""

    @property
    def image_size(self) -> int:
        """Pixels per side."""


# a registry, so that the code of the average is part of the fingerprint of only those runs that have one
REGISTRY = {"ema": "pj.training.averaging:Averaged"}
NORMS = (
    nn.modules.batchnorm._NormBase,  # batch and instance norm
    *(nn.GroupNorm, nn.LayerNorm, nn.RMSNorm),
)


def network(spec: RunSpec, dataset: Images, device: torch.device) -> nn.Module:
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

    UserError if this machine lacks what it needs, such as a compiler.
    """
    if lacks := compiler.lacking(cuda=any(weights.is_cuda for weights in model.parameters())):
        raise UserError(
            f"compile: true needs {lacks}; install it, or set compile: false, which trains the same network "
            "more slowly"
        )
    options: dict[str, Any] = {
        "deterministic": True,  # bit-identical resumption needs the same kernels: none is chosen by its speed
        # Values in bf16 are rounded as in eager steps. Without it ResNet9's gradients were NaN on a GPU: that
        # of amax divides by how often the maximum, rounded to bf16, is found among values that were not.
        # On a CPU torch does so since 2.13.
        "emulate_precision_casts": True,
    }
    return torch.compile(model, dynamic=False, options=options)  # type: ignore[return-value]


def optimizer(spec: RunSpec, model: nn.Module, steps_per_epoch: int) -> Optimizer:
    """Return the optimizer. DessiLBI's relative thresholds become absolute by the run's sum of lr / nu."""
    settings = options(spec.optimizer)
    if settings.get("relative"):
        steps = range(spec.epochs * steps_per_epoch)
        rates = (schedule.factor(spec.schedule, step / steps_per_epoch, spec.epochs) for step in steps)
        settings["reach"] = spec.optimizer.lr * sum(rates) / spec.optimizer.nu
    parameters: Any = model.parameters() if spec.decay_norms_and_biases is None else _by_decay(model)
    return optim.create(spec.optimizer.name, parameters, **settings)


def _by_decay(model: nn.Module) -> list[dict[str, Any]]:
    """Return two groups of parameters: weights, and those without weight decay (He et al. 2019, section 3.1).

    The latter are the parameters of normalisation layers and every bias.
    """
    norms = {p for m in model.modules() if isinstance(m, NORMS) for p in m.parameters(recurse=False)}
    decayed: list[nn.Parameter] = []
    exempt: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (exempt if parameter in norms or name.endswith("bias") else decayed).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": exempt, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def averaged(spec: RunSpec, model: nn.Module) -> Averaged | None:
    """Return the average of weights that a specification asks for; None if it asks for none."""
    return resolve_name(REGISTRY["ema"])(model, spec.ema.decay) if spec.ema else None


def loss(spec: RunSpec) -> losses.Loss:
    """Return the loss."""
    return losses.create(spec.loss.name, **options(spec.loss))


def options(component: Component) -> dict[str, Any]:
    """Return a component's settings without its name, as keyword arguments for its registry."""
    return component.arguments({"name"})
