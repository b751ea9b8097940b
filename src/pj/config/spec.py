"""What decides a training: the typed specification of one run, apart from its seed.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from pj.config.components import (
    HARD_LABELS_ONLY,
    LAYERS,
    MAPS,
    PRUNABLE_CONVOLUTIONS,
    WITHOUT_BATCH_NORM,
    Count,
    Data,
    Loss,
    Model,
    Optimizer,
    Probe,
    Schedule,
    SmoothSchedule,
    Strict,
    WideResNet,
)


class RunSpec(Strict):
    """One training, apart from its seed."""

    data: Data
    model: Model
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule = SmoothSchedule()
    epochs: Count
    batch_size: Count
    select: Literal["last", "best_validation"] = "last"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: Annotated[bool | None, AfterValidator(lambda value: value or None)] = None  # by torch.compile
    probe: Probe | None = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> RunSpec:
        if self.select == "best_validation" and self.data.validation == 0:
            raise ValueError(
                "select: best_validation needs data.validation > 0, since the test set never "
                "selects (another data.name replaces the whole of data)"
            )
        if self.batch_size == 1 and self.has_batch_norm:
            raise ValueError(
                f"batch_size 1 gives batch norm nothing to normalise over; allowed with {self.model.name}: "
                "2 or more, or a net without batch norm"
            )
        if self.data.train is not None and self.batch_size > self.data.train:
            raise ValueError(
                f"batch_size {self.batch_size} is larger than the {self.data.train} training images"
            )
        if self.data.cutmix and self.loss.name in HARD_LABELS_ONLY:
            raise ValueError(
                f"data.cutmix mixes labels, and the loss {self.loss.name} takes none that are mixed; "
                "allowed: any other loss (cross_entropy is the same function as nll), or cutmix: null"
            )
        unknown = [name for name in (self.probe.ics if self.probe else ()) if name not in self.layers]
        if unknown:
            raise ValueError(
                f"probe.ics: no layer named {', '.join(map(repr, unknown))}; "
                f"there are: {', '.join(self.layers)}"
            )
        return self

    @property
    def layers(self) -> list[str]:
        """The names of the model's convolutions and linear layers."""
        if isinstance(self.model, WideResNet):  # a first one, two a block, a shortcut where channels change
            shortcuts = 3 if self.model.widen_factor > 1 else 2
            convolutions, linear = 1 + (self.model.depth - 4) + shortcuts, 1
        else:
            convolutions, linear = LAYERS[self.model.name]
        return [
            f"{kind}{i + 1}" for kind, n in (("conv", convolutions), ("linear", linear)) for i in range(n)
        ]

    @property
    def maps(self) -> list[str]:
        """The names of the places whose feature maps `pj.interpret.maps` can show."""
        convolutions = [name for name in self.layers if name.startswith("conv")]
        return [*convolutions, *MAPS.get(self.model.name, ())]

    @property
    def prunable(self) -> list[str]:
        """The names of the layers that `pj.pruning.networks` can prune."""
        convolutions = [f"conv{i + 1}" for i in range(PRUNABLE_CONVOLUTIONS.get(self.model.name, 0))]
        return [*convolutions, *(name for name in self.layers if name.startswith("linear"))]

    @property
    def has_batch_norm(self) -> bool:
        """Whether the net normalises over the batch."""
        return getattr(self.model, "batch_norm", self.model.name not in WITHOUT_BATCH_NORM)

    @cached_property
    def json_text(self) -> str:
        """Canonical JSON. What is switched off (None) is absent, so a new optional part renames no run."""
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
