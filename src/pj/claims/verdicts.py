"""From claims and evidence to verdicts: what was reproduced, and how certain that is.

Differences are paired by seed and tested with a t test, adjusted by Holm's method within a study; two
one-sided tests say where a difference is equivalent to none. Seeds may be added after a look at the verdicts
(`pj.claims.looks`). What was measured at a reduced scale says
nothing about a report's numbers (exceptions: `pj.claims.scales`), and a single seed has no interval: neither
can confirm or refute anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import Literal

from pj import statistics
from pj.claims import looks, scales, units
from pj.claims.evidence import Evidence
from pj.claims.looks import ALPHA, Level
from pj.claims.results import Result, result
from pj.claims.schema import (
    Best,
    Claim,
    Contrast,
    Diverged,
    Probed,
    RankCorrelation,
    cells,
    checks,
    of_runs,
    single_cells,
    study_of,
)
from pj.claims.units import ACCURACIES
from pj.config.loading import Config

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
FEWEST = 5  # seeds for a bootstrap: with fewer, a draw repeats some of them too often
HELD = ("reproduced", "direction only")
TESTED = (Contrast, RankCorrelation, Probed)  # kinds of claims that have a p value


@dataclass(frozen=True, kw_only=True)
class Judgement(Result):
    """A claim's verdict with the numbers it is based on, ``p`` after Holm's adjustment.

    ``level`` is that of its test (`pj.claims.looks`). ``source`` names where they were measured, ``also``
    holds the claim's further checks, ``elsewhere`` the results of other machines or scales, which do not
    enter the verdict.
    """

    claim: Claim
    cells: tuple[str, ...] = ()  # what it is about, a whole study replaced by its variants
    verdict: Verdict = "not run"
    level: float = ALPHA
    source: str = ""
    full_scale: bool = False  # of all runs of its studies
    also: tuple[Judgement, ...] = ()
    elsewhere: tuple[Judgement, ...] = ()


def judge(claims: Sequence[Claim], sources: Sequence[Evidence], config: Config) -> list[Judgement]:
    """Return a verdict for each claim.

    Each source is judged by itself: a mean never mixes results of several machines. If several sources
    measured a claim or a further check, the verdict is that of full scale, then of a reduced one that decides
    it (`pj.claims.scales`), then of others; among these of the most seeds, then of the first, whatever it
    says. The others are listed beside it.
    """
    every = [check for claim in claims for check in checks(claim)]
    by_source = [_judge(every, evidence, config) for evidence in sources]
    judged = iter([_strongest(found) for found in zip(*by_source, strict=True)])
    found = [replace(next(judged), also=tuple(next(judged) for _ in claim.also)) for claim in claims]
    return [_with_what_it_needs(judgement) for judgement in found]


def _strongest(found: Sequence[Judgement]) -> Judgement:
    measured = [judgement for judgement in found if judgement.verdict != "not run"]
    if not measured:
        return found[0]
    best = max(measured, key=_strength)
    return replace(best, elsewhere=tuple(other for other in measured if other is not best))


def _strength(found: Judgement) -> tuple[bool, bool, int]:
    return found.verdict != NOT_TESTABLE, found.full_scale, found.seeds


def _with_what_it_needs(found: Judgement) -> Judgement:
    """Make a verdict at most inconclusive if a check that it needs does not hold."""
    lacking = [check for check in found.also if check.claim.needed and check.verdict not in HELD]
    if found.verdict not in HELD or not lacking:
        return found
    notes = tuple(f"needed check: {check.claim.statement} ({check.verdict})" for check in lacking)
    return replace(found, verdict="inconclusive", notes=(*found.notes, *notes))


def _judge(every: Sequence[Claim], evidence: Evidence, config: Config) -> list[Judgement]:
    """Return a verdict for each claim and each further check, from one source."""
    now, earlier = looks.finished(every, evidence, config), looks.read(evidence.folder)
    measured = []
    for check in every:
        look = looks.of_claim(check, now)
        level = looks.level([looks.of_claim(check, before) for before in earlier], look)
        found = result(check, evidence, level.alpha)
        numbers = vars(found) | {"notes": (*found.notes, *_added(level, look.seeds)), "level": level.alpha}
        measured.append(Judgement(claim=check, source=evidence.name, **numbers))
    return [_verdict(found, config, evidence) for found in _adjusted(measured, config)]


def _added(level: Level, now: looks.Seeds) -> tuple[str, ...]:
    """Say that the claim was judged before, with other seeds."""
    if not level.before:
        return ()
    seeds = f"judged before with {len(level.before)} seeds, now with {len(now)}"
    if not level.alpha:
        return (f"{seeds}: seeds that were seen may not be left out",)
    return (f"{seeds}: tested at a level of {level.alpha:.2g}",)


def family(claim: Claim, config: Config) -> str | None:
    """Return the study with whose other claims a claim is adjusted: that of its first cell."""
    named = cells(claim)
    return study_of(named[0], config) if named else None


def _adjusted(judgements: Sequence[Judgement], config: Config) -> list[Judgement]:
    """Adjust the p values of the claims about one study for their number (Holm), measured or not."""
    families: dict[str | None, list[int]] = {}
    for i, judgement in enumerate(judgements):
        if isinstance(judgement.claim, TESTED):
            families.setdefault(family(judgement.claim, config), []).append(i)
    found = list(judgements)
    for members in families.values():
        given = [1.0 if p is None else p for p in (found[i].p for i in members)]
        for i, p in zip(members, statistics.holm(given), strict=True):
            found[i] = replace(found[i], p=None if found[i].p is None else p)
    return found


def _verdict(found: Judgement, config: Config, evidence: Evidence) -> Judgement:
    """Decide first whether anything was run and at which scale, then by the statistic."""
    claim, named = found.claim, single_cells(found.claim, config)
    missing = tuple(f"not run: {cell}" for cell in named if not _has_finished_run(cell, evidence))
    if missing or not named:
        return Judgement(claim=claim, source=found.source, notes=missing)
    found = replace(found, cells=tuple(named))
    notes = (*found.notes, *_diverged_runs(claim, named, evidence))
    if found.value is None and not _measured(claim, named, evidence):
        return replace(found, verdict="not run", notes=notes)
    if found.value is not None:
        notes += _same_images(claim, config, evidence)
    at = scales.names(claim, config, evidence)
    if len(at) > 1:
        notes += (f"runs of several scales: {', '.join(sorted(at))}",)
    hindrance = scales.hindrance(claim, found.value, config, evidence)
    found = replace(found, full_scale=at == {"full"})
    verdict = NOT_TESTABLE if hindrance else decide(found)
    if claim.scale_free and not found.full_scale:
        why = f"which does not decide it: {hindrance}" if hindrance else f"which counts: {claim.scale_free}"
        notes += (f"measured at a reduced scale, {why}",)
    if verdict == "inconclusive":
        notes += _held_back(found)
    return replace(found, verdict=verdict, notes=notes)


def _held_back(found: Judgement) -> tuple[str, ...]:
    """Say that the adjusted p value decides where an interval, which is not adjusted, excludes no effect."""
    if None in (found.low, found.high, found.p) or found.low <= found.neutral <= found.high:  # type: ignore[operator]
        return ()
    if found.p < found.level:  # type: ignore[operator]
        return ()
    return (f"p = {found.p:.2g} after adjustment for the claims of this study; needed: {found.level:.2g}",)


def _has_finished_run(cell: str, evidence: Evidence) -> bool:
    """Whether a cell has a run that has finished, complete or diverged."""
    return bool(set(evidence.states(cell).values()) - {"missing"})


def _measured(claim: Claim, named: Sequence[str], evidence: Evidence) -> bool:
    """Whether every cell's complete runs, if it has any, have the quantity that a claim is about."""
    if isinstance(claim, Probed):
        return False  # its value is its only measurement
    quantity = getattr(claim, "quantity", "")
    complete = [cell for cell in named if "complete" in evidence.states(cell).values()]
    return all(evidence.values(cell, quantity) for cell in complete)


