"""From claims and evidence to verdicts: what reproduced, and how sure that is.

Differences are paired by seed and tested with a t test, adjusted by Holm's method within a study; two
one-sided tests say where a difference is equivalent to none. What was measured at a reduced scale says
nothing about a report's numbers, and a single seed has no interval: neither can confirm or refute anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from typing import Any, Literal

import numpy as np
from scipy import stats

from pj import statistics
from pj.claims import Best, Claim, Contrast, Diverged, Probed, RankCorrelation, cells, study_of
from pj.config import Config
from pj.evidence import Evidence

Verdict = Literal[
    "reproduced",
    "direction only",
    "equivalent",
    "reversed",
    "inconclusive",
    "not testable at this scale",
    "not run",
]
ALPHA = 0.05
SHARE_BEST = 0.95  # of bootstraps


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict, with the numbers it rests on; what cannot be had is None.

    ``value`` is the statistic, ``low`` … ``high`` its 95 % interval, ``predicted`` where one more run (of the
    report's kind: a single one) would lie with 95 %, ``p`` the p value against ``than`` after Holm's
    adjustment, ``p_equivalent`` that of equivalence, ``seeds`` how many stand behind it.
    """

    claim: Claim
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    predicted: tuple[float, float] | None = None
    p: float | None = None
    p_equivalent: float | None = None
    seeds: int = 0
    values: dict[int, float] = field(default_factory=dict)  # by seed, where the statistic has one a seed
    notes: tuple[str, ...] = ()


def judge(claims: Sequence[Claim], evidence: Evidence, config: Config) -> list[Judgement]:
    """Return a verdict for each claim."""
    measured = [_measure(claim, evidence) for claim in claims]
    adjusted = _adjusted(measured, config)
    return [_verdict(judgement, config, evidence) for judgement in adjusted]


def _adjusted(judgements: Sequence[Judgement], config: Config) -> list[Judgement]:
    """Adjust the p values of the claims about one study for their number (Holm)."""
    families: dict[str | None, list[int]] = {}
    for i, judgement in enumerate(judgements):
        named = cells(judgement.claim)
        families.setdefault(study_of(named[0], config) if named else None, []).append(i)
    found = list(judgements)
    for members in families.values():
        for i, p in zip(members, statistics.holm([found[i].p for i in members]), strict=True):
            found[i] = replace(found[i], p=p)
    return found


def _measure(claim: Claim, evidence: Evidence) -> Judgement:
    """Return the numbers of a claim; its verdict is still open."""
    measures: dict[type[Any], Callable[[Any, Evidence], Judgement]] = {
        Contrast: _contrast,
        Best: _best,
        RankCorrelation: _rank_correlation,
        Diverged: _diverged,
        Probed: _probed,
    }
    measure = measures.get(type(claim))
    if measure is None:
        return Judgement(claim, "not run", notes=(claim.note,) if claim.note else ())
    return measure(claim, evidence)


def _verdict(found: Judgement, config: Config, evidence: Evidence) -> Judgement:
    """Settle what stands before any statistics, then the statistic's own verdict."""
    missing = _missing(found, evidence)
    if found.value is None:
        return replace(found, verdict="not run", notes=(*found.notes, *missing))
    found = replace(found, notes=(*found.notes, *_diverged_runs(found.claim, evidence)))
    if _reduced(found.claim, config, evidence):
        return replace(found, verdict="not testable at this scale")
    if missing:
        found = replace(found, notes=(*found.notes, *missing))
    return replace(found, verdict=_open_verdict(found))


def _missing(found: Judgement, evidence: Evidence) -> tuple[str, ...]:
    """Name the cells of which there is nothing, or no complete run."""
    named = []
    for cell in cells(found.claim):
        if "/" not in cell:
            if not len(evidence.runs(cell)):
                named.append(f"not run: {cell}")
        elif not _of_runs(cell) and not evidence.values(cell, ""):
            named.append(f"not run: {cell}")
        elif _of_runs(cell):
            states = set(evidence.states(cell).values())
            if not states - {"missing"}:
                named.append(f"not run: {cell}")
    return tuple(named)


def _of_runs(cell: str) -> bool:
    return cell.split("/")[0] not in ("prunings", "interpretations")


