"""The claims of a report or paper as data: its words, what measures them, and when they hold.

Imports no torch and no pandas: the workflow parses this. `pj.claims.verdicts` judges them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from pj.config import yaml_files
from pj.config.loading import Config, ConfigError
from pj.config.messages import choice_fault, faults_of
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
MARGIN = 0.5  # percentage points within which accuracies count as equal
COLUMNS = ("grad_cam", "other", "random", "first_randomised", "all_randomised")  # of an interpretation


class Statement(Strict):
    """What all claims have: where they stand and what they say.

    ``also`` are further looks at the claim, with verdicts of their own, which decide nothing unless they are
    ``needed``. They have their claim's id, report and section.
    """

    id: Annotated[int, Field(ge=1)]
    report: str
    section: str = ""
    statement: str
    reported: float | None = None  # the report's number for the statistic
    note: str = ""  # what a reader should know about the measurement
    needed: bool = False  # of a further look: without it being reproduced, the claim is not
    also: list[Claim] = Field(default=[])


class Contrast(Statement):
    """A weighted sum of cells, paired by seed, against ``than``.

    A cell is ``study/variant`` (of which ``quantity`` is taken), of test accuracy
    ``prunings/<name>/<variant>/<order>/<percent>``, or ``interpretations/<name>/<variant>/<layer>/<column>``.
    A name of ``best_of`` stands for that one of its cells whose runs train best (`Evidence.trains_best`).
    With ``ratio`` the sum is of logarithms, ``reported``, ``than`` and the result are ratios, and ``margin``
    is a share (0.1: within a tenth). ``reached`` expects ``reported`` to be a number that one run could give.
    """

    statistic: Literal["contrast"]
    contrast: Cells
    best_of: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default={})
    quantity: Quantity = "best_test"
    expect: Literal["above", "below", "same", "reached"]
    than: float = 0.0
    margin: Positive = MARGIN
    ratio: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Contrast:
        if self.expect == "reached" and self.reported is None:
            raise ValueError("'reached' is about a number of the report; give it as reported")
        if self.ratio and ("margin" not in self.model_fields_set or self.than <= 0):
            raise ValueError("a ratio needs a margin of its own, such as 0.1, and a than above 0, such as 1")
        return self


class Best(Statement):
    """A variant has the highest mean of a study in at least 95 % of bootstraps over seeds."""

    statistic: Literal["best"]
    study: str
    variant: str
    among: list[str] = Field(default=[])  # all of the study if empty
    ordered: bool = False  # the variants are points of a scale: show between which the best lies
    quantity: Quantity = "best_test"


class RankCorrelation(Statement):
    """Accuracy rises with the number of parameters: Spearman's correlation over a study's variants."""

    statistic: Literal["rank_correlation"]
    study: str
    quantity: Quantity = "best_test"
    expect: Literal["above"] = "above"


class Diverged(Statement):
    """The runs of some variants diverge, or do not."""

    statistic: Literal["diverged"]
    cells: Annotated[list[str], Field(min_length=1)]
    expect: Literal["all", "none"]


class Probed(Statement):
    """The ratio (of the cosine: the difference) with / without batch norm, of a row of a study's probes."""

    statistic: Literal["probed"]
    study: str
    row: dict[Literal["trajectory", "quantity", "line", "grid", "layer"], str]  # those that single out a row
    expect: Literal["above", "below"]


class Unmeasured(Statement):
    """A claim that nothing here measures yet; ``note`` says why."""

    statistic: Literal["unmeasured"]


Claim = Annotated[
    Contrast | Best | RankCorrelation | Diverged | Probed | Unmeasured, Field(discriminator="statistic")
]
for _kind in (Contrast, Best, RankCorrelation, Diverged, Probed, Unmeasured):
    _kind.model_rebuild(force=True)  # `also` names Claim, which is known only here


class Claims(Strict):
    """The whole of claims.yaml."""

    claims: Annotated[list[Claim], Field(min_length=1)]


def of(config: Config) -> list[Claim]:
    """Return the claims that a configuration names, none if it names no file. Errors are those of `load`."""
    return load(Path(config.settings.claims), config) if config.settings.claims else []


