"""How the results were measured and what limits them: sentences generated from the data."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pj.claims.schema import cells, checks, study_of
from pj.claims.verdicts import Judgement
from pj.durations import counted, duration
from pj.report.pages.source import Source

COLUMNS = {
    "processor": "processors",
    "device": "devices",
    "torch": "torch",
    "python": "Python",
    "precision": "precision",
    "threads": "threads",
    "data": "data",
    "scale": "scales",
    "commit": "commits",
}
MIXED = {
    "processor": "processors",
    "device": "devices",
    "torch": "versions of torch",
    "commit": "commits",
}
FEW = 5  # seeds, below which an interval is wide


def runs(source: Source) -> pd.DataFrame:
    """Return all finished runs of all studies; a run that several studies share appears once."""
    tables = [source.evidence.runs(name) for name in source.config.settings.studies]
    there = [t[t["state"] != "missing"] for t in tables]
    found = [t for t in there if len(t)]
    return (
        pd.concat(found).drop_duplicates(["run", "seed"]) if found else pd.DataFrame(columns=["run", "seed"])
    )


def made(source: Source) -> dict[str, str]:
    """Return how the runs were made: the values of each property, with how many runs have each."""
    found = runs(source)
    if not len(found):
        return {}
    facts = {"runs": f"{len(found)}, of {counted(found['seed'].nunique(), 'seed')}"}
    for column, title in COLUMNS.items():
        counts = (
            found[column].dropna().astype(str).value_counts() if column in found else pd.Series(dtype=int)
        )
        facts[title] = ", ".join(f"{value} ({count})" for value, count in counts.items()) or "not recorded"
    facts["training"] = f"{duration(found['seconds'].sum())} in total, including measurements"
    facts["energy"] = "not measured"
    return facts


def doubts(judgements: Sequence[Judgement], sources: Sequence[Source]) -> list[str]:
    """Return what weakens the verdicts, one sentence each, with the source's name if there are several."""
    sentences = []
    single = [j.claim.id for j in judgements if j.value is not None and j.seeds == 1]
    few = [j.claim.id for j in judgements if 1 < j.seeds < FEW]
    if single:
        sentences.append(f"One seed only, so no interval: {_listed(single)}.")
    if few:
        sentences.append(f"Fewer than {FEW} seeds, so wide intervals: {_listed(few)}.")
    where: dict[str, list[str]] = {}
    for source in sources:
        for sentence in _of_source(judgements, source):
            where.setdefault(sentence, []).append(source.name)
    return sentences + [
        ": ".join(filter(None, (", ".join(names), sentence))) for sentence, names in where.items()
    ]


def _of_source(judgements: Sequence[Judgement], source: Source) -> list[str]:
    found = runs(source)
    if not len(found):
        return ["Nothing has been measured."]
    sentences = list(source.notes)
    jpeg = sorted({str(d) for d in found["data"].dropna() if str(d).endswith("-jpeg")})
    if jpeg:
        sentences.append(
            f"{', '.join(jpeg)}: images stored as JPEG, close to the official pixels but not identical."
        )
    reduced = found[found["scale"] != "full"]
    if len(reduced):
        sentences.append(f"At a reduced scale: {len(reduced)} of {counted(len(found), 'run')}.")
    sentences += _mixtures(judgements, source)
    diverged = int((found["state"] == "diverged").sum())
    if diverged:
        sentences.append(f"{counted(diverged, 'run')} diverged, excluded from means.")
    return sentences


def _mixtures(judgements: Sequence[Judgement], source: Source) -> list[str]:
    """Name the studies whose runs were made with different code, machines or versions of torch."""
    claims = [check for judgement in judgements for check in checks(judgement.claim)]
    named = {study_of(cell, source.config) for claim in claims for cell in cells(claim)}
    sentences = []
    for study in [s for s in source.config.settings.studies if s in named]:
        own, title = source.evidence.runs(study), source.config.settings.studies[study].title
        own = own[own["state"] != "missing"]
        if not len(own):
            continue
        # runs share code if they share network, loss, optimizer and schedule; those of a variant always do
        for column in ("variant", "components"):
            if (own.groupby(column)["code"].nunique() > 1).any():
                sentences.append(f"Runs of “{title}” were made by different versions of the code.")
                break
        if own["commit"].astype(str).str.endswith("+changes").any():
            sentences.append(f"Runs of “{title}” were made with uncommitted changes.")
        if _partly_replayed(own):
            sentences.append(
                f"Only some variants of “{title}” had steps replayed as CUDA graphs: "
                "their seconds do not compare their methods."
            )
        for column, what in MIXED.items():
            if own[column].dropna().astype(str).str.removesuffix("+changes").nunique() > 1:
                sentences.append(f"The runs of “{title}” come from different {what}.")
    return sentences


def _partly_replayed(runs: pd.DataFrame) -> bool:
    if "replayed_steps" not in runs:  # of tables made before there was a capture
        return False
    replayed = runs["replayed_steps"].gt(0).groupby(runs["variant"]).any()
    return bool(replayed.any() and not replayed.all())


def _listed(ids: Sequence[int]) -> str:
    return f"{'claim' if len(ids) == 1 else 'claims'} {', '.join(map(str, ids))}"
