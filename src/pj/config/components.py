"""The typed parts of a training: model, loss, optimizer, schedule, probes; data are in `pj.config.data`.

The options of models, losses, optimizers, schedules and data sources are declared by their constructors
(`pj.config.cards`). Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from pj import losses, models, optim
from pj.config import cards
from pj.config.cards import Component
from pj.config.types import Count, Grid, Label, Strict, distinct
from pj.data import sources
from pj.errors import UserError
from pj.training import schedule

MODELS = cards.read(models, "model", ("num_classes", "in_channels", "image_size"), facts=("LAYERS",))
LOSSES = cards.read(losses, "loss", ("logits", "target"))
for _name, _card in MODELS.items():
    if not isinstance(_card.facts["LAYERS"], dict) or set(_card.facts["LAYERS"]) != {"conv", "linear"}:
        raise UserError(
            f"model {_name!r}: LAYERS is {_card.facts['LAYERS']!r}; needed: a dictionary of conv and linear"
        )
OPTIMIZERS = cards.read(optim, "optimizer", ("params",), optional=("reach",))
SCHEDULES = cards.read(schedule, "schedule", ("progress", "epochs"))
SOURCES = cards.read(
    sources,
    "source",
    (),
    key="source",
    label=(Label | None, Field(None, description="the data's name in run names and tables")),
)

if TYPE_CHECKING:
    Model: TypeAlias = Component
    Loss: TypeAlias = Component
    Optimizer: TypeAlias = Component
    Schedule: TypeAlias = Component
    Source: TypeAlias = Component
else:
    Model, Loss, Optimizer = cards.union(MODELS), cards.union(LOSSES), cards.union(OPTIMIZERS)
    Schedule, Source = cards.union(SCHEDULES), cards.union(SOURCES, "source")


def counted(model: Component) -> dict[str, int]:
    """Return how many layers of each kind a model has: its LAYERS, texts evaluated over its options."""
    functions = {"__builtins__": {}, "max": max, "min": min, "round": round}
    options, found = model.model_dump(), {}
    for kind, number in MODELS[model.name].facts["LAYERS"].items():
        try:
            found[kind] = int(eval(number, functions, options) if isinstance(number, str) else number)
        except Exception as error:  # it is code of the model's author
            raise UserError(f"model {model.name!r}: LAYERS: {kind}: {number!r}: {error}") from None
    return found


class Line(Strict):
    """Step sizes along a line from the weights."""

    absolute: Grid | None = Field(None, description="step sizes as learning rates, increasing")
    relative: Grid | None = Field(None, description="step sizes as multiples of the run's learning rate")

    @model_validator(mode="after")
    def _some_step(self) -> Line:
        if self.absolute is None and self.relative is None:
            raise ValueError("no step sizes; give absolute, relative or both")
        return self


class Probe(Strict):
    """What to measure around the weights along a run, without changing it. All step losses are recorded."""

    every: Count = Field(30, description="steps between probes")
    gradient: Line | None = Field(None, description="probe along the negative gradient")
    update: Line | None = Field(
        None, description="probe along the optimizer's update, divided by the learning rate"
    )
    ics: Annotated[list[str], AfterValidator(distinct)] = Field(
        [], description="layers whose internal covariate shift is measured: conv1, …, linear1, …"
    )