def _diverged_runs(claim: Claim, evidence: Evidence) -> tuple[str, ...]:
    """Count the diverged runs of a claim's cells, which enter no mean."""
    if isinstance(claim, Diverged):
        return ()
    counts = {
        cell: list(evidence.states(cell).values()).count("diverged")
        for cell in cells(claim)
        if "/" in cell and _of_runs(cell)
    }
    return tuple(f"diverged, in no mean: {n} of {cell}" for cell, n in counts.items() if n)


def _reduced(claim: Claim, config: Config, evidence: Evidence) -> bool:
    """Whether any run of a claim's studies was made with something taken away."""
    studies = {study_of(cell, config) for cell in cells(claim)}
    return any(set(evidence.runs(s).get("scale", ())) - {"full"} for s in studies if s)


def _open_verdict(found: Judgement) -> Verdict:
    claim = found.claim
    match claim:
        case Diverged():
            share = 1.0 if claim.expect == "all" else 0.0
            return (
                "reproduced"
                if found.value == share
                else "reversed"
                if found.value == 1 - share
                else "inconclusive"
            )
        case Best():
            if found.value is not None and found.value >= SHARE_BEST and found.seeds > 1:
                return "reproduced"
            return "reversed" if found.high is not None and found.high >= SHARE_BEST else "inconclusive"
        case Contrast():
            return _of_difference(found, claim)
        case RankCorrelation() | Probed():
            return _of_interval(found, claim.expect, 0.0 if isinstance(claim, RankCorrelation) else None)
    return "inconclusive"


def _of_difference(found: Judgement, claim: Contrast) -> Verdict:
    """Return the verdict of a paired difference, whose interval and p value are there from two seeds on."""
    if found.p is None or found.value is None:
        return "inconclusive"
    equivalent = found.p_equivalent is not None and found.p_equivalent < ALPHA
    if claim.expect == "same":
        if equivalent:
            return "reproduced"
        return "reversed" if found.p < ALPHA else "inconclusive"
    if found.p < ALPHA:
        above = found.value > claim.than
        if above != (claim.expect == "above"):
            return "reversed"
        return "reproduced" if _number_fits(found, claim) else "direction only"
    return "equivalent" if equivalent else "inconclusive"


def _number_fits(found: Judgement, claim: Contrast) -> bool:
    """Whether the report's number is one that a single run could have given; true if it prints none."""
    if claim.reported is None or found.predicted is None:
        return claim.reported is None
    return found.predicted[0] <= claim.reported <= found.predicted[1]


def _of_interval(found: Judgement, expect: str, than: float | None) -> Verdict:
    """Return the verdict of an interval against a value (None: 1, of a ratio)."""
    value = 1.0 if than is None else than
    if found.low is None or found.high is None:
        return "inconclusive"
    if found.low <= value <= found.high:
        return "inconclusive"
    return "reproduced" if (found.low > value) == (expect == "above") else "reversed"


def _contrast(claim: Contrast, evidence: Evidence) -> Judgement:
    found = {cell: evidence.values(cell, claim.quantity) for cell in claim.contrast}
    shared = sorted(set.intersection(*(set(values) for values in found.values())))
    if not shared:
        return Judgement(claim, "not run")
    into, back = (log, exp) if claim.ratio else (float, float)
    than = into(claim.than) if not claim.ratio or claim.than > 0 else 0.0
    sums = {
        seed: sum(weight * into(found[cell][seed]) for cell, weight in claim.contrast.items())
        for seed in shared
    }
    tested = statistics.compare([value - than for value in sums.values()], claim.margin)
    if tested is None:
        return Judgement(claim, "not run")
    mean, half = tested.estimate.mean + than, tested.estimate.half_width
    predicted = statistics.prediction_interval(list(sums.values()))
    return Judgement(
        claim,
        "inconclusive",
        value=back(mean),
        low=None if half is None else back(mean - half),
        high=None if half is None else back(mean + half),
        predicted=predicted and (back(predicted[0]), back(predicted[1])),
        p=tested.different,
        p_equivalent=tested.equivalent,
        seeds=len(sums),
        values={seed: back(value) for seed, value in sums.items()},
        notes=() if len(sums) > 1 else ("a single seed: no interval",),
    )


