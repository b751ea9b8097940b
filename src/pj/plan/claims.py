"""The claims and what they lack: runs, hours, seeds; and which of them a budget of time can settle."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import stdev
from tempfile import TemporaryDirectory

from pj.claims import looks, power, units, verdicts
from pj.claims.evidence import Evidence
from pj.claims.power import Needed
from pj.claims.schema import Claim, Contrast, Probed, cells, checks, of_runs, study_of
from pj.claims.verdicts import Judgement
from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.plan.work import Job
from pj.runs.records import EVALUATION

UNKNOWN = 0.5  # assumed probability of a verdict where no spread is known, or the test has no formula
OPEN = "open"
PROBED = "probes_table.csv"  # of a study, from which claims about probes are judged
OF_TWO = ("step_loss_difference",)  # quantities of a run against the study's reference


@dataclass(frozen=True)
class Open:
    """A claim with its verdict so far and what it lacks.

    Args:
        found: what was measured of it so far, and its verdict.
        verdict: that verdict, or `OPEN` while configured runs are missing.
        lacking: the jobs of its runs that are left.
        seeds: how many are configured.
        needed: how many a verdict needs; None if that cannot be said.
        chance: probability of a verdict once the configured seeds have run.

    """

    found: Judgement
    verdict: str
    lacking: tuple[Job, ...]
    seeds: int
    needed: Needed | None
    chance: float


@contextmanager
def so_far(config: Config, results: Path) -> Iterator[Evidence]:
    """Yield the tables of all runs that have finished so far, in a folder of their own."""
    from pj.report.tables import analyses, studies

    with TemporaryDirectory() as place:
        folder = Path(place)
        for name in config.settings.studies:
            own = folder / "studies" / name
            own.mkdir(parents=True)
            runs = studies.collect(config.study(name), results / "runs").runs
            runs.to_csv(own / "runs.csv", index=False)
            if (probed := results / "studies" / name / PROBED).is_file():
                shutil.copy(probed, own)
        for key, analysis in ANALYSES.items():
            for name in config.analyses(key):
                analysed = config.analysed(key, name)
                measured = analyses.collect(analysed.variants, results / key / name)
                if any(measured.values()):
                    table = import_module(analysis.table).table(analysed, measured)
                    (folder / key / name).mkdir(parents=True)
                    table.to_csv(folder / key / name / "table.csv", index=False)
        yield Evidence(folder)


def judged(claims: Sequence[Claim], left: Sequence[Job], config: Config, results: Path) -> list[Open]:
    """Return each claim with its verdict so far and what it lacks.

    Verdicts of claims whose configured runs have all finished are a look (`pj.claims.looks`), which is noted.
    Those of the others are not shown, since who stops or goes on by them would
    choose the number of seeds by the result.
    """
    lacking = {id(claim): _lacking(claim, left, config) for claim in claims}
    complete = [_shown(claim) for claim in claims if not lacking[id(claim)]]
    with so_far(config, results) as evidence:
        now = looks.finished(claims, evidence, config)
        earlier = looks.read(results)
        looks.record(results, complete, evidence, config)
        if (results / looks.FILE).is_file():
            shutil.copy(results / looks.FILE, evidence.folder)
        found = verdicts.judge(claims, [evidence], config)
    every = [check for claim in claims for check in checks(claim)]
    families = Counter(verdicts.family(one, config) for one in every if isinstance(one, verdicts.TESTED))
    spreads: dict[str, list[float]] = {}
    for one in found:
        claim = one.claim
        if isinstance(claim, Contrast) and not claim.ratio and len(one.values) > 1:
            spreads.setdefault(_measured(claim), []).append(stdev(one.values.values()))
    opened, planned = [], configured(config)
    for one in found:
        family = max(1, families[verdicts.family(one.claim, config)])
        count, jobs = seeds(one.claim, planned), tuple(lacking[id(one.claim)])
        look = looks.of_claim(one.claim, now)
        before = len(looks.seen([looks.of_claim(one.claim, then) for then in earlier], look))
        if not jobs:
            before = max(before, len(look.seeds))  # this is a look
        others = spreads.get(_measured(one.claim), ())
        needed = power.needed(one, family, others, before=before, blind=bool(jobs))
        chance = UNKNOWN
        if needed and count > 1:
            chance = power.chance(one.claim, needed, count, family, before)
        opened.append(Open(one, OPEN if jobs else one.verdict, jobs, count, needed, chance))
    return opened


def _measured(claim: Claim) -> str:
    """Return the quantity of a claim's values; claims about the same one have similar spreads."""
    return units.quantity(claim, cells(claim)[0]) if cells(claim) else ""


