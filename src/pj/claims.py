"""The claims of a report or paper as data: its words, what measures them, and when they hold.

Imports no torch and no pandas: the workflow parses this. `pj.verdicts` judges claims by what was measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from pj import yaml_files
from pj.components import Positive, Strict
from pj.config import Config, ConfigError
from pj.faults import choice_fault, faults_of

Quantity = Literal[
    "last",
    "selected",
    "best_test",
    "validation",
    "train_running",
    "train",
    "gap",  # train - selected
    "seconds",
    "epochs_to_70",
]
Cells = Annotated[dict[str, float], Field(min_length=1)]
MARGIN = 0.5  # percentage points within which accuracies count as equal


class Statement(Strict):
    """What all claims have: where they stand and what they say."""

    id: Annotated[int, Field(ge=1)]
    report: str
    section: str = ""
    statement: str
    reported: float | None = None  # the report's number for the statistic
    note: str = ""  # what a reader should know about the measurement


class Contrast(Statement):
    """A weighted sum of cells, paired by seed, against ``than``.

    A cell is ``study/variant`` (of which ``quantity`` is taken), of test accuracy
    ``prunings/<name>/<variant>/<order>/<percent>``, or ``interpretations/<name>/<variant>/<layer>/<column>``.
    With ``ratio`` the sum is of logarithms, and ``reported``, ``than`` and the result are ratios.
    """

    statistic: Literal["contrast"]
    contrast: Cells
    quantity: Quantity = "best_test"
    expect: Literal["above", "below", "same"]
    than: float = 0.0
    margin: Positive = MARGIN
    ratio: bool = False


class Best(Statement):
    """A variant has the highest mean of a study in at least 95 % of bootstraps over seeds."""

    statistic: Literal["best"]
    study: str
    variant: str
    among: list[str] = Field(default=[])  # all of the study if empty
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
    row: dict[str, str]  # trajectory, quantity, line, grid, layer: those that single out a row
    expect: Literal["above", "below"]


class Unmeasured(Statement):
    """A claim that nothing here measures yet; ``note`` says why."""

    statistic: Literal["unmeasured"]


Claim = Annotated[
    Contrast | Best | RankCorrelation | Diverged | Probed | Unmeasured, Field(discriminator="statistic")
]


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
        claims = TypeAdapter(Claims).validate_python(content).claims
    except ValidationError as error:
        raise ConfigError([f"{path.name}: {fault}" for fault in faults_of(error, Claims, ())]) from None
    found = [
        f"{path.name}: claim {claim.id}: {fault}" for claim in claims for fault in _faults(claim, config)
    ]
    seen: set[int] = set()
    for claim in claims:
        if claim.id in seen:
            found.append(f"{path.name}: claim {claim.id}: its id is given twice")
        seen.add(claim.id)
    if found:
        raise ConfigError(found)
    return claims


def cells(claim: Claim) -> list[str]:
    """Return the cells that a claim is about; of a whole study, its name."""
    match claim:
        case Contrast():
            return list(claim.contrast)
        case Diverged():
            return claim.cells
        case Best():
            return [f"{claim.study}/{name}" for name in claim.among] or [claim.study]
        case RankCorrelation() | Probed():
            return [claim.study]
        case Unmeasured():
            return []


def study_of(cell: str, config: Config) -> str | None:
    """Return the study that a cell's runs belong to; None if there is none."""
    first, *rest = cell.split("/")
    settings = config.settings
    if first == "prunings" and rest and rest[0] in settings.prunings:
        return settings.prunings[rest[0]].study
    if first == "interpretations" and rest and rest[0] in settings.interpretations:
        return settings.interpretations[rest[0]].study
    return first if first in settings.studies else None


def tables(claims: Iterable[Claim], config: Config) -> list[str]:
    """Return the tables that claims are judged by, below results: those of what they name, and no others."""
    found: dict[str, None] = {}
    for claim in claims:
        for cell in cells(claim):
            study = study_of(cell, config)
            found[f"studies/{study}/runs.csv"] = None
            if isinstance(claim, Probed):
                found[f"studies/{study}/probes_table.csv"] = None
            kind, *rest = cell.split("/")
            if kind in ("prunings", "interpretations"):
                found[f"{kind}/{rest[0]}/table.csv"] = None
    return list(found)


def _faults(claim: Claim, config: Config) -> Iterable[str]:
    settings = config.settings
    for cell in cells(claim):
        kind, *rest = cell.split("/")
        if kind in ("prunings", "interpretations"):
            known = settings.prunings if kind == "prunings" else settings.interpretations
            if len(rest) != 4:
                yield f"{cell!r}; allowed: {kind}/<name>/<variant>/…, of five parts"
            elif rest[0] not in known:
                yield choice_fault((kind,), rest[0], known)
        elif kind not in settings.studies:
            yield choice_fault(("study",), kind, settings.studies)
        elif rest and rest[0] not in settings.studies[kind].variants:
            yield choice_fault((kind,), rest[0], settings.studies[kind].variants)