def load(path: Path, config: Config) -> list[Claim]:
    """Read claims; ConfigError tells all faults: what is malformed, and what they name that is not there."""
    content, faults = yaml_files.read(path)
    if faults:
        raise ConfigError(faults)
    try:
        claims = TypeAdapter(Claims).validate_python(_inherited(content)).claims
    except ValidationError as error:
        raise ConfigError([f"{path.name}: {fault}" for fault in faults_of(error, Claims, ())]) from None
    found = [
        f"{path.name}: claim {claim.id}: {fault}"
        for claim in claims
        for look in looks(claim)
        for fault in _faults(look, config)
    ]
    seen: set[int] = set()
    for claim in claims:
        if claim.id in seen:
            found.append(f"{path.name}: claim {claim.id}: its id is given twice")
        seen.add(claim.id)
    if found:
        raise ConfigError(found)
    return claims


def _inherited(content: dict[str, Any]) -> dict[str, Any]:
    """Give the further looks at a claim what they share with it."""

    def whole(claim: Any) -> Any:
        if not isinstance(claim, dict) or not isinstance(claim.get("also"), list):
            return claim
        shared = {key: claim[key] for key in ("id", "report", "section") if key in claim}
        return claim | {"also": [shared | x if isinstance(x, dict) else x for x in claim["also"]]}

    listed = content.get("claims")
    return content | {"claims": [whole(claim) for claim in listed]} if isinstance(listed, list) else content


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
    return cell.split("/")[0] not in ("prunings", "interpretations")


def study_of(cell: str, config: Config) -> str | None:
    """Return the study that a cell's runs belong to; None if there is none."""
    first, *rest = cell.split("/")
    if of_runs(cell):
        return first if first in config.settings.studies else None
    frame = getattr(config.settings, first).get(rest[0]) if rest else None
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


def _faults(claim: Claim, config: Config) -> Iterable[str]:
    if any(look.also for look in claim.also):
        yield "also: a further look has none of its own"
    if isinstance(claim, Contrast):
        unused = [name for name in claim.best_of if name not in claim.contrast]
        yield from (choice_fault(("best_of",), name, claim.contrast) for name in unused)
    if isinstance(claim, Best) and claim.study in config.settings.studies:
        yield from _unknown((claim.study,), claim.variant, claim.among or _variants(claim.study, config))
    for cell in cells(claim):
        yield from _cell_faults(cell, config, whole=isinstance(claim, Best | RankCorrelation | Probed))


def _cell_faults(cell: str, config: Config, *, whole: bool) -> Iterable[str]:
    """Return what is wrong with a cell; with ``whole``, a study alone is one."""
    kind, *rest = cell.split("/")
    if not of_runs(cell):
        known = getattr(config.settings, kind)
        if len(rest) != 4:
            yield f"{cell!r}; allowed: {kind}/<name>/<variant>/…, of five parts"
        elif rest[0] not in known:
            yield choice_fault((kind,), rest[0], known)
        else:
            yield from _parts(kind, known[rest[0]], *rest)
    elif kind not in config.settings.studies:
        yield choice_fault(("study",), kind, config.settings.studies)
    elif rest:
        yield from _unknown((kind,), "/".join(rest), _variants(kind, config))
    elif not whole:
        yield f"{cell!r}; allowed: <study>/<variant>, or a name of best_of"


def _parts(kind: str, frame: Any, name: str, variant: str, *rest: str) -> Iterable[str]:
    """Return which parts of a cell a pruning or an interpretation lacks."""
    path = (kind, name)
    if kind == "interpretations":
        yield from _unknown(path, variant, frame.variants)
        yield from _unknown(path, rest[0], frame.view.grad_cam)
        yield from _unknown(path, rest[1], COLUMNS)
        return
    yield from _unknown(path, variant, frame.methods)
    yield from _unknown(path, rest[0], frame.methods.get(variant, [rest[0]]))
    yield from _unknown(path, rest[1], [f"{percent:g}" for percent in frame.settings.percents])


def _unknown(path: tuple[str, ...], given: str, choices: Iterable[str]) -> Iterable[str]:
    choices = list(choices)
    if given not in choices:
        yield choice_fault(path, given, choices)


def _variants(study: str, config: Config) -> list[str]:
    return list(config.settings.studies[study].variants)
