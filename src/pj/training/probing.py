"""Probes along a training run: every N steps, the loss around the weights is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pj.config.components import Line, Probe
from pj.landscape import probes
from pj.landscape.probes import Point
from pj.randomness import seed_draws
from pj.runs import records

STEP_COLUMNS = ("step", "epoch", "loss")
PROBE_COLUMNS = (
    "step",
    "line",
    "grid",
    "size",
    "layer",
    "loss",
    "length",
    "gradient_distance",
    "gradient_norm",
)
SHIFT_COLUMNS = ("step", "layer", "norm", "relative", "cosine")


class Probing:
    """The probes of a run and what they have measured so far. They do not change the run.

    Probes are evaluated in fp32 whatever the run's precision: bf16 would round small differences away.

    Args:
        spec: where and how often to probe.
        model: not modified.
        loss: maps logits and targets to a scalar.

    """

    def __init__(self, spec: Probe, model: nn.Module, loss: probes.Loss) -> None:
        self.spec, self.model, self.loss = spec, model, loss
        self.groups = probes.layers(model)
        self.losses: list[float] = []  # of every step
        self.found: list[dict[str, Any]] = []  # one dictionary of tensors per probed step

    @contextmanager
    def around(self, step: int, batch: probes.Batch, seed: int, lr: float) -> Iterator[None]:
        """Probe the weights before the step that is taken inside this context, if the step is to be probed.

        Args:
            step: number of steps taken before.
            batch: inputs [N, …] and targets [N] of the step.
            seed: of the step's dropout, so that probes use the same mask.
            lr: learning rate of the step.

        """
        asked = self.spec.gradient or self.spec.update or self.spec.ics
        if step % self.spec.every or not asked or not lr:  # relative to a rate of 0 there is no step
            yield
            return
        before = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        yield
        cuda = [batch[0].device] if batch[0].device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            seed_draws(seed)
            start = probes.point(self.model, self.loss, batch, before)
            after = {name: p.detach() for name, p in self.model.named_parameters()}
            self.found.append({"step": step, "lr": lr, **self._measure(batch, start, after, lr)})

    def _measure(
        self, batch: probes.Batch, start: Point, after: probes.Weights, lr: float
    ) -> dict[str, Tensor]:
        own = [probes.norm(start.gradient, names) for names in self.groups.values()]
        whole = probes.norm(start.gradient, start.gradient)
        found = {"gradient_norms": torch.stack([whole, *own])}  # [1 + layers]
        if self.spec.gradient:
            found["gradient"] = self._along(batch, start, None, _sizes(self.spec.gradient, lr))
        if self.spec.update:
            update = {name: after[name] - w for name, w in start.weights.items()}
            sizes = [[size / lr for size in grid] for grid in _sizes(self.spec.update, lr)]
            found["update"] = self._along(batch, start, update, sizes)
        if self.spec.ics:
            shifts = probes.ics(self.model, self.loss, batch, after, self.spec.ics, start).values()
            found["shifts"] = torch.stack([torch.stack([s.norm, s.relative, s.cosine]) for s in shifts])
        return found

    def _along(
        self,
        batch: probes.Batch,
        start: Point,
        direction: probes.Weights | None,
        grids: Sequence[Sequence[float]],
    ) -> Tensor:
        """Return loss, length and gradient distances (whole, by layer) of each step: [S, 3 + layers]."""
        blocks = []
        for grid in grids:
            probe = probes.probe(self.model, self.loss, batch, grid, direction, start)
            columns = [probe.losses, probe.lengths, probe.gradient_distances, *probe.by_layer.values()]
            blocks.append(torch.stack(columns, dim=1))
        return torch.cat(blocks)

    def state_dict(self) -> dict[str, Any]:
        """Return what has been measured."""
        return {"losses": self.losses, "found": self.found}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.losses, self.found = state["losses"], state["found"]

    def tables(self, steps_per_epoch: int) -> dict[str, tuple[Sequence[str], list[dict[str, Any]]]]:
        """Return columns and rows of each file by its name. Steps are counted from 0, epochs from 1."""
        losses = enumerate(self.losses)
        steps = [{"step": i, "epoch": i // steps_per_epoch + 1, "loss": loss} for i, loss in losses]
        return {
            records.STEPS: (STEP_COLUMNS, steps),
            records.PROBES: (PROBE_COLUMNS, [r for found in self.found for r in self._probe_rows(found)]),
            records.SHIFTS: (SHIFT_COLUMNS, [r for found in self.found for r in self._shift_rows(found)]),
        }

    def _probe_rows(self, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
        norms = found["gradient_norms"].tolist()
        for name in ("gradient", "update"):
            line: Line | None = getattr(self.spec, name)
            if line is None:
                continue
            for (grid, factor), values in zip(_points(line), found[name].tolist(), strict=True):
                loss, length, *distances = values
                for layer, distance, own in zip(("all", *self.groups), distances, norms, strict=True):
                    row = (found["step"], name, grid, factor, layer, loss, length, distance, own)
                    yield dict(zip(PROBE_COLUMNS, row, strict=True))

    def _shift_rows(self, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for layer, values in zip(
            self.spec.ics, found["shifts"].tolist() if self.spec.ics else (), strict=True
        ):
            yield dict(zip(SHIFT_COLUMNS, (found["step"], layer, *values), strict=True))


def _points(line: Line) -> list[tuple[str, float]]:
    """Return the grid and value of every step size, in the order of measurement."""
    grids = (("absolute", line.absolute), ("relative", line.relative))
    return [(grid, size) for grid, sizes in grids for size in sizes or ()]


def _sizes(line: Line, lr: float) -> list[list[float]]:
    """Return the grids as learning rates."""
    relative = [factor * lr for factor in line.relative or ()]
    return [grid for grid in (line.absolute or [], relative) if grid]
