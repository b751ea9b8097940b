"""The claims of a report or paper as data: its words, what measures them, and when they hold.

Imports no torch and no pandas: the workflow parses this. `pj.claims.verdicts` judges them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.messages import choice_fault
from pj.config.types import Positive, Strict
from pj.runs.records import SUPPORT

Known = Literal[
    "last",
    "selected",
    "best_test",
    "validation",
    "train_running",
    "train",
    "gap",  # train - selected
    "seconds",
    "gradients",  # evaluations of the gradient
    "epochs_to_70",
    "step_loss_difference",  # of probed runs: the largest, against the study's reference
]


def _quantity(value: str) -> str:
    if value not in get_args(Known) and not value.startswith(SUPPORT):
        raise ValueError(choice_fault((), value, (*get_args(Known), f"{SUPPORT}<layer>")).removeprefix(": "))
    return value


Quantity = Annotated[str, AfterValidator(_quantity)]
Cells = Annotated[dict[str, float], Field(min_length=1)]
QUANTITY = "selected"  # of claims in a file that names none
MARGIN = 0.5  # percentage points within which accuracies count as equal


class Statement(Strict):
    """What all claims have: where they stand and what they say.

    ``also`` are further checks, with verdicts of their own, which decide nothing unless they are ``needed``.
    They have their claim's id, report and section.
    """

    id: Annotated[int, Field(ge=1)] = Field(description="its number")
    report: str = Field(description="the paper that claims it")
    section: str = Field("", description="where in the paper")
    statement: str = Field(description="the claim in words")
    reported: float | None = Field(None, description="the paper's number for the statistic")
    note: str = Field("", description="what a reader should know about the measurement")
    needed: bool = Field(
        False, description="of an entry of also: unless it is reproduced, the claim is at most inconclusive"
    )
    also: list[Claim] = Field([], description="further checks with verdicts of their own")


class Contrast(Statement):
    """A weighted sum of cells, paired by seed, against ``than``.

    A cell is ``study/variant`` (of which ``quantity`` is taken), or of an analysis of its runs, such as
    ``prunings/<name>/<variant>/<order>/<percent>`` (`pj.config.analyses`).
    A name of ``best_of`` stands for that one of its cells whose runs train best (`Evidence.trains_best`).
    With ``ratio`` the sum is of logarithms, ``reported``, ``than`` and the result are ratios, and ``margin``
    is a share (0.1: within a tenth). ``reached`` expects ``reported`` to be a number that one run could give.
    """

    statistic: Literal["contrast"] = Field(description="a weighted sum of cells, paired by seed")
    contrast: Cells = Field(description="weights of cells, or of names of best_of")
    best_of: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {}, description="names that stand for that one of their cells whose runs train best"
    )
    quantity: Quantity = Field(QUANTITY, description="what of its runs it is about")
    expect: Literal["above", "below", "same", "reached"] = Field(description="what is claimed of the sum")
    than: float = Field(0.0, description="what the sum is compared with")
    margin: Positive = Field(MARGIN, description="within which a difference counts as none")
    ratio: bool = Field(False, description="the sum is of logarithms; numbers and margin are ratios")

    @model_validator(mode="after")
    def _whole(self) -> Contrast:
        if self.expect == "reached" and self.reported is None:
            raise ValueError("'reached' is about a number of the report; give it as reported")
        if self.ratio and ("margin" not in self.model_fields_set or self.than <= 0):
            raise ValueError("a ratio needs a margin of its own, such as 0.1, and a than above 0, such as 1")
        return self


class Best(Statement):
    """A variant has the highest mean of a study in at least 95 % of bootstraps over seeds."""

    statistic: Literal["best"] = Field(description="a variant has the highest mean of its study")
    study: str = Field(description="whose variants are compared")
    variant: str = Field(description="the one that is claimed to be best")
    among: list[str] = Field([], description="variants that are compared; all of the study if empty")
    ordered: bool = Field(False, description="the variants are points of a scale, in order")
    quantity: Quantity = Field(QUANTITY, description="what of its runs it is about")


class RankCorrelation(Statement):
    """Accuracy rises with the number of parameters: Spearman's correlation over a study's variants."""

    statistic: Literal["rank_correlation"] = Field(description="accuracy rises with the number of parameters")
    study: str = Field(description="over whose variants")
    quantity: Quantity = Field(QUANTITY, description="what of its runs it is about")
    expect: Literal["above"] = Field("above", description="above zero")


class Diverged(Statement):
    """The runs of some variants diverge, or do not."""

    statistic: Literal["diverged"] = Field(description="the runs of some variants diverge, or do not")
    cells: Annotated[list[str], Field(min_length=1)] = Field(description="the variants, study/variant")
    expect: Literal["all", "none"] = Field(description="which of the runs diverge")


class Probed(Statement):
    """The ratio (of the cosine: the difference) with / without batch norm, of a row of a study's probes."""

    statistic: Literal["probed"] = Field(description="with against without batch norm, of a study's probes")
    study: str = Field(description="of probed runs")
    row: dict[Literal["trajectory", "quantity", "line", "grid", "layer"], str] = Field(
        description="what singles out a row of the study's probes_table.csv"
    )
    expect: Literal["above", "below"] = Field(
        description="the ratio against 1, of the cosine the difference against 0"
    )