def _shown(claim: Claim) -> Claim:
    """Return a claim with those of its further checks only that its verdict needs."""
    return claim.model_copy(update={"also": _deciding(claim)[1:]})


def _deciding(claim: Claim) -> list[Claim]:
    """Return a claim, and those of its further checks that its verdict needs."""
    return [claim, *(check for check in claim.also if check.needed)]


def _runs(claim: Claim, config: Config) -> Iterator[tuple[str, int, str]]:
    """Yield the runs of a claim and of the checks that it needs: run, seed and analysis (``kind/name``)."""
    for check in _deciding(claim):
        for cell in cells(check):
            first, *rest = cell.split("/")
            study = study_of(cell, config)
            if study is None:
                continue
            named = {(rest[0] if of_runs(cell) else rest[1]) if rest else ""}
            if getattr(check, "quantity", "") in OF_TWO:
                named.add(config.study(study).reference or "")
            analysis = "" if of_runs(cell) else f"{first}/{rest[0]}"
            for variant in config.study(study).variants:
                if named & {"", variant.name}:
                    yield from ((variant.spec.run, seed, analysis) for seed in variant.seeds)


def _lacking(claim: Claim, left: Sequence[Job], config: Config) -> list[Job]:
    """Return the jobs that a claim's verdict waits for; one about probes is judged from their table."""
    runs = set(_runs(claim, config))
    trained, measured = {(run, seed) for run, seed, _ in runs}, runs
    deciding = [check for check in _deciding(claim) if isinstance(check, Probed)]
    tables = tuple(f"studies/{check.study}/{Path(PROBED).stem}.md" for check in deciding)
    return [
        job
        for job in left
        if (job.rule in ("train", "evaluate") and (job.run, job.seed) in trained)
        or (job.rule == "measure" and (job.run, job.seed, job.part[0]) in measured)
        or (job.rule == "table" and job.target.endswith(tables))
    ]


def configured(config: Config) -> looks.Finished:
    """Return what will be there when all runs have finished: by study or analysis and variant."""
    variants = {name: config.study(name).variants for name in config.settings.studies} | {
        f"{key}/{name}": config.analysed(key, name).variants
        for key in ANALYSES
        for name in config.analyses(key)
    }
    return {
        table: {one.name: looks.Look(frozenset({one.spec.run}), frozenset(one.seeds)) for one in found}
        for table, found in variants.items()
    }


def seeds(claim: Claim, planned: looks.Finished) -> int:
    """Return how many seeds a claim's variants share; the fewest of the claim and of the checks it needs."""
    return min(len(looks.of_claim(check, planned).seeds) for check in _deciding(claim))


def within(
    claims: Iterable[Open], seconds: Callable[[Iterable[Job]], float | None], budget: float
) -> list[tuple[Open, float]]:
    """Return the claims to settle within a budget of time, each with the seconds it adds, in this order.

    Greedy: next comes the claim with the highest chance of a verdict per second that its missing jobs add to
    those already chosen, if they still fit. Claims of finished runs, and of unknown times, are left out.
    """
    rest, chosen, spent = [claim for claim in claims if claim.lacking], list[tuple[Open, float]](), 0.0
    jobs: dict[Job, None] = {}
    while rest:
        options = []
        for claim in rest:
            total = seconds([*jobs, *(job for job in claim.lacking if job not in jobs)])
            if total is not None and total <= budget:
                options.append((claim.chance / max(total - spent, 1e-9), claim, total))
        if not options:
            break
        _, claim, total = max(options, key=lambda option: option[0])
        chosen.append((claim, total - spent))
        jobs |= dict.fromkeys(claim.lacking)
        rest, spent = [other for other in rest if other is not claim], total
    return chosen


def targets(jobs: Iterable[Job]) -> list[str]:
    """Return these jobs' outputs for a shell, the seeds of a run in braces."""
    seeds: dict[str, list[int]] = {}
    for job in jobs:
        path = job.target if job.rule in ("measure", "table") else str(Path(job.target).with_name(EVALUATION))
        if job.rule in ("train", "evaluate", "measure", "table"):
            own = seeds.setdefault(path.replace(f"seed{job.seed}", "seed{}"), [])
            own += [job.seed] if job.seed not in own else []
    return [
        path.replace("{}", str(own[0]) if len(own) == 1 else "{" + ",".join(map(str, own)) + "}")
        for path, own in seeds.items()
    ]
