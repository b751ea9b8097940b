"""How long each job takes, from the best source there is, and how long all of them take side by side."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.spec import RunSpec
from pj.data import facts
from pj.data.facts import Images
from pj.files import json_of
from pj.plan import history, notes
from pj.plan.history import Measured, Took
from pj.plan.notes import Jobs
from pj.plan.work import Job

SAME, NETWORK, STEPS, MODEL = (
    "finished runs of equal settings",
    "finished runs of the same network",
    "measured steps",
    "operations",
)
UNKNOWN = "not known"
START, EACH = 4.0, 0.1  # seconds of Snakemake itself: to plan, and for each job


@dataclass(frozen=True)
class Duration:
    """Seconds of a job and where they are known from; None if they are not."""

    seconds: float | None
    source: str


@dataclass
class Times:
    """What is known of the time that jobs take on one device."""

    config: Config
    images: Images
    took: Sequence[Took]
    steps: Sequence[Measured]
    operations: dict[str, float]  # of one image's forward pass, by network
    jobs: Jobs
    points: Sequence[tuple[str, float, float]] = ()  # further measured steps: network, operations, seconds

    def __post_init__(self) -> None:
        """Group what finished runs took."""
        self._runs = self.config.runs()
        self._same: dict[str, list[float]] = defaultdict(list)
        self._per_pass: dict[str, list[float]] = defaultdict(list)
        for run in self.took:
            self._same[run.run].append(run.seconds)
            for kind in (run.kind, history.without_optimizer(run.kind)) if run.passes else ():
                self._per_pass[kind].append(run.seconds / run.passes)
        self._steps = {step.kind: step for step in self.steps}
        self._steps |= {history.without_optimizer(step.kind): step for step in self.steps}
        self._model = self._fit()
        self._of_network = self._measured_networks()

    def spec(self, run: str) -> RunSpec:
        """Return the specification of a run of the configuration."""
        return self._runs[run].spec

    def run(self, name: str, spec: RunSpec) -> Duration:
        """Return how long a run trains, without its job's fixed cost."""
        if name in self._same:
            return Duration(median(self._same[name]), SAME)
        size, exact = history.size(spec, self.images), history.kind(spec, self.images)
        if size is None:
            return Duration(None, UNKNOWN)
        kinds = (exact, history.without_optimizer(exact))
        for kind in kinds:
            if kind in self._per_pass:
                return Duration(median(self._per_pass[kind]) * size.passes(spec), NETWORK)
        for kind in kinds:
            if step := self._steps.get(kind):
                per_step = step.seconds * history.gradients(spec) / step.gradients
                evaluated = step.forward * size.evaluated * spec.epochs
                return Duration(per_step * size.steps(spec) + evaluated, STEPS)
        if not (modelled := self._modelled(spec)):
            return Duration(None, UNKNOWN)
        overhead, per_pass = modelled
        return Duration(overhead * size.steps(spec) + per_pass * size.passes(spec), MODEL)

    def job(self, job: Job) -> Duration:
        """Return how long a job takes, with its fixed cost."""
        fixed = self.jobs.fixed[job.rule]
        if job.rule == "train":
            found = self.run(job.run, self._runs[job.run].spec)
            return Duration(None if found.seconds is None else found.seconds + fixed, found.source)
        if job.rule == "measure":
            return self._measurement(job)
        return Duration(fixed, SAME)

    def _measurement(self, job: Job) -> Duration:
        kind, _, name = job.part[0].partition("/")
        known = self.jobs.measurements
        for key, source in (((kind, name, job.run), SAME), ((kind, "", job.run), NETWORK)):
            if key in known:
                return Duration(median(known[key]), source)
        spec, variant = self._runs[job.run].spec, self._variant(kind, name, job.run)
        images = self.images.get(spec.data.name)
        per_pass = self._pass(spec)
        if images is None or per_pass.seconds is None:
            return Duration(None, UNKNOWN)
        asked = self.config.analyses(kind)[name].asked(variant)
        passes = ANALYSES[kind].passes(asked, min(spec.data.test or images.test, images.test))
        return Duration(self.jobs.fixed["measure"] + passes * per_pass.seconds, per_pass.source)

    def _variant(self, kind: str, name: str, run: str) -> str:
        return next(v.name for v in self.config.analysed(kind, name).variants if v.spec.run == run)

    def _pass(self, spec: RunSpec) -> Duration:
        """Return the seconds of one image's forward pass."""
        exact = history.kind(spec, self.images)
        for kind in (exact, history.without_optimizer(exact)):
            if kind in self._per_pass:
                return Duration(median(self._per_pass[kind]), NETWORK)
            if step := self._steps.get(kind):
                return Duration(step.forward, STEPS)
        if not (modelled := self._modelled(spec)):
            return Duration(None, UNKNOWN)
        return Duration(modelled[1], MODEL)

    def _modelled(self, spec: RunSpec) -> tuple[float, float] | None:
        """Return seconds per step and per forward pass of an image, by its operations; None if not known."""
        forward = self.operations.get(history.network(spec, self.images))
        model = self._of_network.get(spec.model.name, self._model)
        if forward is None or model is None:
            return None
        overhead, per_operation = model
        return overhead, per_operation * forward

    def _fit(self) -> tuple[float, float] | None:
        """Return seconds per step and per operation, fitted to all that was measured; None without any.

        Least squares of the relative errors, neither of the two below zero.
        """
        from scipy.optimize import nnls

        points = [(operations, seconds) for _, operations, seconds in self.points]
        for step in self.steps:
            points.append((step.operations, step.seconds))
        forward = {run.kind: self._forward(run) for run in self.took}
        points += [
            (forward[run.kind] * run.passes / run.steps, run.seconds / run.steps)
            for run in self.took
            if forward[run.kind] and run.steps > 20 and run.seconds > 1
        ]
        points = [(operations, seconds) for operations, seconds in points if operations > 0 < seconds]
        if not points:
            return None
        rows = np.array([[1 / seconds, operations / seconds] for operations, seconds in points])
        scale = rows.max(axis=0)
        found = nnls(rows / scale, np.ones(len(points)))[0] / scale
        return float(found[0]), float(found[1])

    def _measured_networks(self) -> dict[str, tuple[float, float]]:
        """Return seconds per step and per operation by the name of a network whose own step was measured.

        What its step takes beyond the fitted seconds per step, its operations take. If it takes less than
        those, both fitted numbers are scaled to it.
        """
        found = {}
        overhead, per_operation = self._model or (0.0, 0.0)
        for network, operations, seconds in self.points:
            if not operations > 0 < seconds:
                continue
            if seconds > overhead:
                found[network] = (overhead, (seconds - overhead) / operations)
            else:
                rate = seconds / (overhead + per_operation * operations)
                found[network] = (rate * overhead, rate * per_operation)
        return found

    def _forward(self, run: Took) -> float:
        return next((n for name, n in self.operations.items() if run.kind.startswith(name)), 0.0)