def _diverged_runs(claim: Claim, named: Sequence[str], evidence: Evidence) -> tuple[str, ...]:
    """Count the diverged runs of a claim's cells, which are excluded from means."""
    if isinstance(claim, Diverged):
        return ()
    counts = {cell: evidence.diverged(cell) for cell in named}
    return tuple(f"diverged, excluded from means: {n} of {cell}" for cell, n in counts.items() if n)


def _same_images(claim: Claim, config: Config, evidence: Evidence) -> tuple[str, ...]:
    """Return McNemar's test of a variant against its study's reference, one per seed.

    It says whether these particular networks differ on these test images, and nothing about another seed; it
    supplements the interval over seeds.
    """
    if not isinstance(claim, Contrast) or sorted(claim.contrast.values()) != [-1, 1] or claim.best_of:
        return ()
    if claim.quantity not in ACCURACIES:
        return ()
    variant, reference = sorted(claim.contrast, key=lambda cell: -claim.contrast[cell])
    study, name = reference.split("/")[:2]
    if not of_runs(variant) or variant.split("/")[0] != study:
        return ()
    if config.settings.studies[study].reference != name:
        return ()
    specs = {own.name: own.spec for own in config.study(study).variants}
    own, other = specs[variant.split("/")[1]].data, specs[name].data
    if (own.name, own.test) != (other.name, other.test):
        return ()  # the images are not the same ones
    first, second = (evidence.values(variant, c) for c in ("right_alone", "reference_right_alone"))
    tests = [f"{statistics.mcnemar(int(first[s]), int(second[s])):.2g}" for s in first if s in second]
    return (
        (f"McNemar's test of these networks on the test images: p by seed {', '.join(tests)}",)
        if tests
        else ()
    )


