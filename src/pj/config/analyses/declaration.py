"""What an analysis of finished runs is: declared once, and everything else follows from it.

From a declaration follow what may stand in config.yaml, the jobs of the rules, tables and figures, their
places on the pages, what `pj keep` keeps, and the cells that claims may name. Imports no torch.
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
    """Which finished runs are analysed: what all analyses have."""

    title: str = Field(description="the heading of its table and figures")
    report: str = Field("", description="where the source paper has it, such as A 3.1")
    study: Name = Field(description="the study whose runs are analysed")

    def analysed(self) -> Sequence[str]:
        """Return the names of the study's variants whose runs are analysed."""
        return list(getattr(self, self.where()))

    @classmethod
    def where(cls) -> str:
        """Return the key that names those variants."""
        return "variants"

    def asked(self, variant: str) -> Strict:
        """Return what is asked of a variant's runs: the second argument of the measurement."""
        raise NotImplementedError


@dataclass(frozen=True)
class Figure:
    """A figure: the function that draws it, and what it shows to those who cannot see it."""

    draw: str  # "module:function", of the analysis and what was measured
    shows: str


@dataclass(frozen=True)
class Cells:
    """How claims name a number of an analysis: ``<key>/<name>/<variant>`` and some parts more.

    Args:
        rows: columns of its table by whose values the parts pick rows.
        values: columns that a claim may be about. If there are several, the last part is one of them.
        choices: for each of ``rows``, what a variant has in it.

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
        settings: what may stand below that key, by name.
        asked: the type of what `AnalysisSettings.asked` returns.
        measure: "module:function" that measures a finished run as asked, and returns what JSON can hold.
        precision: of the measurement; None is the run's own.
        table: a module with ``table`` (one row per run and more, for programs) and ``sheet`` (for people).
        figures: by name of file; the last one is shown with claims.
        title, text: what pages say above its tables.
        cells: how claims name its numbers.
        faults: yields what is wrong with settings, given a variant and its specification.

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

    def cell_choices(self, settings: AnalysisSettings, variant: str) -> Iterator[list[str]]:
        """Yield what each part of a cell after the variant may be."""
        yield from self.cells.choices(settings, variant)
        if len(self.cells.values) > 1:
            yield list(self.cells.values)
