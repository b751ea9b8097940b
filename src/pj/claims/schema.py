"""The claims of a report or paper as data: their words, the statistic that tests each, and what is expected.

Imports no torch and no pandas: the workflow parses this. `pj.claims.verdicts` judges them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Annotated, Literal, Self, get_args

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
Weights = Annotated[dict[str, float], Field(min_length=1)]
QUANTITY = "selected"  # of claims in a file that names none
# Variants of which bootstraps say the best; of two equal ones they call one best too often.
FEWEST_COMPARED = 3
# Quantities that runs with fewer images and epochs measure as well, and those of which only ratios are.
SCALE_FREE, SCALE_FREE_RATIOS = ("step_loss_difference",), ("seconds", "gradients")
MARGIN = 0.5  # percentage points within which accuracies count as equal


class Statement(Strict):
    """What all claims have: where the paper makes them and what they say.

    ``also`` lists further checks with verdicts of their own; they do not change the claim's verdict, unless
    they are ``needed``. They have their claim's id, report and section.
    """

    id: Annotated[int, Field(ge=1)] = Field(description="its number")
    report: str = Field(description="the paper that claims it")
    section: str = Field("", description="where in the paper")
    statement: str = Field(description="the claim in words")
    reported: float | None = Field(None, description="the paper's number for the statistic")
    note: str = Field("", description="what a reader should know about the measurement")
    scale_free: str = Field(
        "",
        description="why it depends neither on images nor on epochs; runs with fewer then decide it",
    )
    needed: bool = Field(
        False, description="for an entry of also: unless it is reproduced, the claim is at most inconclusive"
    )
    also: list[Claim] = Field([], description="further checks with verdicts of their own")

    @model_validator(mode="after")
    def _scale_free_where_it_can_be(self) -> Statement:
        if self.scale_free and not self._depends_on_no_scale():
            raise ValueError(
                "scale_free: what this claim measures depends on images and epochs; allowed for diverged "
                f"runs, {', '.join(SCALE_FREE)} with expect: same, and ratios of two runs' "
                f"{' or '.join(SCALE_FREE_RATIOS)}, without best_of"
            )
        return self

    def _depends_on_no_scale(self) -> bool:
        return False

    def _without_a_number(self) -> Self:
        if self.reported is not None:
            raise ValueError(
                "reported: no number of this statistic is compared with the paper's; put it into the note"
            )
        return self


class Contrast(Statement):
    """A weighted sum of measured values, paired by seed, compared with ``than``.

    A value is named by its *cell*: ``study/variant``, whose ``quantity`` is used, or a number of an analysis
    of its runs, such as ``prunings/<name>/<variant>/<order>/<percent>`` (`pj.config.analyses`).
    A name of ``best_of`` means the one of its cells whose runs train best (`Evidence.trains_best`).
    With ``ratio`` logarithms are summed; ``reported``, ``than`` and the result are ratios, and ``margin``
    is a share (0.1: within a tenth). ``reached`` expects ``reported`` to be a number that one run could give.
    """

    statistic: Literal["contrast"] = Field(description="a weighted sum of measured values, paired by seed")
    contrast: Weights = Field(
        description="the weight of each value, named study/variant, as a path into an analysis, or by best_of"
    )
    best_of: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {}, description="for a name, the variants (study/variant) of which the one that trains best is used"
    )
    quantity: Quantity = Field(
        QUANTITY, description="the runs' quantity that is compared; by default the file's"
    )
    expect: Literal["above", "below", "same", "reached"] = Field(description="what is claimed of the sum")
    than: float = Field(0.0, description="what the sum is compared with")
    margin: Positive = Field(
        MARGIN,
        description="a difference smaller than this counts as none; of what is not in percentage points, "
        "it must be given",
    )
    ratio: bool = Field(False, description="logarithms are summed: numbers and margin are ratios")

    @model_validator(mode="after")
    def _whole(self) -> Contrast:
        if self.expect == "reached" and self.reported is None:
            raise ValueError("expect: reached needs the paper's number; give it as reported")
        if self.ratio and ("margin" not in self.model_fields_set or self.than <= 0):
            raise ValueError("a ratio needs a margin of its own, such as 0.1, and a than above 0, such as 1")
        if self.ratio and self.reported is not None and self.reported <= 0:
            raise ValueError(f"a ratio needs a reported above 0, not {self.reported:g}")
        if zero := [name for name, weight in self.contrast.items() if not weight]:
            raise ValueError(f"contrast.{zero[0]} has the weight 0, which measures nothing; leave it out")
        return self

    @property
    def tolerance(self) -> float:
        """The margin as a difference; of a ratio, of its logarithm."""
        return log(1 + self.margin) if self.ratio else self.margin

    def difference(self, one: float, other: float) -> float:
        """Return how much one value is above another; of ratios, by their logarithms."""
        return log(one / other) if self.ratio else one - other

    def _depends_on_no_scale(self) -> bool:
        if self.best_of or not all(map(of_runs, self.contrast)):
            return False
        if self.quantity in SCALE_FREE:
            return self.expect == "same"
        return self.quantity in SCALE_FREE_RATIOS and self.ratio and sum(self.contrast.values()) == 0


class Best(Statement):
    """A variant has the highest mean of its study in nearly all bootstraps over seeds."""

    statistic: Literal["best"] = Field(description="a variant has the highest mean of its study")
    study: str = Field(description="the study whose variants are compared")
    variant: str = Field(description="the variant that is claimed to be best")
    among: list[str] = Field([], description="variants that are compared; all of the study if empty")
    ordered: bool = Field(False, description="the variants are points of a scale, in order")
    quantity: Quantity = Field(
        QUANTITY, description="the runs' quantity that is compared; by default the file's"
    )

    @model_validator(mode="after")
    def _whole(self) -> Best:
        return self._without_a_number()


class RankCorrelation(Statement):
    """Accuracy rises with the number of parameters: Spearman's correlation over a study's variants."""

    statistic: Literal["rank_correlation"] = Field(description="accuracy rises with the number of parameters")
    study: str = Field(description="the study whose variants are correlated")
    quantity: Quantity = Field(
        QUANTITY, description="the runs' quantity that is correlated; by default the file's"
    )
    expect: Literal["above"] = Field("above", description="above zero")


class Diverged(Statement):
    """The runs of some variants diverge, or do not."""

    statistic: Literal["diverged"] = Field(description="the runs of some variants diverge, or do not")
    cells: Annotated[list[str], Field(min_length=1)] = Field(description="the variants, study/variant")
    expect: Literal["all", "none"] = Field(description="which of the runs diverge")

    @model_validator(mode="after")
    def _whole(self) -> Diverged:
        return self._without_a_number()

    def _depends_on_no_scale(self) -> bool:
        return True


class Probed(Statement):
    """The ratio (for the cosine: the difference) with / without batch norm, in a row of a study's probes."""

    statistic: Literal["probed"] = Field(description="with / without batch norm, in a study's probes")
    study: str = Field(description="a study of probed runs")
    row: dict[Literal["trajectory", "quantity", "line", "grid", "layer"], str] = Field(
        description="column values that select one row of the study's probes_table.csv"
    )
    expect: Literal["above", "below"] = Field(
        description="the ratio compared with 1; for the cosine, the difference compared with 0"
    )


