"""From claims and evidence to verdicts: what reproduced, and how sure that is.

Differences are paired by seed and tested with a t test, adjusted by Holm's method within a study; two
one-sided tests say where a difference is equivalent to none. What was measured at a reduced scale says
nothing about a report's numbers, and a single seed has no interval: neither can confirm or refute anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pj import statistics
from pj.claims import (
    Best,
    Claim,
    Contrast,
    Diverged,
    Probed,
    RankCorrelation,
    cells,
    looks,
    of_runs,
    study_of,
)
from pj.config import Config
from pj.evidence import Evidence
from pj.measurements import Measurement, measure

Verdict = Literal[
    "reproduced",
    "direction only",
    "equivalent",
    "reversed",
    "inconclusive",
    "not testable at this scale",
    "not run",
]
NOT_TESTABLE: Verdict = "not testable at this scale"
ALPHA = 0.05
FEWEST = 3  # seeds to draw bootstraps from: of two, a draw in two repeats one of them


@dataclass(frozen=True, kw_only=True)
class Judgement(Measurement):
    """A claim's verdict with the numbers it rests on, ``p`` after Holm's adjustment.

    ``source`` names where they were measured, ``also`` holds the further looks at the claim, ``elsewhere``
    what other machines or scales came to, which the verdict does not rest on.
    """

    claim: Claim
    verdict: Verdict = "not run"
    source: str = ""
    also: tuple[Judgement, ...] = ()
    elsewhere: tuple[Judgement, ...] = ()


def judge(claims: Sequence[Claim], sources: Sequence[Evidence], config: Config) -> list[Judgement]:
    """Return a verdict for each claim.

    Each source is judged by itself: results of several machines never mix in a mean. Of several that
    measured a claim the verdict is that of full scale before reduced ones, then of most seeds, then of the
    first, whatever it says; the others stand beside it.
    """
    by_source = [_judge(claims, evidence, config) for evidence in sources]
    return [_strongest(found) for found in zip(*by_source, strict=True)]


def _strongest(found: Sequence[Judgement]) -> Judgement:
    measured = [judgement for judgement in found if judgement.value is not None]
    if not measured:
        return found[0]
    best = max(measured, key=lambda judgement: (judgement.verdict != NOT_TESTABLE, judgement.seeds))
    return replace(best, elsewhere=tuple(other for other in measured if other is not best))


def _judge(claims: Sequence[Claim], evidence: Evidence, config: Config) -> list[Judgement]:
    """Return a verdict for each claim and for each further look at it, from one source."""
    every = [look for claim in claims for look in looks(claim)]
    measured = [
        Judgement(claim=look, source=evidence.name, **vars(measure(look, evidence))) for look in every
    ]
    judged = iter([_verdict(found, config, evidence) for found in _adjusted(measured, config)])
    return [replace(next(judged), also=tuple(next(judged) for _ in claim.also)) for claim in claims]


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


def _verdict(found: Judgement, config: Config, evidence: Evidence) -> Judgement:
    """Settle what stands before any statistics, then the statistic's own verdict."""
    missing = _missing(found.claim, evidence)
    if found.value is None:
        return replace(found, verdict="not run", notes=(*found.notes, *missing))
    notes = (*found.notes, *_diverged_runs(found.claim, evidence), *missing)
    notes += _same_images(found.claim, config, evidence)
    verdict = NOT_TESTABLE if _reduced(found.claim, config, evidence) else _open_verdict(found)
    return replace(found, verdict=verdict, notes=notes)


def _missing(claim: Claim, evidence: Evidence) -> tuple[str, ...]:
    """Name the cells of which there is nothing, or no complete run."""

    def there(cell: str) -> bool:
        if "/" not in cell:
            return len(evidence.runs(cell)) > 0
        if not of_runs(cell):
            return bool(evidence.values(cell, ""))
        return bool(set(evidence.states(cell).values()) - {"missing"})

    return tuple(f"not run: {cell}" for cell in cells(claim) if not there(cell))


def _diverged_runs(claim: Claim, evidence: Evidence) -> tuple[str, ...]:
    """Count the diverged runs of a claim's cells, which enter no mean."""
    if isinstance(claim, Diverged):
        return ()
    counts = {
        cell: list(evidence.states(cell).values()).count("diverged")
        for cell in cells(claim)
        if "/" in cell and of_runs(cell)
    }
    return tuple(f"diverged, in no mean: {n} of {cell}" for cell, n in counts.items() if n)


def _same_images(claim: Claim, config: Config, evidence: Evidence) -> tuple[str, ...]:
    """Return McNemar's test of a variant against its study's reference, network by network.

    It says whether these very networks differ on these test images, and nothing about another seed: a
    secondary beside the interval over seeds.
    """
    if not isinstance(claim, Contrast) or sorted(claim.contrast.values()) != [-1, 1] or claim.best_of:
        return ()
    variant, reference = sorted(claim.contrast, key=lambda cell: -claim.contrast[cell])
    study, name = reference.split("/")[:2]
    if not of_runs(variant) or variant.split("/")[0] != study:
        return ()
    if config.settings.studies[study].reference != name:
        return ()
    first, second = (evidence.values(variant, c) for c in ("right_alone", "reference_right_alone"))
    tests = [f"{statistics.mcnemar(int(first[s]), int(second[s])):.2g}" for s in first if s in second]
    return (
        (f"McNemar, these very networks on the test images: p by seed {', '.join(tests)}",) if tests else ()
    )


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
            if found.value is None or found.seeds < FEWEST or ALPHA < found.value < 1 - ALPHA:
                return "inconclusive"
            return "reproduced" if found.value >= 1 - ALPHA else "reversed"
        case Contrast():
            return _of_difference(found, claim)
        case RankCorrelation() | Probed():
            return _of_interval(found, claim.expect)
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
        return _directed(found, claim.expect, above=found.value > found.neutral)
    return "equivalent" if equivalent else "inconclusive"


def _of_interval(found: Judgement, expect: str) -> Verdict:
    """Return the verdict of an interval against the value of no effect."""
    if found.low is None or found.high is None or found.low <= found.neutral <= found.high:
        return "inconclusive"
    return _directed(found, expect, above=found.low > found.neutral)


def _directed(found: Judgement, expect: str, *, above: bool) -> Verdict:
    """Return the verdict of what is surely above the value of no effect, or surely below."""
    if above != (expect == "above"):
        return "reversed"
    return "reproduced" if _number_fits(found) else "direction only"


def _number_fits(found: Judgement) -> bool:
    """Whether the report's number is one that a single run could have given; true if it prints none."""
    reported = found.claim.reported
    if reported is None or found.predicted is None:
        return reported is None
    return found.predicted[0] <= reported <= found.predicted[1]
