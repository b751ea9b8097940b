"""The training loop: (spec, seed, data) to a run folder."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from pj import files, losses, models, optim, records
from pj.data import store
from pj.data.batches import Normalise, TrainingBatches, splits
from pj.provenance import provenance
from pj.randomness import derive
from pj.spec import RunSpec, options
from pj.training.batch_norm import frozen_running_statistics
from pj.training.device import Conditions, configure
from pj.training.measure import loss_and_accuracy, predict
from pj.training.progress import Progress
from pj.training.schedule import factor
from pj.training.state import ResumeStates

log = logging.getLogger(__name__)
SAVE_EVERY = 60.0  # seconds between resume states


class Training:
    """A training in progress: all that a step reads and changes."""

    def __init__(self, spec: RunSpec, seed: int, dataset: store.Dataset, conditions: Conditions) -> None:
        self.spec, self.seed, self.conditions = spec, seed, conditions
        device = conditions.device
        torch.manual_seed(derive(seed, "init"))
        self.model = models.create(
            spec.model.name,
            num_classes=dataset.classes,
            in_channels=dataset.channels,
            image_size=dataset.image_size,
            **options(spec.model),
        ).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = losses.create(spec.loss.name, **options(spec.loss))
        self.optimizer = optim.create(spec.optimizer.name, self.model.parameters(), **options(spec.optimizer))
        if hasattr(self.optimizer, "second_pass"):
            self.optimizer.second_pass = partial(frozen_running_statistics, self.model)
        self.splits = splits(dataset, spec.data, device)
        self.normalise = Normalise(spec.data, dataset.channels, device)
        self.batches = TrainingBatches(self.splits["train"], spec.data, spec.batch_size, self.normalise, seed)
        self.epoch, self.step = 0, 0  # epochs completed, steps completed in the epoch under way
        self.step_losses = torch.zeros(self.batches.steps, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.rows: list[dict[str, float]] = []
        self.best: dict[str, Any] = {}
        self.diverged_at: int | None = None
        self.seconds = 0.0

    @property
    def steps_done(self) -> int:
        """Steps since the beginning."""
        return self.epoch * self.batches.steps + self.step

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.epoch == self.spec.epochs or self.diverged_at is not None

    def lr(self) -> float:
        """Learning rate of the next step."""
        progress = self.steps_done / self.batches.steps
        return self.spec.optimizer.lr * factor(self.spec.schedule, progress, self.spec.epochs)

    def train_step(self) -> None:
        """Take one step. Nothing here waits for the device."""
        images, labels = self.batches[self.step]
        torch.manual_seed(derive(self.seed, "step", self.epoch, self.step))  # dropout
        outputs = []

        def closure() -> torch.Tensor:
            self.optimizer.zero_grad()
            with self.conditions.autocast():
                outputs.append(self.model(images))
            loss = self.loss(outputs[-1].float(), labels)
            loss.backward()
            return loss

        for group in self.optimizer.param_groups:
            group["lr"] = self.lr()
        loss: Any = self.optimizer.step(closure)  # type: ignore[arg-type]
        self.step_losses[self.step] = loss.detach()
        self.correct += (outputs[0].detach().argmax(dim=1) == labels).sum()  # SAM's first pass: the loss at w
        self.step += 1

    def end_epoch(self) -> None:
        """Measure, select, and notice a divergence."""
        step_losses = self.step_losses.double().cpu()
        sizes = torch.full_like(step_losses, self.spec.batch_size)
        before_last = (len(sizes) - 1) * self.spec.batch_size
        sizes[-1] = min(self.spec.batch_size, len(self.splits["train"]) - before_last)
        row = {
            "epoch": self.epoch + 1,
            "lr": self.optimizer.param_groups[0]["lr"],  # of its last step
            "train_loss": float((step_losses * sizes).sum() / sizes.sum()),
            "train_accuracy": 100 * self.correct.item() / float(sizes.sum()),
        }
        for name in ("validation", "test"):
            if name in self.splits:
                logits = predict(self.model, self.splits[name], self.normalise, self.conditions)
                measured = loss_and_accuracy(logits, self.splits[name], self.loss)
                row |= {f"{name}_{key}": value for key, value in measured.items()}
        bad = (~torch.isfinite(step_losses)).nonzero()
        if len(bad):
            self.diverged_at = self.epoch * self.batches.steps + int(bad[0]) + 1
        elif not all(torch.isfinite(p).all() for p in self.model.parameters()):
            self.diverged_at = (self.epoch + 1) * self.batches.steps
        self.rows.append(row)
        if self.diverged_at is None and self.spec.select == "best_validation":
            accuracy = row["validation_accuracy"]
            if not self.best or accuracy > self.best["accuracy"]:  # the earliest of equals
                weights = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
                self.best = {"accuracy": accuracy, "epoch": self.epoch + 1, "weights": weights}
        self.epoch, self.step = self.epoch + 1, 0
        self.correct.zero_()

    def selected(self) -> dict[str, Any]:
        """Return the checkpoint: weights, the epoch they are of, and how they were selected."""
        if self.best:
            weights, epoch = self.best["weights"], self.best["epoch"]
        else:
            weights, epoch = self.model.state_dict(), self.epoch
        return {
            "weights": {k: v.detach().cpu().contiguous() for k, v in weights.items()},
            "epoch": epoch,
            "selected_by": self.spec.select,
            "spec": self.spec.json_text,
            "seed": self.seed,
        }

    STATE = ("epoch", "step", "rows", "best", "seconds")

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a later step depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step_losses": self.step_losses,
            "correct": self.correct,
            **{name: getattr(self, name) for name in self.STATE},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step_losses.copy_(state["step_losses"])
        self.correct.copy_(state["correct"])
        for name in self.STATE:
            setattr(self, name, state[name])


def train(
    spec: RunSpec,
    seed: int,
    data: Path,
    folder: Path,
    *,
    code: str = "",
    resume: Path | None = None,
    progress: Path | None = None,
    device: str = "auto",
    threads: int = 1,
    save_every: float = SAVE_EVERY,
) -> str:
    """Train a run into ``folder`` and return its state, ``complete`` or ``diverged``.

    Args:
        spec: what to train.
        seed: of initial weights, order, augmentation and dropout.
        data: a file of `pj.data.store`.
        folder: receives checkpoint.pt, metrics.csv and, last of all, run.json.
        code: fingerprint of the code, recorded and part of the resume state's identity.
        resume: folder for resume states; None keeps none.
        progress: file that `pj watch` reads; None writes none.
        device: auto, cpu, cuda or cuda:<index>.
        threads: of the CPU.
        save_every: seconds between resume states.

    SIGTERM and SIGINT save a resume state at the next step and exit with 128 + the signal's number.

    """
    conditions = configure(device, spec.precision, threads)
    dataset = store.load(data)
    identity = {"spec": spec.json_text, "seed": seed, "data": dataset.sha256, "code": code}
    states = ResumeStates(resume, identity) if resume else None
    with states.held() if states else nullcontext(), _stop_signals() as stop:
        training = Training(spec, seed, dataset, conditions)
        resumed_at = _resume(training, states)
        _run(training, states, Progress(progress, spec, seed), stop, save_every)
        state = "complete" if training.diverged_at is None else "diverged"
        _write(training, folder, state, identity, resumed_at)
        if states:
            states.remove()
    if progress:
        progress.unlink(missing_ok=True)
    return state


def _resume(training: Training, states: ResumeStates | None) -> int:
    found = states.newest() if states else None
    if found is None:
        return 0
    training.load_state_dict(found)
    log.info("resumed after step %d (epoch %d)", training.steps_done, training.epoch + 1)
    return training.steps_done


def _run(
    training: Training, states: ResumeStates | None, progress: Progress, stop: list[int], save_every: float
) -> None:
    saved = tick = time.monotonic()
    while not training.finished:
        training.batches.start_epoch(training.epoch)
        while training.step < training.batches.steps:
            training.train_step()
            now = time.monotonic()
            training.seconds, tick = training.seconds + now - tick, now
            if states and (stop or now - saved > save_every):
                states.save(training.steps_done, training.state_dict())
                saved = time.monotonic()
            if stop:
                log.warning("stopped by signal %d after step %d", stop[0], training.steps_done)
                raise SystemExit(128 + stop[0])
            progress.step(training.epoch, training.step, training.batches.steps, training.seconds)
        training.end_epoch()
        training.conditions.synchronize()
        now = time.monotonic()
        training.seconds, tick = training.seconds + now - tick, now
        training.rows[-1]["seconds"] = round(training.seconds, 3)
        progress.epoch(training.rows[-1])


def _write(training: Training, folder: Path, state: str, identity: dict[str, Any], resumed_at: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with files.replaced(folder / records.CHECKPOINT) as temporary:
        torch.save(training.selected(), temporary)
    columns = list(training.rows[0])
    lines = [",".join(columns)] + [",".join(repr(row[c]) for c in columns) for row in training.rows]
    files.write_text(folder / records.METRICS, "\n".join(lines) + "\n")
    if training.diverged_at is not None:
        log.warning("diverged at step %d", training.diverged_at)
    conditions = training.conditions
    files.write_json(
        folder / records.RUN,
        {
            "state": state,
            "diverged_at_step": training.diverged_at,
            "seed": training.seed,
            "spec": json.loads(training.spec.json_text),
            "epochs": training.epoch,
            "steps_per_epoch": training.batches.steps,
            "images": {name: len(split) for name, split in training.splits.items()},
            "parameters": sum(p.numel() for p in training.model.parameters()),
            "seconds": round(training.seconds, 3),
            "resumed_at_step": resumed_at or None,
            "precision": conditions.precision,
            "threads": conditions.threads,
            "data_sha256": identity["data"],
            "code": identity["code"],
            "checkpoint_sha256": records.sha256(folder / records.CHECKPOINT),
            "provenance": provenance(conditions.device),
        },
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of dying in the middle of a step."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    old = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
