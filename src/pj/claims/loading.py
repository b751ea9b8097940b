"""Reading claims.yaml, and reporting all its faults before any job starts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from pj.claims import units
from pj.claims.schema import (
    FEWEST_COMPARED,
    KINDS,
    MARGIN,
    Best,
    Claim,
    Claims,
    Contrast,
    Probed,
    RankCorrelation,
    cells,
    checks,
    of_runs,
)
from pj.config import yaml_files
from pj.config.analyses import ANALYSES
from pj.config.analyses.declaration import AnalysisSettings
from pj.config.loading import Config, ConfigError
from pj.config.messages import choice_fault, faults_of, with_removed

ABOUT = {  # statistics of a quantity
    get_args(kind.model_fields["statistic"].annotation)[0]
    for kind in KINDS
    if "quantity" in kind.model_fields
}


def of(config: Config) -> list[Claim]:
    """Return the claims that a configuration names, none if it names no file. Errors are those of `load`."""
    return load(Path(config.settings.claims), config) if config.settings.claims else []


def load(path: Path, config: Config) -> list[Claim]:
    """Read claims; ConfigError lists all faults: what is malformed, and names of what does not exist."""
    content, faults = yaml_files.read(path)
    if faults:
        raise ConfigError(faults)
    try:
        claims = TypeAdapter(Claims).validate_python(_inherited(content)).claims
    except ValidationError as error:
        faults = [f"{path.name}: {_by_id(fault, content)}" for fault in faults_of(error, Claims, ())]
        raise ConfigError(faults) from None
    found = [
        f"{path.name}: claim {claim.id}: {fault}"
        for claim in claims
        for check in checks(claim)
        for fault in _faults(check, config)
    ]
    seen: set[int] = set()
    for claim in claims:
        if claim.id in seen:
            found.append(f"{path.name}: claim {claim.id}: its id is given twice")
        seen.add(claim.id)
    if found:
        raise ConfigError(with_removed(dict.fromkeys(found), config.removed))
    return claims


def _by_id(fault: str, content: dict[str, Any]) -> str:
    """Name a claim by its id instead of its place in the list."""

    def name(found: re.Match[str]) -> str:
        claim = content["claims"][int(found[1])]
        known = isinstance(claim, dict) and "id" in claim
        return f"claim {claim['id']}: " if known else f"claims, entry {int(found[1]) + 1}: "

    return re.sub(r"^claims\.(\d+)[.:] ?", name, fault)


def _inherited(content: dict[str, Any]) -> dict[str, Any]:
    """Give claims without a quantity that of the file, and entries of ``also`` the keys of their claim."""
    common = {"quantity": content["quantity"]} if "quantity" in content else {}

    def about(claim: dict[str, Any]) -> dict[str, Any]:
        statistic = claim.get("statistic")  # of a wrong type, it is reported with the other faults
        return (common if isinstance(statistic, str) and statistic in ABOUT else {}) | claim

    def whole(claim: Any) -> Any:
        if not isinstance(claim, dict):
            return claim
        shared = {key: claim[key] for key in ("id", "report", "section") if key in claim}
        also = claim.get("also")
        if isinstance(also, list):
            claim = claim | {"also": [about(shared | x) if isinstance(x, dict) else x for x in also]}
        return about(claim)

    listed = content.get("claims")
    return content | {"claims": [whole(claim) for claim in listed]} if isinstance(listed, list) else content


def _faults(claim: Claim, config: Config) -> Iterable[str]:
    if any(check.also for check in claim.also):
        yield "also: an entry of also cannot have an also of its own"
    if isinstance(claim, Contrast):
        unused = [name for name in claim.best_of if name not in claim.contrast]
        yield from (choice_fault(("best_of",), name, claim.contrast) for name in unused)
    if isinstance(claim, Probed) and (study := config.settings.studies.get(claim.study)) and not study.probes:
        yield f"study: {claim.study} has no probes, whose table this statistic reads"
    if isinstance(claim, Best) and claim.study in config.settings.studies:
        yield from _unknown((claim.study,), claim.variant, claim.among or _variants(claim.study, config))
        if len(claim.among or _variants(claim.study, config)) < FEWEST_COMPARED:
            yield f"best: compares {FEWEST_COMPARED} variants or more; of two, test the difference (contrast)"
    whole = isinstance(claim, Best | RankCorrelation | Probed)
    faults = [fault for cell in cells(claim) for fault in _cell_faults(cell, config, whole=whole)]
    yield from faults
    if isinstance(claim, Contrast) and not faults:
        yield from _lacks_margin(claim)


def _lacks_margin(claim: Contrast) -> Iterable[str]:
    """Yield a fault if a claim relies on the margin of percentage points, and its values are others."""
    if "margin" in claim.model_fields_set:
        return
    measured = dict.fromkeys(units.of_quantity(units.quantity(claim, cell)) for cell in cells(claim))
    if others := [unit for unit in measured if unit != units.POINTS]:
        yield f"margin: required, since the default of {MARGIN} is for percentage points, not: {others[0]}"


def _cell_faults(cell: str, config: Config, *, whole: bool) -> Iterable[str]:
    """Return the faults of a cell; with ``whole``, the name of a study is allowed too."""
    kind, *rest = cell.split("/")
    if not of_runs(cell):
        known, parts = config.analyses(kind), 3 + ANALYSES[kind].cells.parts
        if len(rest) + 1 != parts:
            yield f"{cell!r}; allowed: {kind}/<name>/<variant>/…, with {parts} parts"
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


def _parts(kind: str, frame: AnalysisSettings, name: str, variant: str, *rest: str) -> Iterable[str]:
    """Return which parts of a cell do not exist in an analysis."""
    path = (kind, name)
    if variant not in frame.analysed():
        yield choice_fault(path, variant, frame.analysed())
        return
    for part, choices in zip(rest, ANALYSES[kind].cell_choices(frame, variant), strict=True):
        yield from _unknown(path, part, choices)


def _unknown(path: tuple[str, ...], given: str, choices: Iterable[str]) -> Iterable[str]:
    choices = list(choices)
    if given not in choices:
        yield choice_fault(path, given, choices)


def _variants(study: str, config: Config) -> list[str]:
    return list(config.settings.studies[study].variants)
