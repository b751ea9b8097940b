"""The exponential moving average of a run's weights."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Averaged:
    """A second network whose weights follow those in training: average ← decay average + (1 - decay) w.

    All of the state is averaged from its initial values on, batch norm's running statistics too, and counts
    (integers) are copied, as by timm's ModelEmaV3; torchvision's reference training averages the statistics
    likewise. The update is torch's own. Its AveragedModel is not used, because its count of updates makes
    every step wait for the device.

    Args:
        model: in training; not modified.
        decay: share of the average that a step keeps.

    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.network = deepcopy(model)
        self.average = get_ema_multi_avg_fn(decay)
        self.values: dict[str, Tensor] = {}
        self.counts: list[Tensor] = []
        self.new_values: list[Tensor] = []
        self.new_counts: list[Tensor] = []
        for (name, own), (_, new) in zip(_tensors(self.network), _tensors(model), strict=True):
            if own.is_floating_point():
                self.values[name] = own
                self.new_values.append(new)
            else:
                self.counts.append(own)
                self.new_counts.append(new)

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step into the average."""
        self.average(list(self.values.values()), self.new_values, 0)
        self._copy_counts()

    def _copy_counts(self) -> None:
        if self.counts:
            torch._foreach_copy_(self.counts, self.new_counts)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the average, without the counts."""
        return self.values

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned, when the network in training has been restored."""
        for name, value in self.values.items():
            value.copy_(state[name])
        self._copy_counts()


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield each parameter and buffer once, by name."""
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        yield name, tensor.detach()
