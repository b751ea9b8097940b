r"""numbers.tex: every number of the tables and claims by its key, for ``\pjnum{key}`` in a paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from pj import files
from pj.claims.evidence import Evidence
from pj.claims.verdicts import Judgement
from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.settings import Reported
from pj.config.words import Words
from pj.errors import UserError
from pj.report.pages.source import Source
from pj.report.tables import claims, classes, probes, studies
from pj.report.text.labels import TWO_DECIMALS, number, plus_minus, unsigned
from pj.report.text.sheet import latex
from pj.statistics import estimate

HEAD = r"""% Every number of the tables beside this file, rounded as they are, written by pj. In a paper:
%   \input{numbers.tex} in the preamble, then \pjnum{study/variant/selected} (the mean over seeds),
%   \pjnum{study/variant/selected/half} (half its 95 % interval) and \pjnum{study/variant/selected/interval}.
\def\pjdef#1#2{\expandafter\def\csname pj@#1\endcsname{#2}}
\def\pjnum#1{\ifcsname pj@#1\endcsname\csname pj@#1\endcsname\else\pjunknown{#1}\fi}
\protected\def\pjunknown#1{\textbf{??}\PackageError{pj}{numbers.tex has no number '#1'}%
  {Its keys are listed in that file. What is not measured yet has none.}}
"""
SIGNS = str.maketrans(
    {
        **{"±": r"\pm", "×": r"\times", "−": "-", "…": r"\ldots", "∞": r"\infty"},
        **{",": "{,}", "%": r"\%", "\N{NARROW NO-BREAK SPACE}": r"\,"},
    }
)
PLAIN = r"[\w.,+*/()-]+( [\w.,+*/()-]+)*"  # what a key may have of a class's name
Numbers = Iterator[tuple[str, str]]  # keys, and texts as tables have them


def write(judgements: Sequence[Judgement], sources: Sequence[Source], words: Words, output: Path) -> None:
    """Write numbers.tex of the one source that there is; what is not measured has no key."""
    del words
    (source,) = sources
    found: dict[str, str] = {}
    for key, text in _all(judgements, source.evidence, source.config):
        if key in found:
            raise UserError(f"{output}: two numbers have the key {key}; rename the study or the variant")
        if text:
            found[key] = text
    lines = [f"\\pjdef{{{key}}}{{{text}}}%\n" for key, text in found.items()]
    files.write_text(output, HEAD + "".join(lines))


def _all(judgements: Sequence[Judgement], evidence: Evidence, config: Config) -> Numbers:
    for name in config.settings.studies:
        probed = _probes(evidence, name) if config.settings.studies[name].probes else ()
        for key, text in (*_study(evidence, name), *_classes(evidence, name), *probed):
            yield f"{name}/{key}", mathematics(text)
    for key in ANALYSES:
        for name in config.analyses(key):
            for cell, text in _analysis(evidence, config, key, name):
                yield cell, mathematics(text)
    for judgement in judgements:
        for i, found in enumerate((judgement, *judgement.also)):
            place = f"claim/{found.claim.id}" + (f"/also/{i}" if i else "")
            yield f"{place}/verdict", latex(found.verdict)
            for key, text in _claim(found):
                yield f"{place}/{key}", mathematics(text)


def _study(evidence: Evidence, name: str) -> Numbers:
    """Yield the numbers of a study's table, and how many runs of each variant are complete and diverged."""
    table = evidence.table("studies", name, "table.csv", needed=("variant", "seeds"))
    for row in [] if table is None else table.to_dict("records"):
        place = str(row["variant"])
        yield f"{place}/parameters", number(row.get("parameters"), studies.STYLES["parameters"])
        yield f"{place}/seeds", number(row["seeds"], "{:.0f}")
        for state in ("diverged", "missing"):
            seeds = row.get(state)
            yield f"{place}/{state}", str(0 if pd.isna(seeds) else len(str(seeds).split()))
        for column in (*studies.QUANTITIES, "difference"):
            style = studies.STYLES.get(column, TWO_DECIMALS)
            yield from _quantity(f"{place}/{column}", row.get(column), row.get(f"{column}_half_width"), style)
        for column in Reported.model_fields:
            style = studies.STYLES["difference"] if column == "difference" else studies.REPORTED
            yield f"{place}/paper/{column}", number(row.get(f"reported_{column}"), style)


