"""A run in progress: everything that a step reads and changes."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from pj import own
from pj.config.spec import RunSpec
from pj.data import store
from pj.data.batches import Normalise, TrainingBatches, splits
from pj.losses.targets import label_mass
from pj.models import layer_names
from pj.randomness import derive, seed_draws
from pj.runs.records import SUPPORT
from pj.training import build, capture, observers, rates, replay
from pj.training.accuracy import loss_and_accuracy, predict
from pj.training.batch_norm import frozen_running_statistics
from pj.training.device import Conditions
from pj.training.schedule import factor

if TYPE_CHECKING:
    from pj.optim.dessilbi import DessiLBI
    from pj.optim.sam import SAM

log = logging.getLogger(__name__)
PATH = ("gamma", "selected")  # of a checkpoint: Γ, and the epoch at which each unit was first in its support


class Training:
    """A training in progress: everything that a step reads and changes."""

    def __init__(self, spec: RunSpec, seed: int, dataset: store.Dataset, conditions: Conditions) -> None:
        self.spec, self.seed, self.conditions = spec, seed, conditions
        device = conditions.device
        torch.manual_seed(derive(seed, "init"))
        self.model = build.network(spec, dataset, device)
        # of the training steps
        self.network = build.compiled(self.model) if spec.compile else self.model
        self.loss = build.loss(spec)
        self.data_made_from = dataset.made_from  # for the record
        self.splits = splits(dataset, spec.data, device)
        self.normalise = Normalise(spec.data, self.splits["train"])
        self.batches = TrainingBatches(
            self.splits["train"], spec.data, spec.batch_size, self.normalise, dataset.classes, seed
        )
        self.optimizer = build.optimizer(spec, self.model, self.batches.steps)
        self._ratios = rates.ratios(self.optimizer, spec.optimizer.lr)
        self._place_rates()
        if self._dessilbi:
            self._dessilbi.check(self.model)
        if spec.optimizer.name == "sam":
            cast("SAM", self.optimizer).second_pass = partial(frozen_running_statistics, self.model)
        self.averaged = build.averaged(spec, self.model)
        self.probing = observers.probing(spec, self.model, self.loss)
        self.epoch, self.step = 0, 0  # epochs completed, steps completed in the epoch under way
        self.step_losses = torch.zeros(self.batches.steps, device=device)
        self.correct = torch.zeros((), dtype=torch.float64, device=device)
        self.rows: list[dict[str, float]] = []
        self.best: dict[str, Any] = {}
        self.diverged_at: int | None = None
        self.captured = self._captured()
        self.passes = 0  # evaluations of the gradient in the last step
        self.gradients = 0  # and in all, without those of probes
        self.replayed_steps = 0
        self.seconds = 0.0
        self.resumed_at: list[int] = []  # after how many steps
        self.conditions_before: list[dict[str, Any]] = []  # of earlier sessions, if the run was resumed

    def _captured(self) -> capture.Captured | None:
        """Return what captures steps as a CUDA graph; None on a CPU, or if something stands against it."""
        if self.conditions.device.type != "cuda":
            return None
        if reason := replay.obstacle(self.spec):
            log.info("steps are not captured as a CUDA graph: %s", reason)
            return None
        return capture.Captured(self.optimizer, self.spec.batch_size)

    @property
    def steps_done(self) -> int:
        """Steps since the beginning."""
        return self.epoch * self.batches.steps + self.step

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.epoch == self.spec.epochs or self.diverged_at is not None

    @property
    def evaluated(self) -> nn.Module:
        """The network that is measured, selected and kept: the averaged one if there is one."""
        return self.averaged.network if self.averaged else self.model

    def _place_rates(self) -> None:
        if "optimizer" not in self.spec.own_parts:  # such a one may need a number
            rates.place(self.optimizer, self.conditions.device)

    def lr(self, step: int) -> float:
        """Learning rate of the step after so many steps."""
        progress = step / self.batches.steps
        return self.spec.optimizer.lr * factor(self.spec.schedule, progress, self.spec.epochs)

    def train_step(self) -> None:
        """Take one step. Nothing here waits for the device, but for a capture and for probes."""
        images, labels = self.batches[self.step]
        seed = derive(self.seed, "step", self.epoch, self.step)
        seed_draws(seed)  # dropout
        lr = self.lr(self.steps_done)
        rates.set_to(self.optimizer, lr, self._ratios)
        probed = (
            self.probing.around(self.steps_done, (images, labels), seed, lr)
            if self.probing
            else nullcontext()
        )
        with probed:
            if self.captured:
                loss = self.captured(self._update, images, labels)
            else:
                loss = self._update(images, labels)
        self.step_losses[self.step] = loss
        self.gradients += self.passes
        self.replayed_steps += bool(self.captured and self.captured.replayed)
        self.step += 1

    def _update(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Update weights, their average and the running accuracy; return the loss, a scalar.

        On a GPU this is captured and replayed (`pj.training.capture`), so all that changes from step to step
        is on the device or given.
        """
        outputs = []

        def closure() -> torch.Tensor:
            self.optimizer.zero_grad()
            with self.conditions.autocast():
                outputs.append(self.network(images))
            loss = self.loss(outputs[-1].float(), labels)
            loss.backward()
            if self.spec.clip_norm:  # with SAM the gradients at w and at w + eps alike
                clip_grad_norm_(self.model.parameters(), self.spec.clip_norm)
            return loss

        loss: torch.Tensor = self.optimizer.step(closure)  # type: ignore[arg-type, assignment]
        if self.averaged:
            self.averaged.update()
        self.correct += label_mass(outputs[0].detach(), labels)  # SAM's first pass: at w
        self.passes = len(outputs)
        return loss.detach()

    def end_epoch(self) -> None:
        """Measure on the held-out splits, detect divergence, select weights."""
        step_losses = self.step_losses.double().cpu()
        own_optimizer = "optimizer" in self.spec.own_parts  # which may have changed its rate
        lr = float(self.optimizer.param_groups[0]["lr"]) if own_optimizer else self.lr(self.steps_done - 1)
        row: dict[str, float] = {"epoch": self.epoch + 1, "lr": lr}
        if self._dessilbi:
            shares = self._dessilbi.end_epoch(self.epoch + 1, self.model)
            row |= {f"{SUPPORT}{name}": share for name, share in shares.items()}
        self.rows.append(row | self._running(step_losses) | self._held_out())
        if self.probing:
            self.probing.losses += step_losses.tolist()
        self.diverged_at = self._divergence(step_losses)
        if self.diverged_at is None and self.spec.select == "best_validation":
            accuracy = self.rows[-1]["validation_accuracy"]
            if not self.best or accuracy > self.best["accuracy"]:  # the earliest of equals
                weights = {k: v.detach().clone() for k, v in self.evaluated.state_dict().items()}
                self.best = {"accuracy": accuracy, "epoch": self.epoch + 1, "weights": weights}
                self.best |= self._path()
        self.epoch, self.step = self.epoch + 1, 0
        self.correct.zero_()

    def _running(self, step_losses: torch.Tensor) -> dict[str, float]:
        """Return means over the epoch's images, each measured in its step, in train mode."""
        sizes = torch.full_like(step_losses, self.spec.batch_size)
        before_last = (len(sizes) - 1) * self.spec.batch_size
        sizes[-1] = min(self.spec.batch_size, len(self.splits["train"]) - before_last)
        loss = float((step_losses * sizes).sum() / sizes.sum())
        return {"train_loss": loss, "train_accuracy": 100 * self.correct.item() / float(sizes.sum())}

    def _held_out(self) -> dict[str, float]:
        row: dict[str, float] = {}
        for name in ("validation", "test"):
            if name in self.splits:
                logits = predict(self.evaluated, self.splits[name], self.normalise, self.conditions)
                measured = loss_and_accuracy(logits, self.splits[name], self.loss)
                row |= {f"{name}_{key}": value for key, value in measured.items()}
        return row

    def _divergence(self, step_losses: torch.Tensor) -> int | None:
        """Return the step, counted from 1, at which the run stopped being finite, or None."""
        bad = (~torch.isfinite(step_losses)).nonzero()
        if len(bad):
            return self.epoch * self.batches.steps + int(bad[0]) + 1
        finite = [torch.isfinite(p).all() for p in self.model.parameters()]
        if torch.stack(finite).all():  # waits once, not for every tensor
            return None
        # the last step's update, after which no loss was computed
        return (self.epoch + 1) * self.batches.steps

    def selected(self) -> dict[str, Any]:
        """Return the checkpoint: weights, the epoch they are of, and how they were selected."""
        if self.best:
            weights, epoch, path = self.best["weights"], self.best["epoch"], self.best
        else:
            weights, epoch, path = self.evaluated.state_dict(), self.epoch, self._path()
        return {
            "weights": {k: v.detach().cpu().contiguous() for k, v in weights.items()},
            **{name: {k: v.cpu() for k, v in path[name].items()} for name in PATH if name in path},
            "layers": {name: f"{where}.weight" for name, where in layer_names.layers(self.model).items()},
            "epoch": epoch,
            "selected_by": self.spec.select,
            "spec": self.spec.json_text,
            "seed": self.seed,
        }

    def _path(self) -> dict[str, dict[str, torch.Tensor]]:
        """Return what DessiLBI has selected; nothing with another optimizer."""
        return self._dessilbi.path(self.model) if self._dessilbi else {}

    @property
    def _dessilbi(self) -> DessiLBI | None:
        """The optimizer, if it is the one that selects weights."""
        return cast("DessiLBI", self.optimizer) if self.spec.optimizer.name == "dessilbi" else None

    STATE = (
        *("epoch", "step", "rows", "best", "diverged_at", "gradients", "replayed_steps", "seconds"),
        *("resumed_at", "conditions_before"),
    )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that later steps depend on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step_losses": self.step_losses,
            "correct": self.correct,
            "averaged": self.averaged.state_dict() if self.averaged else None,
            "probing": self.probing.state_dict() if self.probing else None,
            **{name: getattr(self, name) for name in self.STATE},
            **self._kept_by_own_parts(),
        }

    def _kept_by_own_parts(self) -> dict[str, Any]:
        """Return what a user's own parts keep in attributes that the states above do not hold.

        What changes in the first steps is refused before (`pj.training.own_parts`), so this changes later.
        """
        if not self.spec.own_parts:
            return {}
        from pj.training import unsaved  # needs what takes torch two seconds to load

        parts = self.own_parts().items()
        return {"own": {key: unsaved.simple(part, saved=key != "loss") for key, part in parts}}

    def own_parts(self) -> dict[str, Any]:
        """Return the user's own network, optimizer and loss, as far as they are the user's own."""
        parts: dict[str, Any] = {"model": self.model, "optimizer": self.optimizer}
        if "loss" in self.spec.own_parts:
            parts["loss"] = own.loss_object(self.conditions.device, **build.options(self.spec.loss))
        return {key: parts[key] for key in self.spec.own_parts if key in parts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._place_rates()
        self.step_losses.copy_(state["step_losses"])
        self.correct.copy_(state["correct"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        if self.probing:
            self.probing.load_state_dict(state["probing"])
        for name in self.STATE:
            setattr(self, name, state[name])
        if self.captured:
            self.captured.step = None  # the optimizer's state has other tensors now
        for key, values in state.get("own", {}).items():
            from pj.training import unsaved

            unsaved.restore(self.own_parts()[key], values, self.conditions.device)
