"""From a specification to its network and loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pj import losses, models
from pj.data.store import Dataset
from pj.errors import UserError
from pj.spec import RunSpec, Strict


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
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def loss(spec: RunSpec) -> losses.Loss:
    """Return the loss."""
    return losses.create(spec.loss.name, **options(spec.loss))


def options(component: Strict) -> dict[str, Any]:
    """Return a component's settings without its name, as keyword arguments for its registry."""
    return component.model_dump(exclude={"name"})
