"""A few steps of each distinct network, optimizer and batch size, timed on this device; loads torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from pj.config.spec import RunSpec
from pj.data import store
from pj.data.facts import Images
from pj.errors import UserError
from pj.files import write_json
from pj.plan import history
from pj.plan.history import Measured
from pj.pruning import networks
from pj.training import build
from pj.training.accuracy import predict
from pj.training.device import configure
from pj.training.run import Training

FEWEST, LONGEST = 2, 1.0  # steps after the first, and seconds after which no further one is taken


def measure(
    specs: Mapping[str, RunSpec],
    images: Images,
    results: Path,
    *,
    device: str,
    threads: int,
    seconds: float,
) -> list[Measured]:
    """Time steps of these specifications and keep the results below ``results``.

    Args:
        specs: one specification for each kind of run (`history.kind`).
        images: what is known of the datasets; images themselves are drawn.
        results: the folder of results.
        device: auto, cpu, cuda or cuda:<index>.
        threads: of the CPU.
        seconds: after which no further kind is begun.

    """
    from pj.runs.provenance import provenance

    steps = history.measured(results)
    counted = count(specs, images, results)

    def per_step(spec: RunSpec) -> float:
        return 3 * counted[history.network(spec, images)] * spec.batch_size * history.gradients(spec)

    name = history.of_device(provenance(configure(device, "fp32", threads).device), threads)
    began, found = time.monotonic(), []
    for kind, spec in in_order(specs, per_step):
        if time.monotonic() - began > seconds:
            break
        step, image = _timed(spec, shape(spec, images), device, threads)
        found.append(Measured(kind, name, step, image, per_step(spec), history.gradients(spec)))
        speed = f"{1000 * step:8.1f} ms per step, {per_step(spec) / step / 1e9:7.1f} GFLOP/s"
        print(f"{speed}  {spec.network}, {spec.optimizer.name}, batch {spec.batch_size}")
        others = [entry for entry in steps if (entry.kind, entry.device) != (kind, name)]
        steps = [*others, found[-1]]
        _keep(results, steps, counted)  # each, since one may wish to stop here
    return found


def count(specs: Mapping[str, RunSpec], images: Images, results: Path) -> dict[str, float]:
    """Count the operations of networks where they are not known yet, keep and return those of all."""
    counted = history.operations(results)
    for spec in specs.values():
        if history.network(spec, images) not in counted:
            counted[history.network(spec, images)] = operations(spec, shape(spec, images))
    _keep(results, history.measured(results), counted)
    return counted


def _keep(results: Path, steps: Sequence[Measured], counted: Mapping[str, float]) -> None:
    content = {"steps": [asdict(entry) for entry in steps], "operations": dict(counted)}
    write_json(results / history.FILE, content)


def in_order(
    specs: Mapping[str, RunSpec], operations: Callable[[RunSpec], float]
) -> list[tuple[str, RunSpec]]:
    """Return specifications in the order in which to time them: first one of each network, the cheap first.

    If time runs out, the most expensive networks are left; for those the count of operations predicts the
    time best.
    """
    seen: dict[str, int] = {}
    ranked = []
    for kind, spec in sorted(specs.items(), key=lambda item: operations(item[1])):
        seen[spec.model.name] = seen.get(spec.model.name, 0) + 1
        ranked.append((seen[spec.model.name], operations(spec), kind, spec))
    return [(kind, spec) for *_, kind, spec in sorted(ranked, key=lambda one: one[:2])]


def shape(spec: RunSpec, images: Images) -> store.Shape:
    """Return classes, channels and side of a run's images."""
    known = images[spec.data.name]
    channels, side = map(int, known.shape.split("x"))
    return store.Shape(known.classes, channels, side)


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


def _timed(spec: RunSpec, shape: store.Shape, device: str, threads: int) -> tuple[float, float]:
    """Return the mean seconds of a step, with its share of the run's probes, and of one image's forward pass.

    A probe takes as long as the gradients that it computes, in fp32: a whole one can take minutes.
    """
    draw, count = np.random.default_rng(0), max(2 * spec.batch_size, 256)
    size = (count, shape.image_size, shape.image_size, shape.channels)
    pixels = draw.integers(0, 256, size, dtype=np.uint8)
    labels = draw.integers(0, shape.classes, count)
    names = tuple(map(str, range(shape.classes)))
    dataset = store.Dataset(pixels, labels, pixels[:256], labels[:256], names, "")
    data = spec.data.model_copy(update={"train": None, "test": None, "validation": 0})
    plain = spec.model_copy(update={"data": data, "select": "last", "probe": None, "epochs": 1_000})
    training = Training(plain, 0, dataset, configure(device, spec.precision, threads))
    step, image = _per_step(training), _per_image(training)
    if probes := history.gradients(spec) - history.gradients(plain):
        conditions = configure(device, "fp32", threads)
        step += probes / history.gradients(plain) * _per_step(Training(plain, 0, dataset, conditions))
    return step, image


def _per_step(training: Training) -> float:
    """Return the median seconds of a step; the first one, which prepares much, does not count."""
    taken: list[float] = []
    began = time.monotonic()
    while len(taken) <= FEWEST or time.monotonic() - began < LONGEST:
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
    training.conditions.synchronize()
    start = time.monotonic()
    predict(training.evaluated, split, training.normalise, training.conditions)
    training.conditions.synchronize()
    return (time.monotonic() - start) / len(split.labels)
