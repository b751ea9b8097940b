"""A few steps of each distinct network, optimizer and batch size, timed on this device; loads torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from pj.config.spec import RunSpec
from pj.data import store
from pj.errors import UserError
from pj.files import json_of, write_json
from pj.plan import history
from pj.plan.history import Images, Measured
from pj.pruning import networks
from pj.training import build
from pj.training.accuracy import predict
from pj.training.device import Conditions, configure
from pj.training.run import Training

FEWEST, LONGEST = 3, 5.0  # steps, and seconds per kind of run after them


def measure(
    specs: Mapping[str, RunSpec],
    images: Images,
    results: Path,
    *,
    device: str,
    threads: int,
    seconds: float,
    say: Callable[[str], None] = print,
) -> list[Measured]:
    """Time steps of these specifications and keep the results below ``results``.

    Args:
        specs: one specification for each kind of run (`history.kind`).
        images: what is known of the datasets; images themselves are drawn.
        results: the folder of results.
        device: auto, cpu, cuda or cuda:<index>.
        threads: of the CPU.
        seconds: after which no further kind is begun.
        say: prints a line per kind.

    """
    from pj.runs.provenance import provenance

    began, found = time.monotonic(), []
    kept = json_of(results / history.FILE)
    counted: dict[str, float] = dict(kept.get("operations", {}))
    steps = [Measured(**entry) for entry in kept.get("steps", [])]
    for kind, spec in specs.items():
        known = images[spec.data.name]
        channels, side = map(int, known.shape.split("x"))
        shape = store.Shape(known.classes, channels, side)
        forward = counted.setdefault(history.network(spec, images), operations(spec, shape))
        if time.monotonic() - began > seconds:
            continue  # counted only
        conditions = configure(device, spec.precision, threads)
        name = history.of_device(provenance(conditions.device), threads)
        step, image = _timed(spec, shape, conditions)
        per_step = 3 * forward * spec.batch_size * history.gradients(spec)
        found.append(Measured(kind, name, step, image, per_step, history.gradients(spec)))
        speed = f"{1000 * step:8.1f} ms per step, {per_step / step / 1e9:7.1f} GFLOP/s"
        say(f"{speed}  {spec.network}, {spec.optimizer.name}, batch {spec.batch_size}")
    new = {(entry.kind, entry.device) for entry in found}
    steps = [entry for entry in steps if (entry.kind, entry.device) not in new] + found
    write_json(results / history.FILE, {"steps": [asdict(entry) for entry in steps], "operations": counted})
    return found


def operations(spec: RunSpec, shape: store.Shape) -> float:
    """Return the floating-point operations of one image's forward pass; a multiply-add counts as two."""
    try:
        with torch.device("meta"):
            model = build.network(spec, shape, torch.device("meta")).eval()
            image = torch.zeros(1, shape.channels, shape.image_size, shape.image_size)
            return 2.0 * networks.size(model, image).macs
    except UserError:
        raise
    except Exception:  # a network that reads values while it is built or called
        model = build.network(spec, shape, torch.device("cpu")).eval()
        image = torch.zeros(1, shape.channels, shape.image_size, shape.image_size)
        return 2.0 * networks.size(model, image).macs


def _timed(spec: RunSpec, shape: store.Shape, conditions: Conditions) -> tuple[float, float]:
    """Return the seconds of a step, and of one image's forward pass."""
    draw, count = np.random.default_rng(0), max(2 * spec.batch_size, 256)
    size = (count, shape.image_size, shape.image_size, shape.channels)
    pixels = draw.integers(0, 256, size, dtype=np.uint8)
    labels = draw.integers(0, shape.classes, count)
    names = tuple(map(str, range(shape.classes)))
    dataset = store.Dataset(pixels, labels, pixels[:256], labels[:256], names, "")
    data = spec.data.model_copy(update={"train": None, "test": None, "validation": 0})
    plain = spec.model_copy(update={"data": data, "select": "last", "probe": None, "epochs": 1_000})
    training = Training(plain, 0, dataset, conditions)
    return _per_step(training), _per_image(training)


def _per_step(training: Training) -> float:
    """Return the median seconds of a step; the first one, which prepares much, does not count."""
    taken: list[float] = []
    began = time.monotonic()
    while len(taken) <= FEWEST or time.monotonic() - began < LONGEST / 2:
        if training.step == 0:
            training.batches.start_epoch(training.epoch)
        start = time.monotonic()
        training.train_step()
        training.conditions.synchronize()
        taken.append(time.monotonic() - start)
        if training.step == training.batches.steps:
            training.epoch, training.step = training.epoch + 1, 0
    return float(np.median(taken[1:]))


def _per_image(training: Training) -> float:
    split = training.splits["test"]
    predict(training.evaluated, split, training.normalise, training.conditions)
    start = time.monotonic()
    predict(training.evaluated, split, training.normalise, training.conditions)
    training.conditions.synchronize()
    return (time.monotonic() - start) / len(split.labels)