def known(config: Config, results: Path, like: Path | None = None) -> tuple[Times, str]:
    """Return what is known of the time of jobs here, or as on another machine, and the device's name.

    Args:
        config: whose runs are planned.
        results: the folder of finished runs.
        like: a folder that `pj keep` wrote, whose times are taken instead: of networks whose operations
            are counted those of benchmarks/gpu.py's step_times.json, if it is there, else those of its runs.

    """
    images = facts.images_of(config, results)
    operations = history.operations(results)
    if like:
        took, there = history.kept(like)
        images = {**there, **images}
        device = next(iter(history.devices(took)), like.name)
        points = _points(json_of(like / "step_times.json"))
        own = [run for run in took if run.device == device]
        if points:  # measured alone on the device, which runs may have shared
            own = [run for run in own if not any(run.kind.startswith(name) for name in operations)]
        return Times(config, images, own, [], operations, notes.read(), points), device
    took, steps = list(history.finished(results, images)), history.measured(results)
    device = here(config, took, steps)
    own, measured = [run for run in took if run.device == device], [s for s in steps if s.device == device]
    return Times(config, images, own, measured, operations, notes.read()), device


def _points(measured: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Return a step's network, operations and seconds: captured as a CUDA graph, or eager if none is."""
    captured, eager = (
        [
            (name.split()[0], step["tflops"] * 1e12 * step["seconds_per_step"], step["seconds_per_step"])
            for name, step in measured.items()
            if name.endswith(way)
        ]
        for way in (" captured", " eager")
    )
    return captured or eager


def here(config: Config, took: Sequence[Took], steps: Sequence[Measured]) -> str:
    """Return the device of this machine's runs: a GPU if there is one and it is not excluded."""
    from pj.runs.provenance import provenance
    from pj.workflow import slots

    cpu = history.of_device(provenance(), config.settings.threads)
    if config.settings.device == "cpu" or not slots.visible_devices():
        return cpu
    seen = [*history.devices(took), *(step.device for step in steps)]
    gpus = [name for name in seen if on_gpu(name)]
    return gpus[0] if gpus else "GPU"


def on_gpu(device: str) -> bool:
    """Whether a device's name is that of a GPU; a CPU's has its threads."""
    return " thread" not in device


def at_once(device: str, cores: int, config: Config, gpus: int = 1) -> int:
    """Return how many runs compute at once."""
    return max(1, min(gpus, cores) if on_gpu(device) else cores // config.settings.threads)


def side_by_side(jobs: Iterable[tuple[Job, float]], computing: int, cores: int) -> float:
    """Return the seconds that jobs take if so many compute at once and others have a core each.

    The longest begins first; pages wait for everything.
    """
    phases = (
        ("prepare_data", "network"),
        ("train", "evaluate"),
        ("measure",),
        ("table", "figure"),
        ("page",),
    )
    jobs, total = list(jobs), 0.0
    for rules in phases:
        own = sorted((seconds + EACH for job, seconds in jobs if job.rule in rules), reverse=True)
        workers = [0.0] * (computing if {"train", "measure"} & set(rules) else cores)
        for seconds in own:
            heapq.heapreplace(workers, workers[0] + seconds)
        total += max(workers)
    return total + (START if jobs else 0.0)
