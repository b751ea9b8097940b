"""The scorecard: which claims were reproduced, and how certain that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from pj.claims.schema import Claim, Contrast, Probed, RankCorrelation, Unmeasured, cells, single_cells
from pj.claims.verdicts import NOT_TESTABLE, Judgement, Verdict, direction
from pj.config.words import Words
from pj.durations import counted
from pj.report.pages.source import Source
from pj.report.text import names
from pj.report.text.labels import number
from pj.report.text.sheet import Sheet

ORDER = get_args(Verdict)
MEANING = {
    "reproduced": "the runs confirm the claim, and its number, if the paper prints one",
    "direction only": "the difference has the claimed direction, but its size is not the paper's",
    "equivalent": "a difference was claimed, but tests show that it is smaller than the margin",
    "reversed": "the runs show the opposite of the claim",
    "inconclusive": "the runs so far neither confirm nor refute it",
    "not testable at this scale": "fewer images or epochs, or a narrower network, than in the paper",
    "not run": "nothing was measured",
}


def table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Return one row per claim: verdict, numbers, evidence. ``main`` is false of its further checks."""
    main = {id(judgement) for judgement in judgements}
    rows: list[dict[str, Any]] = []
    for found in (check for judgement in judgements for check in (judgement, *judgement.also)):
        claim = found.claim
        low, high = found.predicted or (None, None)
        rows.append(
            {
                **{"id": claim.id, "main": id(found) in main},
                **{"report": claim.report, "section": claim.section},
                **{"statement": claim.statement, "verdict": found.verdict, "statistic": claim.statistic},
                **{"value": found.value, "low": found.low, "high": found.high},
                **{"predicted_low": low, "predicted_high": high, "reported": claim.reported},
                **{"p_holm": found.p, "p_equivalent": found.p_equivalent, "seeds": found.seeds},
                **{"source": found.source, "cells": " ".join(cells(claim))},
                **{"notes": "; ".join([*_reason(claim), *found.notes])},
            }
        )
    return pd.DataFrame(rows)


def counts(judgements: Sequence[Judgement]) -> dict[str, int]:
    """Return how many claims have each verdict, without verdicts that none has."""
    verdicts_given = [found.verdict for found in judgements]
    return {name: verdicts_given.count(name) for name in ORDER if name in verdicts_given}


def headline(judgements: Sequence[Judgement]) -> str:
    """Return the scorecard in one line."""
    parts = ", ".join(f"{count} {name}" for name, count in counts(judgements).items())
    return counted(len(judgements), "claim") + (f": {parts}" if parts else "")


def shown(found: Judgement) -> str:
    """Return a claim's statistic with its interval as text; empty if it was not measured."""
    if found.value is None:
        return ""
    text = written(found, found.value)
    if found.low is not None and found.high is not None:
        text += f" ({written(found, found.low)} … {written(found, found.high)})"
    return text


def pointing(found: Judgement) -> str:
    """Return, where the scale allows no verdict, which direction was measured."""
    claimed = direction(found) if found.verdict == NOT_TESTABLE else None
    return {True: ", in the claimed direction", False: ", in the other direction", None: ""}[claimed]


def written(found: Judgement, value: float) -> str:
    """Return a number of a claim's statistic as text."""
    return number(value, _style(found))


def _style(found: Judgement) -> str:
    match found.claim:
        case Contrast() as claim if claim.ratio:
            return "× {:.2f}"
        case Contrast() as claim:
            single = len(claim.contrast) == 1 and min(claim.contrast.values()) == 1
            decimals = 3 if claim.margin < 0.1 else 2
            return f"{{:.{decimals}f}}" if single else f"{{:+.{decimals}f}}"
        case Probed():
            return "× {:.3g}" if found.neutral else "{:+.3g}"
        case RankCorrelation():
            return "{:.2f}"
    return "{:.0%}"


def where(claim: Claim) -> str:
    """Return where the paper makes a claim, such as ``A 1.2``."""
    return " ".join(filter(None, (claim.report, claim.section)))


def notes(found: Judgement, sources: Sequence[Source]) -> list[str]:
    """Return a claim's notes, with titles in the place of keys."""
    named = [source for source in sources if source.name == found.source] or sources[:1]
    if not named:
        return list(found.notes)
    config = named[0].config
    keys = [*found.cells, *cells(found.claim), *single_cells(found.claim, config)]
    return [names.titled(note, keys, config) for note in found.notes]


def _reason(claim: Claim) -> list[str]:
    """Return why a claim is not measured."""
    return [claim.note] if isinstance(claim, Unmeasured) and claim.note else []


def sheet(judgements: Sequence[Judgement], read: Sequence[Source]) -> Sheet:
    """Return the table for people, under the headline; an empty one if there are no claims."""
    if not judgements:
        return Sheet("", pd.DataFrame())
    sources = {found.source for found in judgements}
    rows = [
        {
            "#": str(found.claim.id),
            "claim": f"{found.claim.statement} ({where(found.claim)})",
            "verdict": found.verdict,
            "measured (95 % interval)": shown(found) + pointing(found),
            "paper": number(found.claim.reported, "{:g}"),
            "seeds": str(found.seeds or ""),
            **({"measured on": found.source if found.value is not None else ""} if len(sources) > 1 else {}),
            "notes": "; ".join([*_reason(found.claim), *notes(found, read)]),
        }
        for found in judgements
    ]
    meanings = "\n".join(f"- **{name}**: {MEANING[name]}." for name in counts(judgements))
    return Sheet(f"**{headline(judgements)}.**", pd.DataFrame(rows), meanings, strong=("verdict",))


def write(judgements: Sequence[Judgement], sources: Sequence[Source], words: Words, output: Path) -> None:
    """Write the scorecard as .csv, .md and .tex beside ``output``, which is one of them."""
    sheet(judgements, sources).write(output.parent, output.stem, table(judgements))
