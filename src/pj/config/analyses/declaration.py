"""The declaration of an analysis of finished runs, from which everything else is derived.

A declaration determines the keys of config.yaml, the jobs of the rules, tables and figures and their places
on the pages, what `pj keep` copies, and the numbers that claims may refer to. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from pj.config.types import Name, Strict, distinct

if TYPE_CHECKING:
    from pj.config.spec import RunSpec

Variants = Annotated[list[Name], Field(min_length=1), AfterValidator(distinct)]


class AnalysisSettings(Strict):
    """Settings that all analyses have: which finished runs are analysed."""

    title: str = Field(description="the heading of its table and figures")
    report: str = Field("", description="where the source paper reports it, such as A 3.1")
    study: Name = Field(description="the study whose runs are analysed")

    def analysed(self) -> Sequence[str]:
        """Return the names of the study's variants whose runs are analysed."""
        return list(getattr(self, self.where()))

    @classmethod
    def where(cls) -> str:
        """Return the key that names those variants."""
        return "variants"

    def asked(self, variant: str) -> Strict:
        """Return what to measure of a variant's runs: the second argument of the measurement."""
        raise NotImplementedError


@dataclass(frozen=True)
class Figure:
    """A figure: the function that draws it, and a text alternative."""

    draw: str  # "module:function", of the analysis and what was measured
    shows: str


@dataclass(frozen=True)
class Cells:
    """How a claim refers to a number of an analysis: ``<key>/<name>/<variant>/…``.

    Args:
        rows: columns of its table; one further part of the path per column selects rows by value.
        values: columns that a claim may use. If there are several, the last part of the path names one.
        choices: for a variant, the values that each column of ``rows`` can have.

    """

    rows: tuple[str, ...]
    values: tuple[str, ...]
    choices: Callable[[Any, str], list[list[str]]]

    @property
    def parts(self) -> int:
        """How many parts follow the variant."""
        return len(self.rows) + (len(self.values) > 1)


@dataclass(frozen=True)
class Analysis:
    """An analysis of finished runs.

    Args:
        key: its key in config.yaml, and its folder below results.
        settings: the type of each entry below that key.
        asked: the type of what `AnalysisSettings.asked` returns.
        measure: "module:function" that measures a finished run as asked, and returns what JSON can hold.
        precision: of the measurement; None uses the run's own.
        table: a module with ``table`` (one row per run and more, for programs) and ``sheet`` (for people).
        figures: by name of file; the last one is shown with claims.
        title, text: heading and introduction of its tables on the pages.
        cells: how claims refer to its numbers.
        faults: yields what is wrong with settings, given a variant and its specification.
        passes: about how many forward passes of single images a measurement takes, of what is asked and the
            number of test images; a backward pass counts as two (for the time that `pj plan` expects).

    """

    key: str
    settings: type[AnalysisSettings]
    asked: type[Strict]
    measure: str
    table: str
    figures: Mapping[str, Figure]
    title: str
    text: str
    cells: Cells
    precision: Literal["fp32"] | None = None
    faults: Callable[[str, Any, str, RunSpec, int | None], Iterable[str]] = lambda *_: ()
    passes: Callable[[Any, int], float] = lambda _, test_images: float(test_images)

    def made(self, code: str, asked: Strict) -> dict[str, Any]:
        """Return what a measurement records of how it was made, beside the run's own."""
        return {"code": code, "asked": asked.model_dump(mode="json"), "precision": self.precision}

    def cell_choices(self, settings: AnalysisSettings, variant: str) -> Iterator[list[str]]:
        """Yield the allowed values of each part of the path after the variant."""
        yield from self.cells.choices(settings, variant)
        if len(self.cells.values) > 1:
            yield list(self.cells.values)
