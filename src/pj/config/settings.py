"""The keys of config.yaml (data sources, studies, scales), and the studies that they resolve to.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, create_model, model_validator

from pj.config.analyses import ANALYSES
from pj.config.analyses.declaration import Analysis, AnalysisSettings
from pj.config.components import Source
from pj.config.spec import RunSpec
from pj.config.sweeps import Sweep, Swept
from pj.config.types import (
    Count,
    Fraction,
    Index,
    Name,
    Positive,
    Strict,
    distinct,
)
from pj.errors import UserError

Seed = Index
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(distinct)]
Rates = Annotated[list[Positive], Field(min_length=2)]


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError(f"{value!r}; allowed: auto, cpu, cuda, cuda:0, cuda:1, …")
    return value


class Scale(Strict):
    """How studies are reduced; every table states it. All unset: full scale."""

    name: Name = Field("full", description="its name in tables; full: nothing is reduced")
    epochs: Count | None = Field(
        None, description="epochs of a study's base, at most; a variant of twice as many keeps twice as many"
    )
    train: Count | None = Field(None, description="training images, at most; the data must have so many")
    validation: Count | None = Field(
        None, description="validation images, at most; the data must have so many"
    )
    test: Count | None = Field(None, description="test images, at most; the data must have so many")
    width: Fraction | None = Field(None, description="multiplies the models' width")

    @property
    def reductions(self) -> dict[str, int | float]:
        """What is reduced, and to what; empty at full scale."""
        return self.model_dump(exclude={"name"}, exclude_none=True)

    @model_validator(mode="after")
    def _only_the_whole_is_full(self) -> Scale:
        if self.name == "full" and self.reductions:
            raise ValueError(
                f"reduces {', '.join(self.reductions)} but is named 'full'; give it another name, "
                "such as name: small"
            )
        return self


class Reported(Strict):
    """The paper's printed numbers for a variant."""

    accuracy: float | None = Field(None, description="test accuracy, percent")
    train: float | None = Field(None, description="training accuracy, percent")
    validation: float | None = Field(None, description="validation accuracy, percent")
    test: float | None = Field(None, description="test accuracy of the selected network, percent")
    difference: float | None = Field(None, description="this variant minus the study's reference, points")
    seconds: float | None = Field(None, description="training time, seconds")
    parameters_millions: float | None = Field(None, description="parameters of the network, millions")


class Head(Strict):
    """The keys of a variant that change nothing in its base."""

    title: str | None = Field(None, description="its title in tables and figures (default: its name)")
    reported: Reported = Field(Reported(), description="the paper's printed numbers")


class Changes(Head, RunSpec):
    """What a variant changes in its study's base, with its title and reported numbers."""


@dataclass(frozen=True)
class Partial:
    """Marks a mapping with only some keys of a model: it is checked after it has been merged with the rest.

    Its JSON schema is that of the model.
    """

    model: type[Strict]

    def __get_pydantic_json_schema__(self, _: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(self.model.__pydantic_core_schema__)


class ProbeView(Strict):
    """Which quantity a study of probed runs shows, and the bands beside it.

    A band is the range of a quantity over separate runs at several learning rates, as the source paper may
    draw it: of the training loss, or of the covariate shift at one ``layer``.
    """

    show: Literal["loss_range", "predictiveness", "beta", "ics"] = Field(
        description="the quantity of the study's probe table and figure"
    )
    bands: dict[Name, Rates] = Field({}, description="for each band, the learning rates of its runs")
    layer: str | None = Field(None, description="the layer whose covariate shift the bands of ics show")


class PathView(Strict):
    """What a study of DessiLBI runs shows besides its table: |supp Γ| by epoch, and a layer's weights."""

    weights_of: str = Field(description="the layer whose weights are shown: conv1, linear1, …")


class StudySettings(Strict):
    """A table of trained variants: a base specification and what each row changes."""

    title: str = Field(description="the heading of its table and figures")
    report: str = Field("", description="where the source paper reports it, such as A 1.2")
    base: Annotated[dict[str, Any], Partial(RunSpec)] = Field(
        description="the specification that the variants change"
    )
    variants: Annotated[dict[Name, Annotated[dict[str, Any], Partial(Changes)]], Field(min_length=1)] = Field(
        description="rows of the table: what each changes in the base, its title and reported numbers"
    )
    sweep: Annotated[dict[str, Any], Partial(Sweep)] | None = Field(
        None,
        description="variants made from values of keys, such as {model.dropout: [0.0, 0.1]}",
    )
    compare: Literal["best_test", "selected"] = Field(
        "selected", description="which test accuracy is compared: the kind that the paper prints"
    )
    reference: str | None = Field(None, description="the variant that the others are compared with")
    probes: ProbeView | None = Field(None, description="what a study of probed runs shows")
    path: PathView | None = Field(None, description="what a study of DessiLBI runs shows")
    seeds: Seeds | None = Field(None, description="seeds of this study instead of the configuration's")
    scale: Scale | None = Field(None, description="scale of this study instead of the configuration's")


class _Settings(Strict):
    """The whole of config.yaml except analyses."""

    standalone: bool = Field(
        False, description="a whole configuration: given by --configfile it replaces config.yaml"
    )
    datasets: dict[Name, Source] = Field(description="where images come from, by the name that data uses")
    seeds: Seeds = Field(description="random seeds; every variant is trained once per seed")
    claims: str | None = Field(None, description="path of a file of claims about the studies")
    words: str | None = Field(None, description="path of a file of texts about the paper, for the pages")
    studies: Annotated[dict[Name, StudySettings], Field(min_length=1)] = Field(
        description="tables of trained variants, by name"
    )
    modes: bool = Field(
        True, description="also measure, and show, what train() and eval() change in batch norm and dropout"
    )
    scale: Scale = Field(Scale(), description="how every study is reduced")
    device: Annotated[str, AfterValidator(_device)] = Field(
        "auto", description="auto, cpu, cuda or cuda:<index>"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="where a specification sets none; auto: bf16 where the hardware computes in it"
    )
    threads: Count = Field(2, description="CPU threads of a job")
    max_seconds: Count | None = Field(
        None, description="end a training job after this many seconds; called again, it continues"
    )


if taken := sorted(set(ANALYSES) & set(_Settings.model_fields)):
    raise UserError(f"the analysis {taken[0]!r} has the same key as a setting; give it another")

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

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Its runs: name and seed."""
        return [(self.spec.run, seed) for seed in self.seeds]


def runs_of(variants: Iterable[Variant]) -> list[tuple[str, int]]:
    """Return the runs of several variants: name and seed."""
    return [run for variant in variants for run in variant.runs]


class Study(Strict):
    """A study with its variants' specifications resolved. Rules pass it to scripts as JSON."""

    name: str
    title: str
    report: str
    compare: Literal["best_test", "selected"]
    reference: str | None
    probes: ProbeView | None = None
    path: PathView | None = None
    swept: Swept | None = None
    variants: tuple[Variant, ...]


class Analysed(AnalysisSettings):
    """The settings of an analysis with its variants resolved. Rules pass it to scripts as JSON."""

    name: str
    variants: tuple[Variant, ...]

    if TYPE_CHECKING:

        def __getattr__(self, setting: str) -> Any: ...


def _analysed(analysis: Analysis) -> type[Analysed]:
    base: Any = analysis.settings
    resolved: Any = tuple[Variant, ...]
    return create_model(f"Analysed{base.__name__}", __base__=base, name=(str, ...), variants=(resolved, ...))


ANALYSED = {key: _analysed(analysis) for key, analysis in ANALYSES.items()}
