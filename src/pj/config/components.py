"""The typed parts of a training: model, loss, optimizer, schedule, probes; data are in `pj.config.data`.

The options of models, losses, optimizers, schedules and data sources are declared by their constructors
(`pj.config.cards`). Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from pj import losses, models, optim
from pj.config import cards, own
from pj.config.cards import Component
from pj.config.own import Given
from pj.config.types import Count, Grid, Label, NonNegative, Strict, distinct
from pj.data import sources
from pj.errors import UserError
from pj.training import schedule

IMAGES = ("num_classes", "in_channels", "image_size")  # what a network is given
BATCH, PARAMS, PROGRESS = ("logits", "target"), ("params",), ("progress", "epochs")
MODELS = cards.read(models, "model", IMAGES, facts=("LAYERS",))
LOSSES = cards.read(losses, "loss", BATCH)
OPTIMIZERS = cards.read(optim, "optimizer", PARAMS, optional=("reach",))
Warmup = Annotated[NonNegative | None, AfterValidator(lambda value: value or None)]
SCHEDULES = cards.read(
    schedule,
    "schedule",
    PROGRESS,
    warmup=(
        Warmup,
        Field(
            None,
            description="epochs, also fractions, in which the learning rate first rises linearly, from a "
            "hundredth; the schedule runs over the remaining ones",
        ),
    ),
)
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
    Model = cards.union(MODELS, Given(IMAGES))
    Loss = cards.union(LOSSES, Given(BATCH, by_place=True, to_objects=True))
    Optimizer = cards.union(OPTIMIZERS, Given(PARAMS, by_place=True))
    Schedule = cards.union(SCHEDULES, Given(PROGRESS, by_place=True))
    Source = cards.union(SOURCES, Given(()), "source")


def facts(model: Component) -> dict[str, Any]:
    """Return what is known of a network without building it."""
    return own.facts(getattr(model, own.CLASS)) if model.name == own.NAME else MODELS[model.name].facts


def counted(model: Component) -> dict[str, int] | None:
    """Return how many layers of each kind a model has: its LAYERS, texts evaluated over its options.

    None if the network does not say: then only the network itself knows.
    """
    layers = facts(model).get("LAYERS")
    if layers is None:
        return None
    where, functions = f"model {model.name!r}: LAYERS", {"max": max, "min": min, "round": round}
    if not isinstance(layers, dict) or set(layers) != {"conv", "linear"}:
        raise UserError(f"{where} is {layers!r}; needed: a dictionary of conv and linear")
    defaults = own.defaults(getattr(model, own.CLASS)) if model.name == own.NAME else {}
    options, found = defaults | model.model_dump() | (getattr(model, "options", None) or {}), {}
    for kind, number in layers.items():
        try:
            found[kind] = int(
                eval(number, functions | {"__builtins__": {}}, options) if isinstance(number, str) else number
            )
        except Exception as error:  # it is code of the model's author
            raise UserError(f"{where}: {kind}: {number!r}: {error}") from None
    return found


class Ema(Strict):
    """The exponential moving average of the weights, which is evaluated, selected and kept."""

    decay: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.999,
        description="share of the average that a step keeps; about 1 / (1 - decay) steps count",
    )


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

    @property
    def gradients(self) -> int:
        """How many gradients a probed step computes besides its own, all in fp32."""
        lines = [line for line in (self.gradient, self.update) if line]
        sizes = sum(len(grid) for line in lines for grid in (line.absolute, line.relative) if grid)
        return 1 + sizes + len(self.ics) if lines or self.ics else 0
