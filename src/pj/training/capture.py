"""Training steps as CUDA graphs: the kernels of a step are launched together instead of one by one.

Small networks wait for Python, which launches some hundred kernels per step. A graph holds the launches of
one step; replaying it runs the same kernels on the same memory, so the results have the same bits. It is how
fast a run is, not what it computes, so no specification mentions it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from pj.training import rates

log = logging.getLogger(__name__)
EAGER = 3  # steps before a capture, in which libraries load, kernels compile and optimizers make their state

Update = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """A captured step: its graph, and the tensors that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    images: Tensor
    labels: Tensor
    loss: Tensor

    def replay(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take the step with other images, and return its loss, which the next replay overwrites."""
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.loss


class Captured:
    """Takes a run's steps: the first ones eagerly, then captures one, and replays it from then on.

    A batch of another size is computed eagerly, and so are `EAGER` full batches after each change of a
    learning rate that is a number (`pj.training.rates`): if it changes in every step, none is captured.

    Args:
        optimizer: whose learning rates and state are in the graph.
        batch_size: of the batches that are captured.

    """

    def __init__(self, optimizer: Optimizer, batch_size: int) -> None:
        self.optimizer, self.batch_size = optimizer, batch_size
        self.step: Step | None = None
        self.rates: list[float] = []  # those of the last full batch that are numbers
        self.unchanged = 0  # full batches since they changed, at most EAGER
        self.replayed = False  # whether the last step was
        self.said = False  # that a changing learning rate is in the way

    def __call__(self, update: Update, images: Tensor, labels: Tensor) -> Tensor:
        """Take a step and return its loss, which the next call overwrites.

        Args:
            update: takes images and labels, changes weights and state in place, and returns the loss, a
                scalar. It neither waits for the device nor chooses by what is there.
            images: [B, C, H, W].
            labels: [B] or [B, K].

        """
        self.replayed = False
        if len(images) != self.batch_size:
            return update(images, labels)
        numbers = rates.numbers(self.optimizer)
        if numbers != self.rates:
            if self.step is None and self.unchanged and not self.said:
                log.info("steps are not captured as a CUDA graph while the learning rate changes")
                self.said = True
            self.step, self.rates, self.unchanged = None, numbers, 0
        if self.step is None:
            if self.unchanged < EAGER:
                self.unchanged += 1
                return update(images, labels)
            self.step = self._capture(update, images.clone(), labels.clone())
            log.info("steps are replayed as a CUDA graph")
        self.replayed = True
        return self.step.replay(images, labels)

    def _capture(self, update: Update, images: Tensor, labels: Tensor) -> Step:
        """Record a step without taking it."""
        self.optimizer.zero_grad()  # frees what the graph, which has memory of its own, can't use
        graph = torch.cuda.CUDAGraph()
        with _capturable(self.optimizer), torch.cuda.graph(graph):
            loss = update(images, labels)
        return Step(graph, images, labels, loss)


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
