"""The first screen of report.html: how many claims held, what was run, and the forest plot of all claims."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from math import inf, log
from typing import get_args

import html5lib
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from helpers.claims import CONFIG, UP, B, contrast, plant
from pj.claims import verdicts
from pj.claims.schema import Best, Diverged, Probed, RankCorrelation
from pj.claims.verdicts import Judgement, Verdict
from pj.config import loading
from pj.config.words import Words
from pj.report.figures import style
from pj.report.pages import forest, html
from pj.report.pages.source import Source
from pj.report.text import overview
from pj.report.text.sheet import Sheet

FRAME = {"report": "A", "statement": "so it is"}


@pytest.fixture
def loaded(tmp_path):
    text = CONFIG.replace("a: {}", "a: {title: Low rate}").replace("title: Two", "title: Rates of an MLP")
    (tmp_path / "config.yaml").write_text(text)
    return loading.load(tmp_path / "config.yaml")


@pytest.fixture
def evidence(tmp_path):
    return plant(tmp_path, a=UP, b=B)


def judged(value=None, low=None, high=None, neutral=0.0, verdict="reproduced", **claim):
    return Judgement(
        claim=contrast(**claim), value=value, low=low, high=high, neutral=neutral, seeds=5, verdict=verdict
    )


def row(found, *others):
    rows = {row["id"]: row for _, rows in forest.groups([found, *others]) for row in rows}
    return rows[found.claim.id]


def page(folder, loaded, judgements, source, words=None):
    html.write(judgements, [Source(source, loaded)], words or Words(), folder / "report.html")
    return (folder / "report.html").read_text()


def test_every_verdict_has_a_shape_and_a_colour_of_its_own():
    shapes = html._template("templates/forest.html.j2")
    colours = html._template("templates/page.css.j2")
    drawn = []
    for name in get_args(Verdict):
        key = name.replace(" ", "-")
        drawn += re.findall(rf'<g id="s-{key}">(.*?)</g>', shapes)
        assert re.search(rf"\.v-{key}\b[^{{]*\{{ color: var", colours), name
    assert len(set(drawn)) == len(get_args(Verdict))


def inside(place, region):
    return region[0] <= place <= region[0] + region[1]


NAN = float("nan")
FAR = [v + d for v, d in zip(B, (4.0, 4.3, 3.8, 4.1, 3.9), strict=True)]
SAME = [v + d for v, d in zip(B, (0.1, -0.1, 0.05, 0.0, -0.02), strict=True)]
EVEN = [82.0, 82.1, 81.9, 82.05, 81.95]
DOUBLE = [2 * v * (1 + d) for v, d in zip(B, (0.0, 0.001, -0.001, 0.002, 0.0), strict=True)]
OWN = {"statistic": "best", "study": "own", "variant": "a"}
RUNS = {"statistic": "diverged", "cells": ["own/a"]}
RATIO = {"ratio": True, "margin": 0.1}
ONE = {"contrast": {"own/a": 1}}


@pytest.mark.parametrize(
    ("a", "kind", "given", "verdict"),
    [
        (UP, contrast, {"expect": "above"}, "reproduced"),
        (UP, contrast, {"expect": "below"}, "reversed"),
        (UP, contrast, {"expect": "above", "than": 3.0}, "reversed"),
        (UP, contrast, {"expect": "below", "than": 3.0}, "reproduced"),
        (UP, contrast, {"expect": "same"}, "reversed"),
        (SAME, contrast, {"expect": "same"}, "reproduced"),
        (UP, contrast, {"expect": "same", "than": 2.0}, "reproduced"),
        (UP, contrast, {**ONE, "expect": "above", "than": 60.0}, "reproduced"),
        (UP, contrast, {**ONE, "expect": "below", "than": 60.0}, "reversed"),
        (UP, contrast, {**ONE, "expect": "reached", "reported": 82.3, "margin": 2.0}, "reproduced"),
        (UP, contrast, {**ONE, "expect": "reached", "reported": 90.0}, "reversed"),
        (UP, contrast, {**ONE, "expect": "reached", "reported": 83.4, "margin": 2.0}, "reproduced"),
        (UP, contrast, {**ONE, "expect": "reached", "reported": 75.0, "margin": 2.0}, "direction only"),
        (EVEN, contrast, {**ONE, "expect": "reached", "reported": 82.6, "margin": 2.0}, "reversed"),
        (UP, contrast, {"expect": "above", "reported": 9.0}, "direction only"),
        (DOUBLE, contrast, {**RATIO, "expect": "above", "than": 1.5}, "reproduced"),
        (DOUBLE, contrast, {**RATIO, "expect": "below", "than": 1.5}, "reversed"),
        (DOUBLE, contrast, {**RATIO, "expect": "same", "than": 2.0}, "reproduced"),
        (DOUBLE, contrast, {**RATIO, "expect": "same", "than": 1.0}, "reversed"),
        (FAR, Best, OWN, "reproduced"),
        (B, Best, OWN, "reversed"),
        ([NAN] * 5, Diverged, {**RUNS, "expect": "all"}, "reproduced"),
        ([NAN] * 5, Diverged, {**RUNS, "expect": "none"}, "reversed"),
        (UP, Diverged, {**RUNS, "expect": "all"}, "reversed"),
        (UP, Diverged, {**RUNS, "expect": "none"}, "reproduced"),
    ],
)
def test_a_claim_that_holds_is_drawn_where_claims_hold_and_a_reversed_one_outside(
    a, kind, given, verdict, tmp_path, loaded
):
    claim = contrast(**given) if kind is contrast else kind(id=1, **FRAME, **given)
    evidence = plant(tmp_path, a=a, b=[v + 1 for v in B] if kind is Best else B, c=SAME)
    (found,) = verdicts.judge([claim], [evidence], loaded)
    assert found.verdict == verdict
    drawn = row(found)
    assert inside(drawn["value"], drawn["claimed"]) == (verdict in verdicts.HELD)


@pytest.mark.parametrize(
    ("neutral", "value", "expect", "holds"),
    [
        (1.0, 0.5, "below", True),
        (1.0, 2.48, "below", False),
        (0.0, 0.02, "above", True),
        (0.0, 1.4, "below", False),
    ],
)
def test_a_probed_ratio_or_difference_of_cosines_lies_on_its_side(neutral, value, expect, holds):
    claim = Probed(id=1, statistic="probed", study="own", row={}, expect=expect, **FRAME)
    found = Judgement(claim=claim, value=value, neutral=neutral, seeds=5, verdict="reproduced")
    drawn = row(found)
    assert inside(drawn["value"], drawn["claimed"]) == holds
    (axis,) = forest.axes_of([found])
    assert axis.unit == (forest.RATIO if neutral else forest.COSINES)
    assert 4 <= drawn["value"] <= 96 and axis.bound >= abs(axis.distance(value))


def test_a_larger_value_lies_further_right_whatever_was_claimed():
    small, large = judged(-2.0, -3.0, -1.0, expect="below"), judged(2.0, 1.0, 3.0, id=2)
    first, second = row(small, large), row(large, small)
    assert first["value"] < 50 < second["value"]
    assert first["interval"] == sorted(first["interval"])


@pytest.mark.parametrize("value", [-30.0, -10.0, 0.0, 3.0, 10.0])
def test_a_difference_lies_at_the_mark_with_its_number(value):
    found = judged(value, id=1)
    (axis,) = forest.axes_of([found, judged(-30.0, id=2), judged(30.0, id=3)])
    assert written(axis)[value] == forest.row(found, axis)["value"]


@pytest.mark.parametrize(("value", "expect"), [(2.0, "below"), (0.5, "below"), (2.0, "above"), (0.5, "same")])
def test_a_ratio_lies_at_the_mark_with_its_number(value, expect):
    found = judged(value, ratio=True, than=1, margin=0.1, neutral=1.0, expect=expect)
    (axis,) = forest.axes_of([found])
    assert written(axis)[value] == forest.row(found, axis)["value"]


def test_a_share_or_an_accuracy_lies_at_the_mark_with_its_number(loaded, tmp_path):
    half = Diverged(id=1, statistic="diverged", cells=["own/a"], expect="none", **FRAME)
    own = contrast(contrast={"own/a": 1}, than=81.0)
    evidence = plant(tmp_path, a=[NAN, NAN, 80.0, 82.0])
    shares, accuracy = verdicts.judge([half, own], [evidence], loaded)
    first, second = forest.axes_of([shares, accuracy])
    assert written(first)[50.0] == forest.row(shares, first)["value"] == 50
    assert accuracy.value == 81 and written(second)[81.0] == forest.row(accuracy, second)["value"]
    assert len(written(second)) >= 3 and 84.0 in written(forest.axes_of([replace(accuracy, high=85.0)])[0])


def written(axis):
    """Return the place of each mark by the number that is written at it."""
    return {float(re.sub("[×% ]", "", label).replace("−", "-")): place for place, label in axis.marks()}


def test_claims_of_one_unit_share_an_axis_and_those_of_another_do_not_stretch_it():
    one, large = judged(1.0, id=1), judged(30.0, id=2)
    ratio = judged(1000.0, id=3, ratio=True, than=1, margin=0.1, neutral=1.0)
    places = [
        row(found, *(x for x in (one, large, ratio) if x is not found)) for found in (one, large, ratio)
    ]
    assert 50 < places[0]["value"] < places[1]["value"] == 96
    assert [axis.unit for axis in forest.axes_of([one, large, ratio])] == [forest.POINTS, forest.RATIO]
    assert row(one, large)["value"] == places[0]["value"]


def test_a_ratio_and_its_inverse_are_equally_far_from_no_effect():
    more = judged(2.0, id=1, ratio=True, than=1, margin=0.1, neutral=1.0)
    less = judged(0.5, id=2, ratio=True, than=1, margin=0.1, neutral=1.0)
    assert row(more, less)["value"] - 50 == pytest.approx(50 - row(less, more)["value"])


def test_marks_of_an_axis_are_apart_and_in_order():
    for axis in (
        forest.Axis(forest.POINTS, 0.0, 20.0, 1.0),
        forest.Axis(forest.RATIO, 1.0, log(50), log(1.5)),
    ):
        places = [place for place, _ in axis.marks()]
        assert places == sorted(places) and len(places) >= 5 and 50 in places
        assert min(b - a for a, b in pairwise(places)) > 10


def test_labels_of_marks_do_not_meet_however_long_they_are():
    """A character is some 2.5 percent of the axis wide."""
    for centre, bound in ((97.33, 40.0), (0.123456, 0.01), (0.0, 1e-6)):
        marks = forest.Axis(forest.POINTS, centre, bound, 1.0).marks()
        ends = [(place - 1.25 * len(label), place + 1.25 * len(label)) for place, label in marks]
        assert len(marks) >= 3 and all(end < begin for (_, end), (begin, _) in pairwise(ends))


def test_a_number_of_the_report_is_drawn_on_the_same_axis():
    drawn = row(judged(2.0, 1.0, 3.0, reported=2.0))
    assert drawn["reported"] == drawn["value"]
    assert row(judged(2.0, 1.0, 3.0, reported=-1.0))["reported"] < 50


def test_an_interval_that_goes_too_far_is_cut_and_says_so():
    drawn = row(judged(1.0, -90.0, 92.0))
    assert drawn["cut"] == (True, True) and drawn["interval"] == [4, 96]
    assert row(judged(1.0, 0.5, 1.5))["cut"] == (False, False)
    endless = row(judged(2.0, 0.0, inf, ratio=True, than=1, margin=0.1, neutral=1.0))
    assert endless["cut"] == (True, True) and endless["interval"] == [4, 96]


def test_what_has_no_finite_number_has_no_mark_on_the_axis():
    for value in (None, inf):
        drawn = row(judged(value, verdict="not run"), judged(1.0, id=2))
        assert drawn["value"] is None and drawn["interval"] is None
    assert "no number" in drawn["text"] or "∞" in drawn["text"]


def test_the_band_of_no_difference_is_the_margin():
    axis = forest.axes_of([judged(3.0)])[0]
    low, high = axis.place(-0.5), axis.place(0.5)
    assert row(judged(3.0, margin=0.5))["band"] == (low, pytest.approx(high - low))
    assert row(judged(3.0, margin=0.5, expect="same"))["claimed"] == (low, pytest.approx(high - low))
    assert row(judged(90.0, expect="reached", reported=91.0))["band"] is None


def test_each_kind_of_statistic_has_its_unit(evidence, loaded):
    claims = {
        forest.POINTS: contrast(id=1),
        "seconds": contrast(id=2, quantity="seconds"),
        forest.RATIO: contrast(id=3, quantity="seconds", ratio=True, than=1, margin=0.1),
        forest.BOOTSTRAPS: Best(id=4, statistic="best", study="own", variant="a", **FRAME),
        forest.CORRELATION: RankCorrelation(id=5, statistic="rank_correlation", study="own", **FRAME),
    }
    for found, unit in zip(verdicts.judge(list(claims.values()), [evidence], loaded), claims, strict=True):
        assert forest.unit(found) == unit
    pruned = contrast(contrast={"prunings/p/a/magnitude/50": 1})
    (found,) = verdicts.judge([pruned], [evidence], loaded)
    assert forest.unit(found) == forest.POINTS


def test_rows_stand_by_section_in_the_order_of_the_reports():
    sections = {1: "2.10", 2: "2.2", 3: "1", 4: "2.2"}
    found = [judged(1.0, id=i, section=section) for i, section in sections.items()]
    found.append(judged(1.0, id=5, report="B"))
    grouped = [(where, [row["id"] for row in rows]) for where, rows in forest.groups(found)]
    assert grouped == [("A 1", [3]), ("A 2.2", [2, 4]), ("A 2.10", [1]), ("B", [5])]


def test_the_plot_has_a_row_for_every_claim_that_leads_to_its_entry(tmp_path, loaded, evidence):
    given = [contrast(reported=2.0), contrast(id=2, expect="below"), contrast(id=3, contrast={"own/c": 1})]
    text = page(tmp_path, loaded, verdicts.judge(given, [evidence], loaded), evidence)
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    rows = [link for link in tree.iter("a") if "row" in (link.get("class") or "").split()]
    assert [link.get("href") for link in rows] == ["#claim-1", "#claim-2", "#claim-3"]
    ids = {element.get("id") for element in tree.iter()}
    svg = "{http://www.w3.org/2000/svg}"
    for link, verdict in zip(rows, ("reproduced", "reversed", "not run"), strict=True):
        words = " ".join("".join(link.itertext()).split())
        plot = next(link.iter(f"{svg}svg"))
        assert verdict in words and plot.get("aria-label") == next(plot.iter(f"{svg}title")).text
        used = [use.get("href") for use in plot.iter(f"{svg}use")]
        assert all(href[1:] in ids for href in used)
        assert (f"#s-{verdict}" in used) == (verdict != "not run")
    assert "measured +2.02 (+1.78 … +2.26), 5 seeds, paper 2: reproduced" in text
    assert "values as claimed" in text and "percentage points" in text


def test_the_first_screen_says_what_was_run_and_how_many_claims_held(tmp_path, loaded, evidence):
    runs = tmp_path / "studies" / "own" / "runs.csv"
    lines = runs.read_text().splitlines()
    new = "run,data,processor,device,code,commit,components,torch"
    more = "digits-1,digits,EPYC,H200,c,abc,mlp,2"
    runs.write_text("\n".join([f"{lines[0]},{new}", *(f"{line},{more}" for line in lines[1:])]) + "\n")
    source = type(evidence)(tmp_path)
    judgements = verdicts.judge([contrast(), contrast(id=2, expect="below")], [source], loaded)
    text = page(tmp_path, loaded, judgements, source, Words(introduction="Rates, *again*."))
    first = re.sub(r"<[^>]+>", " ", text[text.index("<h1>") : text.index("<nav")])
    first = " ".join(first.split())
    for part in (
        "1 of 2 claims held, 1 did not",
        "Rates of an MLP",
        "EPYC (H200)",
        "5 seeds each",
        "digits",
        "full",
    ):
        assert part in first
    assert "Rates, again" in first


def test_networks_of_different_numbers_of_seeds_say_from_how_many_to_how_many(tmp_path, loaded, evidence):
    path = tmp_path / "studies" / "own" / "runs.csv"
    table = pd.read_csv(path)
    table = table.assign(run=table["variant"], data="digits", processor="P", device="cpu")
    table.drop(index=table.index[-1]).to_csv(path, index=False)
    seeds = table["seed"].nunique()
    said = overview.facts([Source(type(evidence)(tmp_path), loaded)])["runs"]
    assert said.endswith(f", {seeds - 1} to {seeds} seeds each")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], ("", "")),
        (["reproduced"], ("1 of 1 claim held", "")),
        (["reproduced", "direction only", "reversed"], ("2 of 3 claims held, 1 did not", "")),
        (["reproduced", "equivalent", "inconclusive"], ("1 of 3 claims held, 1 did not, 1 undecided", "")),
        (["reproduced", "not run"], ("1 of 1 tested claim held", "1 of 2 claims not tested")),
        (["not run", "not run"], ("Nothing has been run yet", "2 claims")),
        (
            ["not testable at this scale"],
            ("No claim could be tested at this scale", "1 claim"),
        ),
    ],
)
def test_claims_that_were_not_tested_do_not_count_as_failed(given, said):
    assert overview.standing([judged(id=i + 1, verdict=verdict) for i, verdict in enumerate(given)]) == said


def test_a_page_without_claims_has_neither_plot_nor_filter(tmp_path, loaded, evidence):
    text = page(tmp_path, loaded, [], evidence)
    body = text[text.index("<body>") : text.index("<script>")]
    assert 'class="tools"' not in body and 'class="forest"' not in body
    assert "[hidden] { display: none !important; }" in text


def test_evidence_names_variants_by_their_titles(tmp_path, loaded, evidence):
    given = [
        contrast(contrast={"own/a": 1, "own/b": -2}),
        contrast(id=2, ratio=True, than=1, margin=0.1),
        Best(id=3, statistic="best", study="own", variant="a", **FRAME),
        Diverged(id=4, statistic="diverged", cells=["own/a"], expect="all", **FRAME),
    ]
    text = page(tmp_path, loaded, verdicts.judge(given, [evidence], loaded), evidence)
    said = re.findall(r"<dt>statistic</dt><dd>(.*?)</dd>", text)
    assert said[0] == "test accuracy, selected epoch: Low rate − 2 · b (Rates of an MLP); expected above 0"
    assert said[1].startswith("ratio of test accuracy, selected epoch: Low rate / b (")
    assert "Low rate has the highest mean" in said[2] and said[3].endswith("expected all: Low rate")
    assert "<td>Low rate</td>" in text and "own/a" not in text


def test_curves_carry_their_values_into_the_page(tmp_path, loaded, evidence):
    values = {"epochs": [1], "panels": [], "series": [{"title": "</script><b>", "loss": [[1.0], [2.0]]}]}
    text = PngImagePlugin.PngInfo()
    text.add_text(style.VALUES, json.dumps(values))
    Image.new("RGB", (40, 20)).save(tmp_path / "studies" / "own" / "curves.png", pnginfo=text)
    Sheet("", pd.DataFrame()).write(tmp_path / "studies" / "own", "table", pd.DataFrame())
    found = page(tmp_path, loaded, [], evidence)
    html5lib.HTMLParser(strict=True).parse(found)
    (carried,) = re.findall(r'<script type="application/json">(.*?)</script>', found)
    assert json.loads(carried) == values
    assert 'width="40" height="20"' in found
