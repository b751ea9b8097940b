"""Two variants beside one another: settings that differ, accuracies paired by seed, what weakens it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pj import statistics
from pj.claims.schema import MARGIN
from pj.config import flat
from pj.config.settings import Study, Variant
from pj.files import json_of
from pj.report.tables import studies
from pj.report.tables.studies import StudyRuns
from pj.report.text.caveats import MIXED
from pj.report.text.labels import TWO_DECIMALS, interval, number, plus_minus, scale_label
from pj.runs import places, records

NONE = "–"  # where there is no value


def study(first: Variant, second: Variant) -> Study:
    """Return a study of two variants of any studies; the second is its reference."""
    return Study(
        name="comparison",
        title=f"{first.title} and {second.title}",
        report="",
        compare="selected",
        reference=second.name,
        variants=(first, second),
    )


def settings(first: Variant, second: Variant) -> list[tuple[str, str, str]]:
    """Return the settings that differ: dotted key, and both values."""
    one, other = flat.of(first.spec), flat.of(second.spec)
    keys = dict.fromkeys((*one, *other))
    return [
        (key, _value(one.get(key)), _value(other.get(key))) for key in keys if one.get(key) != other.get(key)
    ]


def _value(value: Any) -> str:
    return NONE if value is None else value if isinstance(value, str) else json.dumps(value)


def accuracies(found: StudyRuns) -> Iterator[tuple[str, ...]]:
    """Yield for each test accuracy both means, the difference paired by seed, its p value, the seeds.

    p is that of the two-sided paired t test against zero, not adjusted for the number of comparisons.
    """
    first, second = found.study.variants
    table = studies.summary(found).set_index("variant")
    for column, heading in found.headings.items():
        if column == "selected" and not found.validated:
            continue
        means = [
            plus_minus(table.at[v.name, column], table.at[v.name, f"{column}_half_width"], TWO_DECIMALS)
            for v in (first, second)
        ]
        paired = studies.differences(found, first.name, column)
        compared = statistics.compare(list(paired.values()), MARGIN)
        difference = interval(compared.estimate, "{:+.2f}") if compared else ""
        p = number(compared.different, "{:.2g}") if compared else ""
        cells = (*means, difference, p, " ".join(map(str, paired)))
        yield (heading.removeprefix("test (%), "), *(cell or NONE for cell in cells))


def left_out(found: StudyRuns) -> Iterator[str]:
    """Yield which runs diverged and which are missing."""
    for _, row in studies.summary(found).iterrows():
        for state in ("diverged", "missing"):
            if row[state]:
                yield f"{row['title']}: {state}: seed {row[state].replace(' ', ', ')}"


def by_image(found: StudyRuns, runs: Path) -> list[tuple[str, str, str, str]]:
    """Return for each seed how many test images only one network classifies correctly, and McNemar's p.

    Nothing where the test images are not the same ones.
    """
    if "right_alone" not in found.runs or not _same_images(found, runs):
        return []
    own = found.runs.dropna(subset=["right_alone"])
    pairs = zip(own["seed"], own["right_alone"], own["reference_right_alone"], strict=True)
    return [
        (str(seed), f"{one:.0f}", f"{other:.0f}", number(statistics.mcnemar(int(one), int(other)), "{:.2g}"))
        for seed, one, other in pairs
    ]


def _same_images(found: StudyRuns, runs: Path) -> bool:
    data = {variant.spec.data.test for variant in found.study.variants}
    return len(data) == 1 and len(set().union(*_contents(found.study, runs))) == 1


def _contents(compared: Study, runs: Path) -> list[set[str]]:
    """Return for each variant the checksums of the data that its runs were trained on."""
    return [
        {
            content
            for run, seed in variant.runs
            if (content := json_of(places.folder(runs, run, seed) / records.RUN).get("data_sha256"))
        }
        for variant in compared.variants
    ]


def doubts(found: StudyRuns, runs: Path) -> Iterator[str]:
    """Yield what else differs than the settings: data, scale, precision, machine, versions of torch."""
    there = found.runs[found.runs["state"] != "missing"]
    variants = found.study.variants
    values: dict[str, list[set[str]]] = {
        "data": [{variant.spec.data.name} for variant in variants],
        "scales": [{scale_label(variant.scale)} for variant in variants],
    }
    for column, what in {"precision": "precisions", **MIXED}.items():
        if column in there and column != "commit":  # another commit may hold the same code
            by_variant = [there.loc[there["variant"] == variant.name, column] for variant in variants]
            values[what] = [set(own.dropna().astype(str)) for own in by_variant]
    for what, each in values.items():
        if len(set().union(*each)) > 1:
            named = (f"{', '.join(sorted(own))} ({v.title})" for own, v in zip(each, variants, strict=True))
            yield f"different {what}: {'; '.join(named)}"
    if len({v.spec.data.name for v in variants}) == 1 and len(set().union(*_contents(found.study, runs))) > 1:
        yield f"trained on different versions of {variants[0].spec.data.name}"