class Unmeasured(Statement):
    """A claim that is not measured yet; ``note`` says why."""

    statistic: Literal["unmeasured"] = Field(description="not measured yet; the note says why")


Claim = Annotated[
    Contrast | Best | RankCorrelation | Diverged | Probed | Unmeasured, Field(discriminator="statistic")
]
KINDS = (Contrast, Best, RankCorrelation, Diverged, Probed, Unmeasured)
for _kind in KINDS:
    _kind.model_rebuild(force=True)  # `also` names Claim, which is known only here


class Claims(Strict):
    """The whole of claims.yaml."""

    quantity: Quantity = Field(QUANTITY, description="the quantity of claims that name none")
    claims: Annotated[list[Claim], Field(min_length=1)] = Field(description="in the order of the scorecard")


def checks(claim: Claim) -> list[Claim]:
    """Return a claim and its further checks."""
    return [claim, *claim.also]


def cells(claim: Claim) -> list[str]:
    """Return the cells that a claim is about, without its further checks; for a whole study, its name."""
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
    """Return the cells that a claim is about, a whole study replaced by its variants."""
    found: list[str] = []
    for cell in cells(claim):
        study = config.settings.studies.get(cell)
        found += [f"{cell}/{name}" for name in study.variants] if study else [cell]
    return found


def of_runs(cell: str) -> bool:
    """Whether a cell names runs themselves, not an analysis of them."""
    return cell.split("/")[0] not in ANALYSES


def study_of(cell: str, config: Config) -> str | None:
    """Return the study that a cell's runs belong to; None if there is none."""
    first, *rest = cell.split("/")
    if of_runs(cell):
        return first if first in config.settings.studies else None
    frame = config.analyses(first).get(rest[0]) if rest else None
    return frame.study if frame else None


def tables(claims: Iterable[Claim], config: Config) -> list[str]:
    """Return the tables, below results, that claims are judged by: only those that they name."""
    found: dict[str, None] = {}
    for claim in (check for whole in claims for check in checks(whole)):
        for cell in cells(claim):
            study = study_of(cell, config)
            found[f"studies/{study}/runs.csv"] = None
            if isinstance(claim, Probed):
                found[f"studies/{study}/probes_table.csv"] = None
            if not of_runs(cell):
                kind, name, *_ = cell.split("/")
                found[f"{kind}/{name}/table.csv"] = None
    return list(found)
