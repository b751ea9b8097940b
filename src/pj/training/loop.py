"""Training a run: from specification, seed and data to a run folder, in one or several sessions."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import torch

from pj import files
from pj.config.spec import RunSpec
from pj.data import store
from pj.errors import UserError, first_line
from pj.runs import kept, records
from pj.runs.provenance import provenance
from pj.training.device import FAULTS, configure
from pj.training.progress import Progress
from pj.training.run import Training
from pj.training.state import ResumeStates, UnreadableStateError

log = logging.getLogger(__name__)
SAVE_EVERY = 60.0  # seconds between resume states
PATIENCE = 5.0  # seconds between two signals, after which the second is taken for impatience with a step
OUT_OF_TIME = 75  # exit status of a run that max_seconds ended: EX_TEMPFAIL of sysexits.h


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
    max_seconds: float | None = None,
    keep: bool = False,
    loaded: Callable[[], None] | None = None,
) -> str:
    """Train a run into ``folder`` and return its state, ``complete`` or ``diverged``.

    Args:
        spec: what to train.
        seed: of initial weights, order, augmentation and dropout.
        data: a file of `pj.data.store`.
        folder: where checkpoint.pt, metrics.csv and, last of all, run.json are written.
        code: fingerprint of the code, recorded and part of the resume state's identity.
        resume: folder for resume states; None keeps none.
        progress: file that `pj watch` reads; None writes none.
        device: auto, cpu, cuda or cuda:<index>.
        threads: of the CPU.
        save_every: seconds between resume states.
        max_seconds: end after the step that exceeds so many seconds, at least one step, with a resume state
            (so ``resume`` is needed) and the exit status `OUT_OF_TIME`; called again, the run continues.
        keep: keep the finished run's files in ``resume``, so that the run folder can be written again without
            training if it is deleted before it has been used.
        loaded: called once, when all code of the run has been loaded.

    SIGTERM, SIGINT and SIGHUP save a resume state at the next step and exit with 128 + the signal's number;
    one that comes `PATIENCE` seconds later ends the process at once, and the run goes on from its last state.

    """
    if max_seconds and not resume:
        raise ValueError("max_seconds needs a folder for resume states (resume)")
    conditions = configure(device, spec.precision, threads)
    dataset = store.load(data)
    identity = {"spec": spec.json_text, "seed": seed, "data": dataset.sha256, "code": code}
    identity["precision"] = conditions.precision
    states = ResumeStates(resume, identity) if resume else None
    held = states.held() if states else nullcontext()
    with held, _stop_signals() as stop, _removed_at_the_end(progress):
        state = kept.restore(resume, folder, _recorded(identity), dataset.made_from) if resume else None
        if state is None:
            training = Training(spec, seed, dataset, conditions)
            if loaded:
                loaded()
            deadline = time.monotonic() + (max_seconds or math.inf)
            _resume(training, states)
            _run(training, states, Progress(progress, spec, seed), stop, save_every, deadline)
            state = "complete" if training.diverged_at is None else "diverged"
            _write(training, folder, state, identity)
            if resume and keep:
                kept.keep(folder, resume)
        if resume and not keep:
            kept.remove(resume)
    return state


@contextmanager
def _removed_at_the_end(progress: Path | None) -> Iterator[None]:
    """Remove the file that `pj watch` reads, once the training that writes it has ended."""
    try:
        yield
    finally:
        if progress:
            with suppress(OSError):
                progress.unlink(missing_ok=True)


def _resume(training: Training, states: ResumeStates | None) -> None:
    """Continue from the newest resume state, if there is one."""
    found = states.newest() if states else None
    if found is None:
        log.info("begins at its first step")
        return
    try:
        training.load_state_dict(found)
    except FAULTS:
        raise
    except Exception as error:
        path = states.own[0] if states and states.own else None
        if path:
            path.unlink(missing_ok=True)
        raise UserError(
            f"the resume state {path} does not fit its run ({error!r}); it was deleted: run again"
        ) from error
    training.resumed_at = [*training.resumed_at, training.steps_done]
    log.info("resumed after step %d (epoch %d)", training.steps_done, training.epoch + 1)
    for before in _other_conditions(training):
        # allowed, but no longer bit-identical to an uninterrupted run
        now = training.conditions.describe()
        log.warning("this run was begun under other conditions: %s, now %s", before, now)


def _other_conditions(training: Training) -> list[dict[str, Any]]:
    """Return the conditions of earlier sessions that are not this one's."""
    now = training.conditions.describe()
    return [before for before in training.conditions_before if before != now]


