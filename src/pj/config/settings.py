"""What may stand in config.yaml: data sources, studies, scales, and the studies they resolve to.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, create_model, model_validator

from pj.config.analyses import ANALYSES
from pj.config.analyses.declaration import Analysis, AnalysisSettings
from pj.config.components import Source
from pj.config.spec import RunSpec
from pj.config.types import (
    Count,
    Fraction,
    Index,
    Name,
    Positive,
    Strict,
)
from pj.errors import UserError

Seed = Index
Seeds = Annotated[list[Seed], Field(min_length=1)]
Rates = Annotated[list[Positive], Field(min_length=2)]


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError(f"{value!r}; allowed: auto, cpu, cuda, cuda:0, cuda:1, …")
    return value


class Scale(Strict):
    """What a reduced run takes away from a study; every table names it. All unset: full scale."""

    name: Name = Field("full", description="what tables call it; full: nothing is taken away")
    epochs: Count | None = Field(
        None, description="of a study's base; a variant of twice as many epochs keeps twice as many"
    )
    train: Count | None = Field(None, description="training images, at most")
    validation: Count | None = Field(None, description="validation images, at most")
    test: Count | None = Field(None, description="test images, at most")
    width: Fraction | None = Field(None, description="multiplies the models' width")

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
    """The source's printed numbers for a variant."""

    accuracy: float | None = Field(None, description="test accuracy, percent")
    train: float | None = Field(None, description="training accuracy, percent")
    validation: float | None = Field(None, description="validation accuracy, percent")
    test: float | None = Field(None, description="test accuracy of the selected network, percent")
    difference: float | None = Field(None, description="this variant minus the study's reference, points")
    seconds: float | None = Field(None, description="of training")
    parameters_millions: float | None = Field(None, description="parameters of the network, millions")


class Head(Strict):
    """What a variant has besides what it changes."""

    title: str | None = Field(None, description="what the table calls it (default: its name)")
    reported: Reported = Field(Reported(), description="the source's printed numbers")


class Changes(Head, RunSpec):
    """What a variant changes in its study's base, its title and reported numbers."""


@dataclass(frozen=True)
class Partial:
    """Marks a mapping that holds some keys of a model, which others complete: only the whole is checked.

    In JSON schemas it stands as the model.
    """

    model: type[Strict]

    def __get_pydantic_json_schema__(self, _: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(self.model.__pydantic_core_schema__)


class ProbeView(Strict):
    """Which of four quantities a study of probed runs is about, and the bands beside it.

    A band is the range of a quantity over separate runs at several learning rates, which is what the
    source may draw: of the training loss, or of the covariate shift at one ``layer``.
    """

    show: Literal["loss_range", "predictiveness", "beta", "ics"] = Field(
        description="the quantity that the study's probe table and figure are about"
    )
    bands: dict[Name, Rates] = Field({}, description="for each band, the learning rates that it runs over")
    layer: str | None = Field(None, description="of which the bands of ics show the covariate shift")


class PathView(Strict):
    """What a study of DessiLBI runs shows besides its table: |supp Γ| over epochs, and a layer's weights."""

    weights_of: str = Field(description="the layer whose weights are shown: conv1, linear1, …")


class StudySettings(Strict):
    """A table of trained variants: a base specification and what each row changes."""

    title: str = Field(description="the heading of its table and figures")
    report: str = Field("", description="where the source paper has it, such as A 1.2")
    base: Annotated[dict[str, Any], Partial(RunSpec)] = Field(
        description="the specification that its variants change"
    )
    variants: Annotated[dict[Name, Annotated[dict[str, Any], Partial(Changes)]], Field(min_length=1)] = Field(
        description="rows of the table: what each changes in the base, its title and reported numbers"
    )
    compare: Literal["best_test", "selected"] = Field(
        "selected", description="the accuracy that differences are taken of: what the paper printed"
    )
    reference: str | None = Field(None, description="the variant that the others are subtracted from")
    probes: ProbeView | None = Field(None, description="what a study of probed runs shows")
    path: PathView | None = Field(None, description="what a study of DessiLBI runs shows")
    seeds: Seeds | None = Field(None, description="instead of the configuration's")
    scale: Scale | None = Field(None, description="instead of the configuration's")


class _Settings(Strict):
    """The whole of config.yaml, analyses apart."""

    standalone: bool = Field(
        False, description="a whole configuration: given by --configfile it replaces config.yaml"
    )
    datasets: dict[Name, Source] = Field(description="where images come from, by the name that data has")
    seeds: Seeds = Field(description="of every variant, one training each")
    claims: str | None = Field(None, description="a file of claims about the studies")
    words: str | None = Field(None, description="a file of what the pages say about the paper")
    studies: Annotated[dict[Name, StudySettings], Field(min_length=1)] = Field(
        description="tables of trained variants, by name"
    )
    scale: Scale = Field(Scale(), description="what is taken away from every study")
    device: Annotated[str, AfterValidator(_device)] = Field(
        "auto", description="auto, cpu, cuda or cuda:<index>"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of specifications that do not say; auto: bf16 where the device computes in it"
    )
    threads: Count = Field(2, description="of a job on the CPU")
    max_seconds: Count | None = Field(
        None, description="end a training job after so long, to go on when called again"
    )


if taken := sorted(set(ANALYSES) & set(_Settings.model_fields)):
    raise UserError(f"the analysis {taken[0]!r} has the key of a setting; give it another")

if TYPE_CHECKING:
    Settings: TypeAlias = _Settings
else:
    Settings = create_model(
        "Settings",
        __base__=_Settings,
        __doc__="The whole of config.yaml.",
        **{
            key: (dict[Name, analysis.settings], Field({}, description=f"{analysis.title}, by name"))
            for key, analysis in ANALYSES.items()
        },
    )


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
    """A study, its rows' specifications resolved. Rules hand it on as JSON."""

    name: str
    title: str
    report: str
    compare: Literal["best_test", "selected"]
    reference: str | None
    probes: ProbeView | None = None
    path: PathView | None = None
    variants: tuple[Variant, ...]


class Analysed(AnalysisSettings):
    """What an analysis is about: its settings, with the variants resolved. Rules hand it on as JSON."""

    name: str
    variants: tuple[Variant, ...]

    if TYPE_CHECKING:

        def __getattr__(self, setting: str) -> Any: ...


def _analysed(analysis: Analysis) -> type[Analysed]:
    base: Any = analysis.settings
    resolved: Any = tuple[Variant, ...]
    return create_model(f"Analysed{base.__name__}", __base__=base, name=(str, ...), variants=(resolved, ...))


ANALYSED = {key: _analysed(analysis) for key, analysis in ANALYSES.items()}
