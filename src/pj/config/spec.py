"""The typed specification of one run: everything that determines a training, apart from its seed.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pj.config import libraries, own
from pj.config.components import (
    LOSSES,
    Ema,
    Loss,
    Model,
    Optimizer,
    Probe,
    Schedule,
    counted,
    facts,
)
from pj.config.data import Data
from pj.config.types import Count, Positive, Strict, Switch
from pj.errors import UserError

LIBRARIES = ("torchvision", "timm")  # whose networks are named by ``arch``


class RunSpec(Strict):
    """One training, apart from its seed."""

    data: Data = Field(description="which images, how many, how prepared")
    model: Model = Field(description="the network and its options")
    loss: Loss = Field(description="the loss and its options")
    optimizer: Optimizer = Field(description="the optimizer and its options")
    schedule: Schedule = Field(
        {"name": "constant"}, validate_default=True, description="how the learning rate changes over epochs"
    )
    epochs: Count = Field(description="passes over the training images")
    batch_size: Count = Field(description="images per step")
    select: Literal["last", "best_validation"] = Field(
        "last", description="the epoch whose weights are kept: the last, or that of best validation accuracy"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of the forward pass; auto: bf16 where the hardware computes in it"
    )
    compile: Switch = Field(None, description="train through torch.compile")
    decay_norms_and_biases: Annotated[bool | None, AfterValidator(lambda value: None if value else value)] = (
        Field(None, description="false: no weight decay of normalisation layers and of biases")
    )
    clip_norm: Positive | None = Field(
        None, description="largest norm of the whole gradient; a longer one is scaled down to it"
    )
    ema: Ema | None = Field(
        None, description="evaluate, select and keep a moving average of the weights instead of the weights"
    )
    probe: Probe | None = Field(None, description="what to measure around the weights along the run")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> RunSpec:
        if self.select == "best_validation" and self.data.validation == 0:
            raise ValueError(
                "select: best_validation needs data.validation > 0, since the test set never "
                "selects (another data.name replaces the whole of data)"
            )
        for key in ("inner", "base"):  # an optimizer inside of another one
            inside = getattr(self.optimizer, key, "sgd")
            if inside in ("adam", "adamw") and self.optimizer.model_dump().get("momentum"):
                raise ValueError(f"optimizer.momentum is allowed with {key}: sgd only; {inside} has betas")
        if self.model.name in LIBRARIES:
            try:
                options = self.model.options or ()
                stem = bool(getattr(self.model, "cifar_stem", False))
                libraries.check(self.model.name, self.model.arch, options, cifar_stem=stem)
            except UserError as error:
                raise ValueError(f"model.{error}") from None
        if not hasattr(self.optimizer, "lr"):
            raise ValueError("optimizer.options needs lr, the learning rate, which the schedule multiplies")
        if self.batch_size == 1 and self.has_batch_norm:
            raise ValueError(
                f"batch_size 1 leaves batch norm one image, and it needs two; with {self.model.name} use 2 "
                "or more, or a network without batch norm"
            )
        if self.data.train is not None and self.batch_size > self.data.train:
            raise ValueError(
                f"batch_size {self.batch_size} is larger than the {self.data.train} training images"
            )
        for mixing in self.data.mixing:
            if LOSSES[self.loss.name].annotations["target"] == "Indices":
                raise ValueError(
                    f"data.{mixing} mixes labels, which the loss {self.loss.name} does not accept; allowed: "
                    f"any other loss (cross_entropy is the same function as nll), or {mixing}: null"
                )
        known = self.layers or []
        asked = self.probe.ics if self.probe and self.layers is not None else ()
        if unknown := [name for name in asked if name not in known]:
            raise ValueError(
                f"probe.ics: no layer named {', '.join(map(repr, unknown))}; available: {', '.join(known)}"
            )
        return self

    @model_validator(mode="after")
    def _optimizer_and_schedule_fit(self) -> RunSpec:
        optimizer, schedule = self.optimizer, self.schedule
        if getattr(optimizer, "nesterov", None) and optimizer.name != own.NAME:
            if (base := getattr(optimizer, "base", "sgd")) != "sgd":
                raise ValueError(f"optimizer.nesterov is allowed with base: sgd only, not with {base}")
            if not optimizer.momentum:
                raise ValueError("optimizer.nesterov needs optimizer.momentum above 0")
        decay = getattr(optimizer, "weight_decay", None)
        if decay is None and optimizer.name == own.NAME:
            decay = own.defaults(getattr(optimizer, own.CLASS)).get("weight_decay")
        if self.decay_norms_and_biases is False and not decay:
            reason = f"is no option of {optimizer.name}" if decay is None else "is 0"
            raise ValueError(
                f"decay_norms_and_biases: false needs weight decay, and optimizer.weight_decay {reason}"
            )
        warmup = schedule.warmup or 0
        if warmup and schedule.name == "one_cycle":
            raise ValueError("schedule.warmup: one_cycle begins with a rise of its own; leave warmup out")
        if warmup >= self.epochs:
            raise ValueError(f"schedule.warmup: {warmup:g}; allowed: less than the {self.epochs} epochs")
        milestones = () if schedule.name == own.NAME else getattr(schedule, "milestones", ())
        late = [m for m in milestones if m >= self.epochs - warmup]
        if late:
            without = f" without the warm-up's {warmup:g}" if warmup else ""
            raise ValueError(
                f"schedule.milestones: {late[0]:g}; allowed: less than the {self.epochs} epochs{without}"
            )
        return self

    @property
    def layers(self) -> list[str] | None:
        """The names of the model's convolutions and linear layers; None if only the network knows."""
        counts = counted(self.model)
        if counts is None:
            return None
        return [f"{kind}{i + 1}" for kind, n in counts.items() for i in range(n)]

    @property
    def maps(self) -> list[str] | None:
        """The names of the layers whose feature maps `pj.interpret.maps` can show; None: not known."""
        if self.layers is None:
            return None
        convolutions = [name for name in self.layers if name.startswith("conv")]
        return [*convolutions, *facts(self.model).get("MAPS", ())]

    @property
    def prunable(self) -> list[str] | None:
        """The names of the layers that `pj.pruning.networks` can prune; None: not known."""
        if self.layers is None:
            return None
        consumers = facts(self.model).get("CONSUMERS", ())
        return [*consumers, *(name for name in self.layers if name.startswith("linear"))]

    @property
    def has_batch_norm(self) -> bool:
        """Whether the network normalises over the batch."""
        if self.model.name in LIBRARIES:
            return libraries.has_batch_norm(self.model.arch)
        return bool(getattr(self.model, "batch_norm", facts(self.model).get("BATCH_NORM", True)))

    @property
    def network(self) -> str:
        """What the network is called in run names: its name, its class, or a library's name of it."""
        if self.model.name == own.NAME:
            return own.split(getattr(self.model, own.CLASS))[1]
        return str(getattr(self.model, "arch", self.model.name))

    @property
    def own_parts(self) -> list[str]:
        """Which of the network, the loss, the optimizer and the schedule are a user's own."""
        parts = ("model", "loss", "optimizer", "schedule")
        return [key for key in parts if getattr(self, key).name == own.NAME]

    @cached_property
    def json_text(self) -> str:
        """Canonical JSON. What is switched off (None) is left out, so a new optional part renames no run."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True)

    @cached_property
    def run(self) -> str:
        """The run's name: dataset, network and 8 hex digits of the spec's hash."""
        digest = hashlib.sha256(self.json_text.encode()).hexdigest()[:8]
        return f"{self.data.name}-{self.network}-{digest}"

    @classmethod
    def from_json(cls, text: str) -> RunSpec:
        """Read what `json_text` wrote."""
        return cls.model_validate_json(text)


def network_name(spec: RunSpec) -> str:
    """Return what names a network on a dataset, whatever trains it: dataset, network and a hash of both."""
    text = json.dumps([spec.data.name, spec.model.model_dump(mode="json", exclude_none=True)], sort_keys=True)
    return f"{spec.data.name}-{spec.network}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def of_network(spec: RunSpec) -> RunSpec:
    """Return a specification of the same network and data, and nothing else of this one."""
    return RunSpec.model_validate(
        {
            "data": {"name": spec.data.name},
            "model": spec.model.model_dump(),
            "loss": {"name": "cross_entropy"},
            "optimizer": {"name": "sgd", "lr": 1.0},
            "epochs": 1,
            "batch_size": 2,
        }
    )


def checks(spec: RunSpec) -> dict[str, RunSpec]:
    """Return what to try before a run because only its job knows it: the network, then the other own parts.

    Each is a specification without what the check does not depend on, by a name that runs share.
    """
    found = {network_name(spec): of_network(spec)} if spec.layers is None else {}
    parts = [key for key in spec.own_parts if key != "model"]
    content: dict[str, Any] = {key: getattr(spec, key).model_dump() for key in parts}
    data: dict[str, Any] = {"name": spec.data.name}
    if "loss" in parts:
        data |= {name: getattr(spec.data, name).model_dump() for name in spec.data.mixing}
    if "optimizer" in parts:
        content["decay_norms_and_biases"] = spec.decay_norms_and_biases
    if "schedule" in parts:
        content |= {"epochs": spec.epochs, "batch_size": spec.batch_size}
        data |= {"train": spec.data.train, "validation": spec.data.validation}
    if spec.layers is None and spec.probe and spec.probe.ics:
        content["probe"] = {"every": 1, "ics": spec.probe.ics}
    if spec.ema and "model" in spec.own_parts:
        content["ema"] = spec.ema.model_dump()
    if content:
        whole = of_network(spec).model_dump() | content | {"data": data}
        asked = RunSpec.model_validate(whole)
        found[asked.run] = asked
    return found