def _run(
    training: Training,
    states: ResumeStates | None,
    progress: Progress,
    stop: list[int],
    save_every: float,
    deadline: float,
) -> None:
    saved = tick = time.monotonic()
    while not training.finished:
        training.batches.start_epoch(training.epoch)
        while training.step < training.batches.steps:
            training.train_step()
            now = time.monotonic()
            training.seconds, tick = training.seconds + now - tick, now
            ended = stop or now > deadline
            if states and (ended or now - saved > save_every):
                _save(training, states, needed=bool(ended))
                saved = time.monotonic()
            if ended:
                _end(training, stop)
            progress.step(training.epoch, training.step, training.batches.steps, training.seconds)
        training.end_epoch()
        training.conditions.synchronize()
        now = time.monotonic()
        training.seconds, tick = training.seconds + now - tick, now
        training.rows[-1]["seconds"] = round(training.seconds, 3)
        progress.epoch(training.rows[-1])


def _end(training: Training, stop: list[int]) -> NoReturn:
    """Exit from an unfinished run, after a signal or when max_seconds have passed."""
    if stop:
        log.warning("stopped after step %d (signal %d): run again to continue", training.steps_done, stop[0])
        raise SystemExit(128 + stop[0])
    steps = training.spec.epochs * training.batches.steps
    done = training.steps_done
    log.warning("max_seconds reached after step %d of %d: run again to continue", done, steps)
    raise SystemExit(OUT_OF_TIME)


def _save(training: Training, states: ResumeStates, *, needed: bool) -> None:
    """Write a resume state. If it is not ``needed`` to end the run, a full disk does not end it either."""
    conditions = [*_other_conditions(training), training.conditions.describe()]
    try:
        states.save(training.steps_done, training.state_dict() | {"conditions_before": conditions})
    except (UnreadableStateError, *FAULTS):
        raise
    except (OSError, RuntimeError, UserError) as error:  # of a full disk, torch's own is a RuntimeError
        free = shutil.disk_usage(states.folder).free / 2**20
        reason = (
            f"no resume state can be written to {states.folder} ({free:.0f} MB free): {first_line(error)}"
        )
        if needed:
            raise UserError(f"{reason}. The run continues from its last state once there is space") from error
        log.warning("%s; training continues without", reason)


def _recorded(identity: dict[str, Any]) -> dict[str, Any]:
    """Return what a run is as its run.json holds it."""
    return {
        "spec": json.loads(identity["spec"]),
        "seed": identity["seed"],
        "precision": identity["precision"],
        "data_sha256": identity["data"],
        "code": identity["code"],
    }


def _write(training: Training, folder: Path, state: str, identity: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # of a path torch writes the name into the file, unless it is not ASCII
    with files.replaced(folder / records.CHECKPOINT) as temporary, temporary.open("wb") as file:
        torch.save(training.selected(), file)
    tables: dict[str, Any] = {records.METRICS: (list(training.rows[0]), training.rows)}
    if training.probing:
        tables |= training.probing.tables(training.batches.steps)
    for name, (columns, rows) in tables.items():
        files.write_csv(folder / name, columns, rows)
    if training.diverged_at is not None:
        log.warning("diverged at step %d", training.diverged_at)
    conditions = training.conditions
    records.write_json(
        folder / records.RUN,
        {
            "state": state,
            "diverged_at_step": training.diverged_at,
            "epochs": training.epoch,
            "steps_per_epoch": training.batches.steps,
            "images": {name: len(split) for name, split in training.splits.items()},
            "parameters": sum(p.numel() for p in training.model.parameters()),
            "gradients": training.gradients,
            "replayed_steps": training.replayed_steps,
            "seconds": round(training.seconds, 3),
            "resumed_at_steps": training.resumed_at,
            "other_conditions": _other_conditions(training),
            "threads": conditions.threads,
            **_recorded(identity),
            records.MADE_FROM: training.data_made_from,
            "normalised_by": training.normalise.constants,
            "checkpoint_sha256": files.sha256(folder / records.CHECKPOINT),
            "files": {name: files.sha256(folder / name) for name in tables},
            "provenance": provenance(conditions.device),
        },
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect the signals that stop a run, so that a step is finished first.

    One that comes later again ends a run whose step hangs; launchers and terminals send several together.
    """
    received: list[int] = []
    first = [math.inf]

    def note(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - first[0] > PATIENCE:
            os._exit(128 + number)
        first[0] = min(first[0], time.monotonic())
        received.append(number)

    stopping = signal.SIGTERM, signal.SIGINT, signal.SIGHUP  # the last when a terminal is closed
    old = {number: signal.signal(number, note) for number in stopping}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
