"""The statistic of each claim, computed from tables alone, with its interval and its p values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import exp, log
from typing import Any

import numpy as np

from pj import statistics
from pj.claims import units
from pj.claims.evidence import BySeed, Evidence
from pj.claims.schema import FEWEST_COMPARED, Best, Claim, Contrast, Diverged, Probed, RankCorrelation


@dataclass(frozen=True, kw_only=True)
class Result:
    """The numbers of a claim; None where there is no number.

    ``value`` is the statistic, ``low`` … ``high`` its 95 % interval, ``predicted`` the 95 % prediction
    interval of one more run (the report's own is a single run), ``p`` the p value against ``neutral``, the
    value of no effect, ``p_equivalent`` the p value of equivalence, ``p_reported`` that of the paper's number
    as one more run, ``seeds`` the number of seeds.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    neutral: float = 0.0
    predicted: tuple[float, float] | None = None
    p: float | None = None
    p_equivalent: float | None = None
    p_reported: float | None = None
    rival: float | None = None  # of the statistic best: the value of the best of the others
    excluded: bool = False  # of the statistic best: the bootstraps exclude that the variant is best
    seeds: int = 0
    values: dict[int, float] = field(default_factory=dict)  # by seed, where there is one value per seed
    notes: tuple[str, ...] = ()


SINGLE = ("a single seed: no interval",)
NO_SPREAD = ("no spread over seeds: a difference cannot be distinguished from noise",)


def result(claim: Claim, evidence: Evidence, level: float = 0.05) -> Result:
    """Return the numbers of a claim; ``level`` is that of the bootstraps' statement about its rivals."""
    kinds: dict[type[Any], Callable[[Any, Evidence], Result]] = {
        Contrast: _contrast,
        Best: partial(_best, level=level),
        RankCorrelation: _rank_correlation,
        Diverged: _diverged,
        Probed: _probed,
    }
    found = kinds.get(type(claim))
    return found(claim, evidence) if found else Result()


def _contrast(claim: Contrast, evidence: Evidence) -> Result:
    chosen = {name: _chosen(claim, name, evidence) for name in claim.contrast}
    found = {name: evidence.values(cell, claim.quantity) if cell else {} for name, cell in chosen.items()}
    notes = tuple(f"{name}: {cell} trains best" for name, cell in chosen.items() if cell and cell != name)
    shared = _shared(found)
    if not shared:
        return Result(notes=(*notes, *_nothing_shared(claim, found)))
    into, back = (log, exp) if claim.ratio else (float, float)
    than = into(claim.than)
    if claim.ratio and (bad := [s for s in shared if any(values[s] <= 0 for values in found.values())]):
        notes += (f"left out, since a ratio needs values above 0: seed {', '.join(map(str, bad))}",)
        shared = [seed for seed in shared if seed not in bad]
    sums = {
        seed: sum(weight * into(found[name][seed]) for name, weight in claim.contrast.items())
        for seed in shared
    }
    tested = statistics.compare([value - than for value in sums.values()], claim.tolerance)
    if tested is None:
        return Result(notes=notes)
    mean, half = tested.estimate.mean + than, tested.estimate.half_width
    predicted = statistics.prediction_interval(list(sums.values()))
    if claim.quantity == "epochs_to_70":
        never = {cell: evidence.never_reached_70(cell) for cell in chosen.values() if cell}
        counted = "did not reach 70 %, counted as one epoch more than the run had"
        notes += tuple(f"{counted}: {n} of {c}" for c, n in never.items() if n)
        if all(n == len(evidence.values(cell, claim.quantity)) for cell, n in never.items()):
            return Result(notes=(*notes, "no run reached 70 %, so nothing can be compared"))
    p_reported = None
    if claim.reported is not None:
        p_reported = statistics.p_of_one_more(list(sums.values()), into(claim.reported))
    return Result(
        value=back(mean),
        low=None if half is None else back(mean - half),
        high=None if half is None else back(mean + half),
        neutral=back(than),
        predicted=predicted and (back(predicted[0]), back(predicted[1])),
        p=tested.different,
        p_equivalent=tested.equivalent,
        p_reported=p_reported,
        seeds=len(sums),
        values={seed: back(value) for seed, value in sums.items()},
        notes=(*notes, *_spread(claim, tested, found)),
    )


def _spread(claim: Contrast, tested: statistics.Comparison, found: dict[str, BySeed]) -> tuple[str, ...]:
    """Say why there is no interval, or one of no width."""
    if tested.estimate.half_width is None:
        return _single(found)
    known = claim.expect == "same" or units.exact(claim)
    exact = known and tested.different is not None  # from three seeds on
    return NO_SPREAD if tested.estimate.half_width == 0 and not exact else ()


def _single(found: dict[str, BySeed], lacking: str = "interval") -> tuple[str, ...]:
    """Say that only one seed has a value for every variant."""
    seeds = len(set().union(*found.values()))
    return (f"{'a single seed' if seeds == 1 else f'one seed of {seeds} can be compared'}: no {lacking}",)


def _nothing_shared(claim: Contrast, found: dict[str, BySeed]) -> tuple[str, ...]:
    """Say why there is no seed to pair."""
    without = [name for name, values in found.items() if not values]
    if without:
        missing = ", ".join(dict.fromkeys(units.quantity(claim, name) for name in without))
        return (f"no complete run has a finite value of {missing}: {', '.join(without)}",)
    return ("no seed has a value for every variant",)


def _chosen(claim: Contrast, name: str, evidence: Evidence) -> str | None:
    """Return the cell that a name of a contrast means."""
    return evidence.trains_best(claim.best_of[name]) if name in claim.best_of else name


def _shared(found: dict[str, BySeed]) -> list[int]:
    """Return the seeds that all have in common."""
    return sorted(set.intersection(*map(set, found.values()))) if found else []


def _wide(study: str, quantity: str, evidence: Evidence, among: Sequence[str] = ()) -> dict[str, BySeed]:
    """Return the values of a study's variants by seed, without variants that have none."""
    names = list(among) or list(dict.fromkeys(evidence.runs(study)["variant"]))
    found = {name: evidence.values(f"{study}/{name}", quantity) for name in names}
    return {name: values for name, values in found.items() if values}


def _best(claim: Best, evidence: Evidence, level: float) -> Result:
    """``value`` is the share of bootstraps in which the variant is best.

    It is excluded if a rival is best in all but a share ``level`` of them; in an ordered study, if it lies
    outside the interval that contains the best in so many.
    """
    found = _wide(claim.study, claim.quantity, evidence, claim.among)
    shared = _shared(found)
    if claim.variant not in found or not shared:
        return Result()
    if len(found) < FEWEST_COMPARED:
        return Result(notes=(f"{len(found)} variants have values; compared are {FEWEST_COMPARED} or more",))
    names = list(found)
    shares = statistics.bootstrap_best(np.array([[found[name][seed] for name in names] for seed in shared]))
    by_name = dict(zip(names, shares.tolist(), strict=True))
    rival = max((name for name in names if name != claim.variant), key=by_name.__getitem__)
    if len(shared) < 2:
        return Result(seeds=1, notes=_single(found, "bootstrap"))
    notes = [f"best of the others: {claim.study}/{rival}, in {100 * by_name[rival]:.0f} % of bootstraps"]
    excluded = by_name[rival] >= 1 - level
    if claim.ordered:
        low, high = statistics.central(shares, 1 - level)
        often = f"{100 * (1 - level):.3g} % of bootstraps"
        notes.append(f"{often}: {claim.study}/{names[low]} … {claim.study}/{names[high]}")
        excluded = not low <= names.index(claim.variant) <= high
    return Result(
        value=by_name[claim.variant],
        rival=by_name[rival],
        excluded=excluded,
        seeds=len(shared),
        notes=tuple(notes),
    )


def _rank_correlation(claim: RankCorrelation, evidence: Evidence) -> Result:
    """Spearman's correlation over the variants, one per seed; its mean and t interval over seeds.

    That interval is about these variants only, and narrow where a few variants have the same order for every
    seed. Whether so strong an order could be chance is tested by the exact permutation test of the variants'
    means, whose p value is the claim's.
    """
    from scipy import stats  # takes a second to load

    found = _wide(claim.study, claim.quantity, evidence)
    shared = _shared(found)
    if len(found) < 3 or not shared:
        return Result()
    parameters = evidence.runs(claim.study).groupby("variant")["parameters"].first()
    sizes = [parameters[name] for name in found]

    def correlation(values: Sequence[float]) -> float:
        if len(set(values)) == 1:
            return float("nan")  # all equal: no order
        return float(stats.spearmanr(sizes, values).statistic)

    by_seed = {seed: correlation([found[name][seed] for name in found]) for seed in shared}
    means = [float(np.mean([found[name][seed] for seed in shared])) for name in found]
    permuted = stats.permutation_test(
        (means,), correlation, permutation_type="pairings", vectorized=False, n_resamples=10_000, rng=0
    )
    estimated = statistics.estimate(list(by_seed.values()))
    if estimated is None:
        return Result()
    half = estimated.half_width
    notes = [
        f"over {len(found)} variants; correlation of their means {permuted.statistic:z.2f}, "
        f"permutation p {permuted.pvalue:.2f}"
    ]
    return Result(
        value=estimated.mean,
        low=None if half is None else estimated.mean - half,
        high=None if half is None else estimated.mean + half,
        predicted=statistics.prediction_interval(list(by_seed.values())),
        p=None if len(shared) < 2 else float(permuted.pvalue),
        seeds=sum(np.isfinite(value) for value in by_seed.values()),
        values=by_seed,
        notes=(*notes, *(() if len(shared) > 1 else _single(found))),
    )


def _diverged(claim: Diverged, evidence: Evidence) -> Result:
    """``value`` is the share of runs that diverged."""
    states = {cell: [s for s in evidence.states(cell).values() if s != "missing"] for cell in claim.cells}
    all_states = [state for own in states.values() for state in own]
    if not all_states:
        return Result()
    notes = tuple(
        f"{cell}: {own.count('diverged')} of {len(own)} runs diverged" for cell, own in states.items() if own
    )
    share = all_states.count("diverged") / len(all_states)
    return Result(value=share, seeds=max(map(len, states.values())), notes=notes)


def _probed(claim: Probed, evidence: Evidence) -> Result:
    """With compared to without batch norm, in one row of the study's probes, with its interval over seeds."""
    needed = (*claim.row, "seeds", "ratio", "ratio_low", "ratio_high")
    table = evidence.table("studies", claim.study, "probes_table.csv", needed=needed)
    if table is None:
        return Result()
    for column, value in claim.row.items():
        table = table[table[column] == value]
    if len(table) != 1:
        return Result(notes=(f"row selects {len(table)} rows of the study's probes, not one",))
    row = table.iloc[0]

    def number(column: str) -> float | None:
        value = row.get(column)
        return None if value is None or value != value else float(value)

    seeds = int(number("seeds") or 0)
    notes = () if seeds > 1 else SINGLE
    difference, half = number("difference"), number("difference_half_width")
    if difference is not None:
        low, high = (None, None) if half is None else (difference - half, difference + half)
        p = None if half is None else statistics.p_of_interval(difference, half, seeds)
        return Result(value=difference, low=low, high=high, p=p, seeds=seeds, notes=notes)
    ratio, low, high = number("ratio"), number("ratio_low"), number("ratio_high")
    p = None
    if ratio and high and seeds > 1 and np.isfinite([ratio, high]).all():
        p = statistics.p_of_interval(log(ratio), log(high / ratio), seeds)
    return Result(value=ratio, low=low, high=high, neutral=1.0, p=p, seeds=seeds, notes=notes)
