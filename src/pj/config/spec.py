"""The typed specification of one run: everything that determines a training, apart from its seed.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pj.config.components import LOSSES, MODELS, Loss, Model, Optimizer, Probe, Schedule, counted
from pj.config.data import Data
from pj.config.types import Count, Strict


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
    compile: Annotated[bool | None, AfterValidator(lambda value: value or None)] = Field(
        None, description="train through torch.compile"
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
        unknown = [name for name in (self.probe.ics if self.probe else ()) if name not in self.layers]
        if unknown:
            raise ValueError(
                f"probe.ics: no layer named {', '.join(map(repr, unknown))}; "
                f"available: {', '.join(self.layers)}"
            )
        return self

    @property
    def layers(self) -> list[str]:
        """The names of the model's convolutions and linear layers."""
        return [f"{kind}{i + 1}" for kind, n in counted(self.model).items() for i in range(n)]

    @property
    def maps(self) -> list[str]:
        """The names of the layers whose feature maps `pj.interpret.maps` can show."""
        convolutions = [name for name in self.layers if name.startswith("conv")]
        return [*convolutions, *self._facts.get("MAPS", ())]

    @property
    def prunable(self) -> list[str]:
        """The names of the layers that `pj.pruning.networks` can prune."""
        return [
            *self._facts.get("CONSUMERS", ()),
            *(name for name in self.layers if name.startswith("linear")),
        ]

    @property
    def has_batch_norm(self) -> bool:
        """Whether the network normalises over the batch."""
        return bool(getattr(self.model, "batch_norm", self._facts.get("BATCH_NORM", True)))

    @property
    def _facts(self) -> dict[str, Any]:
        return MODELS[self.model.name].facts

    @cached_property
    def json_text(self) -> str:
        """Canonical JSON. What is switched off (None) is left out, so a new optional part renames no run."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True)

    @cached_property
    def run(self) -> str:
        """The run's name: dataset, model and 8 hex digits of the spec's hash."""
        digest = hashlib.sha256(self.json_text.encode()).hexdigest()[:8]
        return f"{self.data.name}-{self.model.name}-{digest}"

    @classmethod
    def from_json(cls, text: str) -> RunSpec:
        """Read what `json_text` wrote."""
        return cls.model_validate_json(text)
