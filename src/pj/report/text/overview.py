"""The first screen of report.html in words: how many claims held, and on what data, scale and machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from pj.claims.verdicts import HELD, NOT_TESTABLE, Judgement
from pj.durations import counted, duration
from pj.report.pages.source import Source
from pj.report.text import caveats

UNTESTED = (NOT_TESTABLE, "not run")
SHOWN = 6  # titles of studies, of more the rest is counted


def standing(judgements: Sequence[Judgement]) -> tuple[str, str]:
    """Return how many claims held, did not or are undecided, and how many were not tested."""
    tested = [found.verdict for found in judgements if found.verdict not in UNTESTED]
    if not judgements:
        return "", ""
    if not tested:
        ran = any(found.verdict == NOT_TESTABLE for found in judgements)
        said = "No claim could be tested at this scale" if ran else "Nothing has been run yet"
        return said, counted(len(judgements), "claim")
    open_ = len(judgements) - len(tested)
    held = sum(verdict in HELD for verdict in tested)
    undecided = tested.count("inconclusive")
    parts = [
        f"{held} of {counted(len(tested), 'tested claim' if open_ else 'claim')} held",
        *([f"{refuted} did not"] if (refuted := len(tested) - held - undecided) else []),
        *([f"{undecided} undecided"] if undecided else []),
    ]
    rest = f"{open_} of {counted(len(judgements), 'claim')} not tested" if open_ else ""
    return ", ".join(parts), rest


def titles(sources: Sequence[Source]) -> str:
    """Return the titles of the studies that have runs."""
    found = [
        study.title
        for source in sources
        for name, study in source.config.settings.studies.items()
        if (source.evidence.runs(name)["state"] != "missing").any()
    ]
    distinct = list(dict.fromkeys(found))
    rest = len(distinct) - SHOWN
    return "; ".join(distinct[:SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


def facts(sources: Sequence[Source]) -> dict[str, str]:
    """Return what was run, on what data, scale and machines, over all sources; nothing without runs."""
    tables = [found for source in sources if len(found := caveats.runs(source))]
    if not tables:
        return {}
    runs = pd.concat(tables)
    seeds = runs.groupby("run", dropna=False)["seed"].nunique()
    least, most = int(seeds.min()), int(seeds.max())
    scales = runs["scale"].dropna().astype(str).value_counts()
    return {
        "runs": f"{counted(len(runs), 'run')}: {counted(len(seeds), 'network')}, "
        + (f"{least} to {most} seeds each" if least < most else f"{counted(most, 'seed')} each"),
        "data": _listed(runs["data"]),
        "scale": "; ".join(f"{_scale(name)} ({counted(n, 'run')})" for name, n in scales.items()),
        "machines": _listed(f"{p} ({d})" if p != d else p for p, d in _pairs(runs)),
        "training": duration(runs["seconds"].sum()),
    }


def _scale(name: object) -> str:
    return "full (nothing reduced)" if name == "full" else str(name)


def _pairs(runs: pd.DataFrame) -> Iterable[tuple[str, str]]:
    known = runs[["processor", "device"]].dropna().astype(str).drop_duplicates()
    return zip(known["processor"], known["device"], strict=True)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if not pd.isna(value))) or "not recorded"
