"""With which seeds claims were judged before, and what error probability that leaves for this verdict.

Who may look, add seeds and look again has several chances to be wrong. Each look therefore spends a part of
`ALPHA`: once a claim was judged with n seeds, ALPHA (1 - 1/n) is spent (an error-spending function, Lan and
DeMets, Biometrika 1983), and a look may use what no look before it has used. The parts add up to less than
`ALPHA`, so the probability of any false verdict is below it (Bonferroni), however often seeds are added.
Five seeds, looked at once, are tested at 0.04; five more after that at 0.005.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pj.claims import scales
from pj.claims.evidence import Evidence
from pj.claims.schema import Claim, Contrast, cells, checks, of_runs, study_of
from pj.config.loading import Config
from pj.errors import UserError
from pj.files import json_of, write_json

ALPHA = 0.05  # probability of any false verdict on a claim; with Holm's method, on the claims of a study
FILE = "looks.json"
Seeds = frozenset[int]


@dataclass(frozen=True)
class Look:
    """The runs that a claim was judged with: their names, and the seeds that all of them have.

    ``reduced`` says that they may be of a reduced scale, which decides scale-free claims only.
    """

    runs: frozenset[str]
    seeds: Seeds
    reduced: bool = False


@dataclass(frozen=True)
class Level:
    """The level at which a claim is tested, and the seeds of the newest look before (none at the first)."""

    alpha: float
    before: Seeds = frozenset()


Finished = Mapping[str, Mapping[str, Look]]  # by study (or analysis, kind/name) and variant


def level(earlier: Iterable[Look], now: Look) -> Level:
    """Return the level of a claim's test ``now`` after ``earlier`` looks, the oldest first.

    Looks with the same seeds count once. Looks at runs of other settings do not count; looks at more or fewer
    of these variants do. A look at only some of the seeds seen before has level zero, so leaving seeds out
    cannot give a verdict.
    """
    found: dict[Seeds, Level] = {}
    seen: Seeds = frozenset()
    newest: Seeds = frozenset()
    for seeds in (look.seeds for look in (*earlier, now) if _same(look, now)):
        if len(seeds) > 1 and seeds not in found:  # a single seed has no p value
            found[seeds] = Level(spent(len(seen | seeds)) - spent(len(seen)), newest)
            seen, newest = seen | seeds, seeds
    return found.get(now.seeds, Level(ALPHA))


def seen(earlier: Iterable[Look], now: Look) -> Seeds:
    """Return the seeds with which a claim was judged before."""
    return frozenset[int]().union(
        *(look.seeds for look in earlier if _same(look, now) and len(look.seeds) > 1)
    )


def _same(look: Look, now: Look) -> bool:
    return bool(look.runs) and (look.runs <= now.runs or now.runs <= look.runs)


def spent(seeds: int) -> float:
    """Return how much of `ALPHA` is spent once a claim was judged with so many seeds."""
    return ALPHA * (1 - 1 / seeds) if seeds > 1 else 0.0


def of_claim(claim: Claim, finished: Finished) -> Look:
    """Return the runs that a claim is about, and the seeds that all have which have any.

    Of several cells that a name of ``best_of`` may mean, one of them is enough.
    """
    names = [claim.best_of.get(n, [n]) for n in claim.contrast] if isinstance(claim, Contrast) else None
    looks = (
        [look for cell in cells(claim) for look in _of_cell(claim, cell, finished)]  # each variant counts
        if names is None
        else [_any_of(claim, group, finished) for group in names]
    )
    runs = frozenset[str]().union(*(look.runs for look in looks))
    sets = [look.seeds for look in looks if look.seeds]
    return Look(runs, frozenset.intersection(*sets) if sets else frozenset())


def _any_of(claim: Claim, group: Iterable[str], finished: Finished) -> Look:
    looks = [look for cell in group for look in _of_cell(claim, cell, finished)]
    runs = frozenset[str]().union(*(look.runs for look in looks))
    return Look(runs, frozenset[int]().union(*(look.seeds for look in looks)))


def _of_cell(claim: Claim, cell: str, finished: Finished) -> list[Look]:
    table, variant = _place(cell)
    own = [look for name, look in finished.get(table, {}).items() if variant in ("", name)]
    return [look for look in own if claim.scale_free or not look.reduced]


def finished(claims: Iterable[Claim], evidence: Evidence, config: Config) -> Finished:
    """Return the finished runs that claims are about, those of a reduced scale marked."""
    found: dict[str, dict[str, Look]] = {}
    tables: dict[str, dict[str, Look]] = {}
    for cell in (cell for claim in claims for check in checks(claim) for cell in cells(check)):
        study = study_of(cell, config)
        if study is None:
            continue
        key, variant = _place(cell)
        if key not in tables:
            runs = evidence.runs(study)
            table = runs if key == study else evidence.table(*key.split("/"), "table.csv")
            full = _full_runs(study, evidence, config)
            tables[key] = {} if table is None else _by_variant(table, runs, full)
        if there := {own: look for own, look in tables[key].items() if variant in ("", own)}:
            found.setdefault(key, {}).update(there)
    return found


def _place(cell: str) -> tuple[str, str]:
    """Return the table that a cell is in, and its variant; no variant if it means a whole study."""
    first, name, variant = (*cell.split("/"), "", "")[:3]
    return (first, name) if of_runs(cell) else (f"{first}/{name}", variant)


def _full_runs(study: str, evidence: Evidence, config: Config) -> set[str]:
    """Return the names of a study's runs that are those of full scale, whatever their scale is called."""
    runs = evidence.runs(study)
    if scales.reductions(study, evidence) == {scales.FULL}:
        return set(map(str, runs["run"]))
    return {variant.spec.run for variant in config.at_full_scale.study(study).variants}