def _wide(
    study: str, quantity: str, evidence: Evidence, among: Sequence[str] = ()
) -> dict[str, dict[int, float]]:
    """Return what a study's variants came to, by seed, those that have anything."""
    names = list(among) or list(dict.fromkeys(evidence.runs(study)["variant"]))
    found = {name: evidence.values(f"{study}/{name}", quantity) for name in names}
    return {name: values for name, values in found.items() if values}


def _best(claim: Best, evidence: Evidence) -> Judgement:
    """``value`` is the share of bootstraps in which the variant is best, ``high`` that of the best rival."""
    found = _wide(claim.study, claim.quantity, evidence, claim.among)
    if claim.variant not in found or len(found) < 2:
        return Judgement(claim, "not run")
    shared = sorted(set.intersection(*(set(values) for values in found.values())))
    if not shared:
        return Judgement(claim, "not run")
    names = list(found)
    shares = statistics.bootstrap_best(np.array([[found[name][seed] for name in names] for seed in shared]))
    by_name = dict(zip(names, shares.tolist(), strict=True))
    rival = max((name for name in names if name != claim.variant), key=by_name.__getitem__)
    notes = (f"best rival: {rival}, in {100 * by_name[rival]:.0f} % of bootstraps",)
    if len(shared) < 2:
        notes = ("a single seed: nothing to draw from",)
    high = by_name[rival] if len(shared) > 1 else None
    return Judgement(claim, "inconclusive", by_name[claim.variant], high=high, seeds=len(shared), notes=notes)


def _rank_correlation(claim: RankCorrelation, evidence: Evidence) -> Judgement:
    """Spearman's correlation a seed, over the variants; its mean and t interval over seeds."""
    found = _wide(claim.study, claim.quantity, evidence)
    runs = evidence.runs(claim.study)
    if len(found) < 3:
        return Judgement(claim, "not run")
    parameters = runs.groupby("variant")["parameters"].first()
    shared = sorted(set.intersection(*(set(values) for values in found.values())))
    by_seed = {
        seed: float(
            stats.spearmanr([parameters[n] for n in found], [found[n][seed] for n in found]).statistic
        )
        for seed in shared
    }
    estimated = statistics.estimate(list(by_seed.values()))
    if estimated is None:
        return Judgement(claim, "not run")
    half = estimated.half_width
    notes = (f"over {len(found)} variants", *(() if len(shared) > 1 else ("a single seed: no interval",)))
    return Judgement(
        claim,
        "inconclusive",
        value=estimated.mean,
        low=None if half is None else estimated.mean - half,
        high=None if half is None else estimated.mean + half,
        seeds=len(shared),
        values=by_seed,
        notes=notes,
    )


def _diverged(claim: Diverged, evidence: Evidence) -> Judgement:
    """``value`` is the share of runs that diverged."""
    states = [s for cell in claim.cells for s in evidence.states(cell).values() if s != "missing"]
    if not states:
        return Judgement(claim, "not run")
    count = states.count("diverged")
    notes = (f"{count} of {len(states)} runs diverged",)
    return Judgement(claim, "inconclusive", count / len(states), seeds=len(states), notes=notes)


def _probed(claim: Probed, evidence: Evidence) -> Judgement:
    """The ratio with / without batch norm of one row of the study's probes, with its interval over seeds."""
    table = evidence.table("studies", claim.study, "probes_table.csv")
    if table is None:
        return Judgement(claim, "not run")
    for column, value in claim.row.items():
        table = table[table[column].fillna("") == value]
    if len(table) != 1:
        return Judgement(claim, "not run", notes=(f"{len(table)} rows of the study's probes fit, not one",))
    row = table.iloc[0]
    seeds = int(row["seeds"]) if row["seeds"] == row["seeds"] else 0

    def number(column: str) -> float | None:
        return None if row[column] != row[column] else float(row[column])

    notes = () if seeds > 1 else ("a single seed: no interval",)
    return Judgement(
        claim,
        "inconclusive",
        number("ratio"),
        number("ratio_low"),
        number("ratio_high"),
        seeds=seeds,
        notes=notes,
    )