def decide(found: Judgement) -> Verdict:
    """Return the verdict of what was measured at a scale that can decide it, by statistic and level."""
    if not found.level:  # seeds were left out after a look
        return "inconclusive"
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
            if found.value is None or found.seeds < FEWEST:
                return "inconclusive"
            return (
                "reversed"
                if found.excluded
                else "reproduced"
                if found.value >= 1 - found.level
                else "inconclusive"
            )
        case Contrast():
            return _of_difference(found, claim)
        case RankCorrelation() | Probed():
            excludes = found.low is not None and not found.low <= found.neutral <= (found.high or 0)
            sure = excludes and found.p is not None and found.p < found.level
            return _directed(found, claim.expect) if sure else "inconclusive"
    return "inconclusive"


def _of_difference(found: Judgement, claim: Contrast) -> Verdict:
    """Return the verdict of a paired difference, which has an interval and a p value from two seeds on."""
    if found.p is None or found.value is None:
        return "inconclusive"
    if claim.expect == "reached":
        return _reached(found, claim)
    if claim.expect != "same" and found.low == found.high and not units.exact(claim):
        return "inconclusive"  # such as networks that all predict one class
    equivalent = found.p_equivalent is not None and found.p_equivalent < found.level
    if claim.expect == "same":
        if equivalent:
            return "reproduced"
        return "reversed" if found.p < found.level and not _within_margin(found, claim) else "inconclusive"
    if found.p < found.level:
        return _directed(found, claim.expect)
    return "equivalent" if equivalent else "inconclusive"


def _within_margin(found: Judgement, claim: Contrast) -> bool:
    """Whether the measured difference itself is too small to count as one."""
    return found.value is not None and abs(claim.difference(found.value, claim.than)) <= claim.tolerance


def _directed(found: Judgement, expect: str) -> Verdict:
    """Return the verdict of a value that is significantly above or below the value of no effect."""
    if found.value is None or (found.value > found.neutral) != (expect == "above"):
        return "reversed"
    return "reproduced" if _number_fits(found) else "direction only"


def _reached(found: Judgement, claim: Contrast) -> Verdict:
    """Return whether a run could give the report's number, once the mean is known to within the margin."""
    if found.value is None or found.high is None or found.low is None or found.p_reported is None:
        return "inconclusive"
    if found.p_reported < found.level:
        return "direction only" if claim.reported < found.value else "reversed"  # type: ignore[operator]
    # a stricter level makes it no easier to agree with the paper
    known = claim.difference(found.high, found.low) / 2 <= claim.tolerance
    return "reproduced" if known and found.p_reported >= ALPHA else "inconclusive"


def _number_fits(found: Judgement) -> bool:
    """Whether a single run could have given the report's number; true if it prints none."""
    reported = found.claim.reported
    if reported is None or found.predicted is None:
        return reported is None
    low, high = found.predicted
    return low <= reported <= high or isclose(low, reported) or isclose(high, reported)


def direction(found: Judgement) -> bool | None:
    """Return whether what was measured lies on the claimed side, however uncertain; None where there is none.

    Of a best variant: whether it is best in more bootstraps than any other.
    """
    claim, value = found.claim, found.value
    if value is None:
        return None
    match claim:
        case Best():
            return None if found.rival is None or value == found.rival else value > found.rival
        case Contrast(expect="above" | "below") | RankCorrelation() | Probed():
            return None if value == found.neutral else (value > found.neutral) == (claim.expect == "above")
    return None
