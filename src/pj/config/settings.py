"""What may stand in config.yaml: data sources, studies, scales, and the studies they resolve to.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pj.config.components import Source
from pj.config.spec import RunSpec
from pj.config.types import (
    Count,
    Fraction,
    Index,
    Name,
    Percent,
    Positive,
    Strict,
    ascending,
    distinct,
)

Seed = Index
Seeds = Annotated[list[Seed], Field(min_length=1)]
Order = Literal["path", "magnitude", "random"]  # in which units are pruned
Methods = Annotated[list[Order], Field(min_length=1), AfterValidator(distinct)]
Rates = Annotated[list[Positive], Field(min_length=2)]
REPORTED_LAYER = "conv2"  # where report A measured covariate shift


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError(f"{value!r}; allowed: auto, cpu, cuda, cuda:0, cuda:1, …")
    return value


class Scale(Strict):
    """What a reduced run takes away from a study; every table names it. All unset: full scale."""

    name: Name = "full"
    epochs: Count | None = None  # of a study's base; a variant of twice as many keeps twice as many
    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None
    width: Fraction | None = None

    @property
    def reductions(self) -> dict[str, int | float]:
        """What is taken away; empty at full scale."""
        return self.model_dump(exclude={"name"}, exclude_none=True)

    @model_validator(mode="after")
    def _only_the_whole_is_full(self) -> Scale:
        if self.name == "full" and self.reductions:
            raise ValueError("a scale that takes something away has a name of its own, not 'full'")
        return self


class Reported(Strict):
    """The report's printed numbers for a variant: percent, percentage points, seconds, millions."""

    accuracy: float | None = None
    train: float | None = None
    validation: float | None = None
    test: float | None = None
    difference: float | None = None  # this variant minus the study's reference
    seconds: float | None = None
    parameters_millions: float | None = None


class ProbeView(Strict):
    """Which of four quantities a study of probed runs is about, and the reports' bands beside it.

    A band is the range of a quantity over separate runs at several learning rates, which is what the
    report draws: of the training loss, or of the covariate shift at its second convolution.
    """

    show: Literal["loss_range", "predictiveness", "beta", "ics"]
    bands: dict[Name, Rates] = Field(default={})  # name -> learning rates


class PathView(Strict):
    """What a study of DessiLBI runs shows besides its table: |supp Γ| over epochs, and a layer's weights."""

    weights_of: str  # a layer: conv1, linear1, …


class StudySettings(Strict):
    """A table of a report as config.yaml has it: a base specification and what each row changes."""

    title: str
    report: str = ""  # where it stands, such as "A 1.2"
    base: dict[str, Any]
    variants: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    compare: Literal["best_test", "selected"] = "selected"  # which accuracy the report printed
    reference: str | None = None  # the variant that the others are subtracted from
    probes: ProbeView | None = None
    path: PathView | None = None
    seeds: Seeds | None = None
    scale: Scale | None = None


class Slices(Strict):
    """How the loss around a finished network is measured."""

    images: Count = 1000  # of the training split, its first ones
    radius: Positive = 1.0  # how far to go, as a share of every filter's norm
    points: Annotated[int, Field(ge=3)] = 41  # along a line
    side: Annotated[int, Field(ge=3)] = 15  # of a plane, in points
    seed: Seed = 0  # of the directions


class LandscapeSettings(Strict):
    """Around which finished runs the loss is measured."""

    title: str
    study: Name
    variants: Annotated[list[Name], Field(min_length=1)]
    slices: Slices = Slices()


class Percents(Strict):
    """Which layers are pruned, and by how much."""

    layers: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]  # conv1, linear1, …
    percents: Annotated[list[Percent], Field(min_length=1), AfterValidator(ascending)]
    draws: Count = 5  # of random orders


class PruningSettings(Strict):
    """Which runs are pruned: for each variant of a study the orders in which its units go."""

    title: str
    report: str = ""
    study: Name
    methods: Annotated[dict[Name, Methods], Field(min_length=1)]
    settings: Percents
    reported: list[float | None] | None = None  # the report's accuracy at each percentage

    @model_validator(mode="after")
    def _one_number_a_percentage(self) -> PruningSettings:
        if self.reported is not None and len(self.reported) != len(self.settings.percents):
            raise ValueError(
                f"reported has {len(self.reported)} numbers for {len(self.settings.percents)} percents; "
                "allowed: one each, null where the report has none"
            )
        return self


class View(Strict):
    """What is looked at inside a network. Layers: conv1, …, and of residual nets block1, …, features."""

    image: Annotated[int, Field(ge=0)] = 0  # of the test split, shown through the network
    feature_maps: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]  # three channels each
    grad_cam: Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]  # the last: sheet, check
    per_class: Count = 3  # images of the sheet
    images: Annotated[int, Field(ge=2)] = 200  # of the deletion curves and the check, the first test images
    draws: Count = 5  # of random maps


class InterpretationSettings(Strict):
    """Into which finished runs one looks."""

    title: str
    report: str = ""
    study: Name
    variants: Annotated[list[Name], Field(min_length=1)]
    view: View


class Settings(Strict):
    """The whole of config.yaml."""

    datasets: dict[Name, Source]
    seeds: Seeds
    claims: str | None = None  # a file of claims about the studies
    studies: Annotated[dict[Name, StudySettings], Field(min_length=1)]
    landscapes: dict[Name, LandscapeSettings] = Field(default={})
    prunings: dict[Name, PruningSettings] = Field(default={})
    interpretations: dict[Name, InterpretationSettings] = Field(default={})
    scale: Scale = Scale()
    device: Annotated[str, AfterValidator(_device)] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: Count = 2
    max_seconds: Count | None = None


class Variant(Strict):
    """A row of a study's table."""

    study: str
    name: str
    title: str
    spec: RunSpec
    seeds: tuple[int, ...]
    scale: Scale
    reported: Reported


class Study(Strict):
    """A table of a report, its rows' specifications resolved. Rules hand it on as JSON."""

    name: str
    title: str
    report: str
    compare: Literal["best_test", "selected"]
    reference: str | None
    probes: ProbeView | None = None
    path: PathView | None = None
    variants: tuple[Variant, ...]


class Landscape(Strict):
    """Finished runs around which the loss is measured. Rules hand it on as JSON."""

    name: str
    title: str
    slices: Slices
    variants: tuple[Variant, ...]


class Pruning(Strict):
    """Finished runs that are pruned. Rules hand it on as JSON."""

    name: str
    title: str
    report: str
    methods: dict[str, list[str]]
    settings: Percents
    reported: list[float | None] | None
    variants: tuple[Variant, ...]


class Interpretation(Strict):
    """Finished runs that are looked into. Rules hand it on as JSON."""

    name: str
    title: str
    report: str
    view: View
    variants: tuple[Variant, ...]