def _by_variant(table: pd.DataFrame, runs: pd.DataFrame, full: Container[str]) -> dict[str, Look]:
    names = {str(own): str(run) for own, run in zip(runs["variant"], runs["run"], strict=True)}
    there = table[table["state"] != "missing"]
    seeds: dict[str, set[int]] = {}
    for variant, seed in zip(there["variant"], there["seed"], strict=True):
        seeds.setdefault(str(variant), set()).add(int(seed))
    return {
        name: Look(frozenset({names.get(name, "")}), frozenset(own), names.get(name, "") not in full)
        for name, own in seeds.items()
    }


def read(folder: Path) -> list[Finished]:
    """Return the looks at the results in a folder, the oldest first. UserError if the file is damaged."""
    try:
        return [
            {
                table: {
                    name: Look(frozenset({own["run"]}), frozenset(own["seeds"]), own.get("reduced", False))
                    for name, own in found.items()
                }
                for table, found in look["finished"].items()
            }
            for look in _kept(folder)
        ]
    except (KeyError, TypeError, AttributeError):
        raise _damaged(folder) from None


def record(folder: Path, claims: Sequence[Claim], evidence: Evidence, config: Config) -> None:
    """Note in a folder of results that claims are judged now, unless the newest look was at the same runs.

    Those of a reduced scale are noted, too: a claim may be declared scale-free later.
    """
    now = finished(claims, evidence, config)
    if not any(len(look.seeds) > 1 for found in now.values() for look in found.values()):
        return
    read(folder)  # UserError if it is damaged
    looks = _kept(folder)
    content = {table: {name: _written(look) for name, look in found.items()} for table, found in now.items()}
    if not looks or looks[-1]["finished"] != content:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(folder / FILE, {"looks": [*looks, {"at": at, "finished": content}]})


def _written(look: Look) -> dict[str, Any]:
    found: dict[str, Any] = {"run": min(look.runs), "seeds": sorted(look.seeds)}
    return found | ({"reduced": True} if look.reduced else {})


def copy(folder: Path, to: Path) -> None:
    """Add the looks noted in a folder of results to those noted in another one, the oldest first."""
    both = [*_kept(to), *_kept(folder)]
    if both:
        unique = [look for i, look in enumerate(both) if look not in both[:i]]
        write_json(to / FILE, {"looks": sorted(unique, key=lambda look: str(look.get("at")))})


def _kept(folder: Path) -> list[dict[str, Any]]:
    path = folder / FILE
    found = json_of(path).get("looks")
    if path.exists() and not isinstance(found, list):
        raise _damaged(folder)
    return found or []


def _damaged(folder: Path) -> UserError:
    return UserError(
        f"{folder / FILE} is damaged: it says with which seeds the claims were judged before. Put it back "
        "from a copy; if you delete it, verdicts ignore earlier looks"
    )