class Unmeasured(Statement):
    """A claim that nothing here measures yet; ``note`` says why."""

    statistic: Literal["unmeasured"] = Field(description="nothing here measures it yet; the note says why")


Claim = Annotated[
    Contrast | Best | RankCorrelation | Diverged | Probed | Unmeasured, Field(discriminator="statistic")
]
KINDS = (Contrast, Best, RankCorrelation, Diverged, Probed, Unmeasured)
for _kind in KINDS:
    _kind.model_rebuild(force=True)  # `also` names Claim, which is known only here


class Claims(Strict):
    """The whole of claims.yaml."""

    quantity: Quantity = Field(QUANTITY, description="of claims that do not say what they are about")
    claims: Annotated[list[Claim], Field(min_length=1)] = Field(description="in the order of the scorecard")


def looks(claim: Claim) -> list[Claim]:
    """Return a claim and the further looks at it."""
    return [claim, *claim.also]


def cells(claim: Claim) -> list[str]:
    """Return the cells that a claim is about, without its further looks; of a whole study, its name."""
    match claim:
        case Contrast():
            return [cell for name in claim.contrast for cell in claim.best_of.get(name, [name])]
        case Diverged():
            return claim.cells
        case Best():
            return [f"{claim.study}/{name}" for name in claim.among] or [claim.study]
        case RankCorrelation() | Probed():
            return [claim.study]
        case Unmeasured():
            return []


def single_cells(claim: Claim, config: Config) -> list[str]:
    """Return the cells that a claim is about, those of a whole study one by one."""
    found: list[str] = []
    for cell in cells(claim):
        study = config.settings.studies.get(cell)
        found += [f"{cell}/{name}" for name in study.variants] if study else [cell]
    return found


def of_runs(cell: str) -> bool:
    """Whether a cell is of runs themselves, not of what is measured of them afterwards."""
    return cell.split("/")[0] not in ANALYSES


def study_of(cell: str, config: Config) -> str | None:
    """Return the study that a cell's runs belong to; None if there is none."""
    first, *rest = cell.split("/")
    if of_runs(cell):
        return first if first in config.settings.studies else None
    frame = config.analyses(first).get(rest[0]) if rest else None
    return frame.study if frame else None


def tables(claims: Iterable[Claim], config: Config) -> list[str]:
    """Return the tables that claims are judged by, below results: those of what they name, and no others."""
    found: dict[str, None] = {}
    for claim in (look for whole in claims for look in looks(whole)):
        for cell in cells(claim):
            study = study_of(cell, config)
            found[f"studies/{study}/runs.csv"] = None
            if isinstance(claim, Probed):
                found[f"studies/{study}/probes_table.csv"] = None
            if not of_runs(cell):
                kind, name, *_ = cell.split("/")
                found[f"{kind}/{name}/table.csv"] = None
    return list(found)
