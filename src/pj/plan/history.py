"""How long runs took: finished ones here, those kept of another machine, and measured steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pj.config.spec import RunSpec
from pj.data import facts
from pj.data.facts import Images
from pj.data.steps import steps_per_epoch
from pj.durations import counted
from pj.files import json_of
from pj.training.replay import obstacle

if TYPE_CHECKING:
    from pj.report.pages.source import Source

FILE = ".plan.json"  # below results: what `pj plan --measure` measured
OPTIMIZER = " by "


@dataclass(frozen=True)
class Size:
    """How many images a run trains on and evaluates after each epoch."""

    train: int
    evaluated: int

    def steps(self, spec: RunSpec) -> int:
        """Return the number of steps of a run."""
        return spec.epochs * steps_per_epoch(self.train, spec.batch_size)

    def passes(self, spec: RunSpec) -> float:
        """Return the forward passes of single images of a run; a backward pass counts as two."""
        return spec.epochs * (3.0 * self.train * gradients(spec) + self.evaluated)


@dataclass(frozen=True)
class Took:
    """A finished run.

    Args:
        run: its name.
        kind: what determines the time of its step (`kind`).
        device: where it ran.
        passes: forward passes of single images (`Size.passes`).
        steps: how many it took.
        seconds: how long.

    """

    run: str
    kind: str
    device: str
    passes: float
    steps: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """A measured step.

    Args:
        kind: of run.
        device: where it was measured.
        seconds: how long a step takes.
        forward: seconds of one image's forward pass.
        operations: floating-point operations of the step.
        gradients: how many the step computes (`gradients`).

    """

    kind: str
    device: str
    seconds: float
    forward: float
    operations: float
    gradients: float = 1


def gradients(spec: RunSpec) -> float:
    """Return how often a step computes the gradient: SAM twice, and probes on the mean over all steps."""
    probed = spec.probe.gradients / spec.probe.every if spec.probe else 0
    return (2 if spec.optimizer.name == "sam" else 1) + probed


def network(spec: RunSpec, images: Images) -> str:
    """Return what determines the operations of one image's forward pass."""
    known = images.get(spec.data.name)
    options = spec.model.model_dump(mode="json", exclude_none=True)
    if "dropout" in options:  # its rate costs nothing
        options["dropout"] = bool(options["dropout"])
    return f"{json.dumps(options, sort_keys=True)} {known.shape if known else spec.data.name}"


def kind(spec: RunSpec, images: Images) -> str:
    """Return what determines the time of a run's step: network, precision, batch size, optimizer, …"""
    probe = spec.probe.model_dump_json(exclude_none=True) if spec.probe else ""
    how = [*spec.data.parts, *(["compiled"] if spec.compile else []), *(["eager"] if obstacle(spec) else [])]
    step = " ".join([spec.precision, probe, str(spec.batch_size), *how])
    return f"{network(spec, images)} {step}{OPTIMIZER}{spec.optimizer.name}"


def without_optimizer(kind: str) -> str:
    """Return the part of a kind that determines most of its time: network and batch size."""
    return kind.rpartition(OPTIMIZER)[0]


def size(spec: RunSpec, images: Images) -> Size | None:
    """Return how many images a run reads per epoch; None for a dataset of unknown size."""
    if not (known := images.get(spec.data.name)):
        return None
    held = spec.data.validation or 0
    train = min(spec.data.train or known.train, known.train - held)
    return Size(train, held + min(spec.data.test or known.test, known.test))


def finished(results: Path, images: Images) -> Iterator[Took]:
    """Yield the complete runs in a folder of results, of whatever configuration; diverged ones end early."""
    for path in sorted((results / "runs").glob("*/seed*/run.json")):
        record = json_of(path)
        if record.get("state") != "complete":
            continue
        try:
            spec = RunSpec.model_validate(record["spec"])
            read = dict(record["images"])
            found = Size(read.pop("train"), sum(read.values()))
            device = of_device(record["provenance"], record["threads"])
            yield Took(
                path.parent.parent.name,
                kind(spec, images),
                device,
                found.passes(spec),
                found.steps(spec),
                record["seconds"],
            )
        except (KeyError, TypeError, ValueError, ValidationError):
            continue  # `pj verify` says what is wrong with it


def of_device(made: Mapping[Any, Any], threads: int) -> str:
    """Return the device of a record in words; on a CPU the time depends on the threads, too."""
    if str(made.get("device")) not in ("cpu", "None", "nan"):
        return str(made["device"])
    return f"{made.get('processor')}, {counted(threads, 'thread')}"


def kept(folder: Path) -> tuple[list[Took], Images]:
    """Return the runs in the tables of a folder that `pj keep` wrote, and what is known of their images."""
    from pj.report.pages import source

    found = source.kept(folder)
    images = {**facts.images_of(found.config, folder), **found.images}
    return list(_kept(found, images)), images


def _kept(found: Source, images: Images) -> Iterator[Took]:
    for study in found.config.settings.studies:
        table = found.evidence.runs(study)
        specs = {variant.name: variant.spec for variant in found.config.study(study).variants}
        for row in map(dict, table[table["state"] == "complete"].to_dict("records")):
            spec = specs.get(row["variant"])
            there = spec and size(spec, images)
            if spec and there and row["seconds"] == row["seconds"]:
                spec = spec.model_copy(update={"epochs": int(row["epochs"])})
                device = of_device(row, int(row["threads"]))
                yield Took(
                    row["run"],
                    kind(spec, images),
                    device,
                    there.passes(spec),
                    there.steps(spec),
                    row["seconds"],
                )


def measured(results: Path) -> list[Measured]:
    """Return what `pj plan --measure` kept."""
    try:
        return [Measured(**entry) for entry in json_of(results / FILE).get("steps", [])]
    except TypeError:  # damaged, or of another version: `pj plan --measure` takes the times again
        return []


def operations(results: Path) -> dict[str, float]:
    """Return the floating-point operations of one image's forward pass, by network, as counted before."""
    found = json_of(results / FILE).get("operations")
    return dict(found) if isinstance(found, dict) else {}


def devices(took: Iterable[Took]) -> list[str]:
    """Return the devices of runs, the most frequent first."""
    return [name for name, _ in Counter(run.device for run in took).most_common()]