def _classes(evidence: Evidence, name: str) -> Numbers:
    """Yield the accuracy of each class, by variant; by its place where LaTeX has no key of its name."""
    found = evidence.table("studies", name, classes.NAME + ".csv", needed=classes.COLUMNS)
    if found is None:
        return
    for variant, own in found.groupby("variant", sort=False):
        for place, (title, percent) in enumerate(classes.accuracies(own).items()):
            key = title if re.fullmatch(PLAIN, str(title), re.ASCII) else f"number/{place}"
            yield f"{variant}/class/{key}", number(percent, TWO_DECIMALS)


def _quantity(key: str, mean: Any, half_width: Any, style: str) -> Numbers:
    """Yield a mean, half the width of its interval, and both."""
    yield key, number(mean, style)
    yield f"{key}/half", number(half_width, unsigned(style))
    yield f"{key}/interval", plus_minus(mean, half_width, style)


def _probes(evidence: Evidence, name: str) -> Numbers:
    """Yield the comparisons of a study of probed runs, by the row's values in probes_table.csv."""
    table = evidence.table("studies", name, "probes_table.csv", needed=probes.KEYS)
    for row in [] if table is None else table.to_dict("records"):
        parts = [str(row[column]) for column in probes.KEYS if row[column] and not pd.isna(row[column])]
        place = "/".join(("probes", *parts))
        for column in ("ratio", "ratio_low", "ratio_high"):
            yield f"{place}/{column}", number(row.get(column), probes.RATIO)
        half = row.get("difference_half_width")
        yield from _quantity(f"{place}/difference", row.get("difference"), half, probes.DIFFERENCE)


def _analysis(evidence: Evidence, config: Config, key: str, name: str) -> Numbers:
    """Yield the numbers of an analysis over seeds, by the cells that claims name."""
    analysis, frame = ANALYSES[key], config.analyses(key)[name]
    styles = getattr(import_module(analysis.table), "STYLES", {})
    for variant in config.analysed(key, name).variants:
        for parts in product(*analysis.cell_choices(frame, variant.name)):
            cell = "/".join((key, name, variant.name, *parts))
            values = evidence.values(cell, "")
            complete = list(evidence.states(cell).values()).count("complete")
            if values and len(values) == complete:  # else a mean of some would pass for that of all
                found = estimate(list(values.values()))
                style = styles.get(parts[-1] if parts else "", TWO_DECIMALS)
                yield from _quantity(cell, found and found.mean, found and found.half_width, style)


def _claim(found: Judgement) -> Numbers:
    """Yield the numbers of a claim as the scorecard has them; p is adjusted within its study."""
    for key, value in (("value", found.value), ("low", found.low), ("high", found.high)):
        yield key, "" if value is None else claims.written(found, value)
    yield "interval", claims.shown(found)
    yield "p", number(found.p, "{:.2g}")
    yield "p_equivalent", number(found.p_equivalent, "{:.2g}")
    yield "paper", number(found.claim.reported, "{:g}")
    yield "seeds", str(found.seeds or "")


def mathematics(text: str) -> str:
    r"""Return a table's number for LaTeX, in text and in formulas: ``95.06``, ``\ensuremath{-2.83}``."""
    if re.fullmatch(r"[\d.]*", text):
        return text
    text = re.sub(r"(?<=\d)e\+?(−?)0*(\d+)", r" × 10^{\1\2}", text)
    text = re.sub(r"(?<=… )([+−×])", r"{\1}", text)  # a sign, not an operation
    text = text.replace(" %", "\N{NARROW NO-BREAK SPACE}%").translate(SIGNS)
    return rf"\ensuremath{{{text}}}"
