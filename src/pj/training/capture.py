"""Training steps as CUDA graphs: the kernels of a step are launched together instead of one by one.

Small networks wait for Python, which launches some hundred kernels per step. A graph holds the launches of
one step; replaying it runs the same kernels on the same memory, so the results have the same bits. It is how
fast a run is, not what it computes, so no specification mentions it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim import Optimizer

from pj.config.spec import RunSpec

log = logging.getLogger(__name__)
EAGER = 3  # steps before a capture, in which libraries load, kernels compile and optimizers make their state

Update = Callable[[Tensor, Tensor], Tensor]


def obstacle(spec: RunSpec) -> str | None:
    """Return why a run's steps can't be captured; None if they can."""
    if spec.own_parts:
        return "its own code may keep values outside of the device"
    if spec.optimizer.name == "dessilbi" and spec.optimizer.inner == "adam":
        return "DessiLBI with Adam counts its steps outside of the device"
    return None


class Captured:
    """An update of the weights that is captured once and then replayed.

    A batch of another size is computed eagerly, and so are the first steps after a change of the learning
    rate, which is a number in the graph: with a schedule that changes it in every step nothing is captured.

    Args:
        update: takes images [B, C, H, W] and labels [B] or [B, K], changes weights and state in place, and
            returns the loss, a scalar. It neither waits for the device nor chooses by what is there.
        optimizer: whose learning rates and state are in the graph.
        batch_size: of the batches that are captured.

    """

    def __init__(self, update: Update, optimizer: Optimizer, batch_size: int) -> None:
        self.update, self.optimizer, self.batch_size = update, optimizer, batch_size
        self.graph: torch.cuda.CUDAGraph | None = None
        self.rates: list[float] = []  # learning rates of the last full batch
        self.eager = 0  # full batches since they changed

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Update the weights and return the loss, which the next call overwrites."""
        if len(images) != self.batch_size:
            return self.update(images, labels)
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if rates != self.rates:
            self.graph, self.rates, self.eager = None, rates, 0
        if self.graph is None:
            if self.eager < EAGER:
                self.eager += 1
                return self.update(images, labels)
            self._capture(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()  # type: ignore[union-attr]
        return self.loss

    def _capture(self, images: Tensor, labels: Tensor) -> None:
        """Record a step without taking it."""
        self.images, self.labels = images.clone(), labels.clone()
        graph = torch.cuda.CUDAGraph()
        with _capturable(self.optimizer), torch.cuda.graph(graph):
            self.loss = self.update(self.images, self.labels)
        self.graph = graph
        log.info("steps are replayed as a CUDA graph")


@contextmanager
def _capturable(optimizer: Optimizer) -> Iterator[None]:
    """Let torch's optimizers be captured: counts of steps move to the device, and its flag is set."""
    for parameter, state in optimizer.state.items():
        if "step" in state:  # RMSprop's is on the CPU
            state["step"] = state["step"].to(parameter.device)
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False  # torch warns of steps that are not captured
