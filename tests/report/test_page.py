"""The scorecard and the HTML page: what they say, that they hold all of it, and that they ask for nothing."""

import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import html5lib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.claims import CONFIG, UP, B, contrast, plant
from pj import cli
from pj.claims import verdicts
from pj.claims.evidence import Evidence
from pj.claims.loading import load as load_claims
from pj.config import loading, words
from pj.config.words import Words
from pj.errors import UserError
from pj.report.pages import html, markdown, source
from pj.report.pages.source import Source
from pj.report.tables import claims
from pj.report.text import caveats
from pj.report.text.labels import number
from pj.report.text.sheet import Sheet

TITLE = "Two <b>bold</b> & \"quoted\" | 'bars'"


@pytest.fixture
def loaded(tmp_path):
    text = CONFIG.replace("title: Two", f"title: {json.dumps(TITLE)}")
    (tmp_path / "config.yaml").write_text(text)
    return loading.load(tmp_path / "config.yaml")


def results(folder, **changes):
    """Runs, tables and a figure of study ``own``, as the workflow leaves them."""
    evidence = plant(folder, **({"a": UP, "b": B} | changes))
    runs = pd.read_csv(folder / "studies" / "own" / "runs.csv")
    made = {"run": "digits-mlp-1", "data": "digits", "code": "c0de", "commit": "abc", "processor": "EPYC"}
    runs = runs.assign(
        **made, components="mlp cross_entropy sgd", device="cpu", torch="2.15", precision="fp32", threads=2
    )
    runs["run"] += runs["variant"]
    runs.to_csv(folder / "studies" / "own" / "runs.csv", index=False)
    table = pd.DataFrame([["a | b", "*83.10* ± 0.2"]], columns=["variant", "test"])
    above = "**digits, full scale**; 5 seeds <i>."
    Sheet(above, table, "A note.").write(folder / "studies" / "own", "table", table)
    Sheet("By class.", table).write(folder / "studies" / "own", "classes", table)
    Image.new("L", (30, 20)).save(folder / "studies" / "own" / "curves.png")
    return type(evidence)(folder)


def page(folder, loaded, given):
    evidence = results(folder)
    judgements = verdicts.judge(given, [evidence], loaded)
    html.write(judgements, [Source(evidence, loaded)], Words(), folder / "report.html")
    return (folder / "report.html").read_text()


def test_the_page_is_valid_html(loaded, tmp_path):
    text = page(
        tmp_path, loaded, [contrast(reported=2.0), contrast(id=2, statement="<script>alert(1)</script>")]
    )
    html5lib.HTMLParser(strict=True).parse(text)  # raises at the first error


def test_what_people_write_is_text_and_never_markup(loaded, tmp_path):
    text = page(tmp_path, loaded, [contrast(statement="<script>alert(1)</script>", note="a & b")])
    assert "<script>alert(1)" not in text and "&lt;script&gt;alert(1)" in text and "a &amp; b" in text
    assert "<b>bold</b>" not in text and "&lt;b&gt;bold" in text
    assert "5 seeds &lt;i&gt;" in text
    assert "<td>*83.10* ± 0.2</td>" in text


def test_the_table_by_class_of_a_study_opens_on_a_click(loaded, tmp_path):
    tree = html5lib.parse(page(tmp_path, loaded, []), namespaceHTMLElements=False)
    (folded,) = (tag for tag in tree.iter("details") if tag.findtext("summary") == "Accuracy by class")
    assert folded.findtext("p") == "By class." and folded.findtext(".//td") == "a | b"


def test_what_a_study_had_with_former_settings_is_not_on_its_page(loaded, tmp_path):
    """The figure of a sweep, a table of probes, and the table of modes, that nothing asks for any more."""
    results(tmp_path)
    Image.new("L", (30, 20)).save(tmp_path / "studies" / "own" / "sweep.png")
    for folder, name in (("studies/own", "probes_table"), ("modes", "table")):
        Sheet("Former.", pd.DataFrame({"a": ["1"]})).write(tmp_path / folder, name, pd.DataFrame({"a": [1]}))
    settings = loaded.settings.model_copy(update={"modes": False})
    now = Source(Evidence(tmp_path), replace(loaded, settings=settings))
    for writer, name in ((html, "report.html"), (markdown, "report.md")):
        writer.write([], [now], Words(), tmp_path / name)
        text = (tmp_path / name).read_text()
        assert "Former." not in text and "sweep" not in text and "curves" in text


def test_a_damaged_figure_is_one_clear_message(loaded, tmp_path):
    results(tmp_path)
    (tmp_path / "studies" / "own" / "curves.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"curves\.png is damaged"):
        html.write([], [Source(Evidence(tmp_path), loaded)], Words(), tmp_path / "report.html")


def test_the_page_asks_for_nothing_outside_itself(loaded, tmp_path):
    text = page(tmp_path, loaded, [contrast()])
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert not re.search(r"@import|url\(|fetch\(|https?://", text)
    assert "default-src 'none'" in text  # and the browser sees to it
    assert "data:image/png;base64," in text


def test_every_image_has_words_for_those_who_cannot_see_it(loaded, tmp_path):
    tree = html5lib.parse(page(tmp_path, loaded, [contrast()]), namespaceHTMLElements=False)
    images = list(tree.iter("img"))
    assert images and all(image.get("alt") for image in images)
    drawings = list(tree.iter("{http://www.w3.org/2000/svg}svg"))
    assert any(svg.get("role") == "img" for svg in drawings)
    assert all(svg.get("aria-hidden") == "true" or svg.get("aria-label") for svg in drawings)


def test_each_claim_opens_to_its_numbers_and_its_study(loaded, tmp_path):
    text = page(tmp_path, loaded, [contrast(reported=2.2, note="by hand")])
    for part in (
        'id="claim-1"',
        "reproduced",
        "+2.02 (+1.",
        "by hand",
        'href="#studies-own"',
        "10 runs behind it",
        "digits-mlp-1a",
        'data-of="studies-own-curves"',
        "expected range (95 %): ",
    ):
        assert part in text
    assert 'id="studies-own"' in text


def test_the_page_says_why_a_claim_depends_on_no_scale_and_where_a_reduced_one_points(loaded, tmp_path):
    free = {
        "quantity": "seconds",
        "ratio": True,
        "margin": 0.1,
        "than": 1.0,
        "scale_free": "Counted <alike>.",
    }
    text = page(tmp_path, loaded, [contrast(**free)])
    assert "the claim does not depend on it: Counted &lt;alike&gt;." in text
    evidence = plant(tmp_path, scale="small", reduced="epochs=2", a=UP, b=B)
    judgements = verdicts.judge([contrast(), contrast(id=2, expect="below")], [evidence], loaded)
    html.write(judgements, [Source(evidence, loaded)], Words(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for direction in ("claimed", "other"):
        assert f"(+1.78 … +2.26), in the {direction} direction" in text


def test_a_claims_evidence_has_its_interval_on_a_labelled_axis(loaded, tmp_path):
    evidence = results(tmp_path)
    judgements = verdicts.judge([contrast(reported=0.0)], [evidence], loaded)
    html.write(judgements, [Source(evidence, loaded)], Words(), tmp_path / "report.html")
    entry = (tmp_path / "report.html").read_text().split('<div class="drawing">')[1].split("</div>")[0]
    assert 'class="interval"' in entry and 'class="reported"' in entry and "percentage points" in entry
    assert len(re.findall(r"<text [^>]*>[+−]?\d+</text>", entry)) >= 3


def test_studies_stand_in_the_order_of_the_reports_sections(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    found = loading.load(tmp_path / "config.yaml")
    own = found.settings.studies["own"]
    names = {"a": "B", "b": "A 1.3", "c": "", "d": "A 1.2"}
    studies = {name: own.model_copy(update={"report": report}) for name, report in names.items()}
    settings = found.settings.model_copy(update={"studies": studies})
    for name in names:
        (tmp_path / "studies" / name).mkdir(parents=True)
        Sheet("nothing yet", pd.DataFrame()).write(tmp_path / "studies" / name, "table", pd.DataFrame())
    sections = html._sections(Source(Evidence(tmp_path), replace(found, settings=settings)))
    assert [section.id for section in sections] == ["studies-d", "studies-b", "studies-a", "studies-c"]


def test_a_page_without_claims_is_still_a_page(loaded, tmp_path):
    text = page(tmp_path, loaded, [])
    html5lib.HTMLParser(strict=True).parse(text)
    assert "No claims are given" in text and "83.10" in text


def test_the_scorecard_counts_its_verdicts(loaded, tmp_path):
    given = [contrast(), contrast(id=2, expect="below"), contrast(id=3, contrast={"own/c": 1})]
    judgements = verdicts.judge(given, [results(tmp_path)], loaded)
    assert claims.headline(judgements) == "3 claims: 1 reproduced, 1 reversed, 1 not run"
    assert claims.headline(judgements[:1]) == "1 claim: 1 reproduced"
    assert claims.headline([]) == "0 claims"
    claims.write(judgements, [], Words(), tmp_path / "claims.csv")
    table = pd.read_csv(tmp_path / "claims.csv")
    assert table["verdict"].tolist() == ["reproduced", "reversed", "not run"]
    assert table["value"][0] == pytest.approx(2.02) and np.isnan(table["value"][2])
    assert "| **reversed** |" in re.sub(" +", " ", (tmp_path / "claims.md").read_text())


def doubts(folder, loaded, edit=None, **changes):
    evidence = results(folder, **changes)
    path = folder / "studies" / "own" / "runs.csv"
    if edit:
        edit(runs := pd.read_csv(path))
        runs.to_csv(path, index=False)
    evidence = type(evidence)(folder)
    judgements = verdicts.judge([contrast()], [evidence], loaded)
    return " ".join(caveats.doubts(judgements, [Source(evidence, loaded)]))


def test_a_claim_that_was_not_run_is_not_said_to_have_one_seed(loaded, tmp_path):
    judgements = verdicts.judge([contrast(contrast={"own/c": 1})], [results(tmp_path)], loaded)
    assert judgements[0].verdict == "not run" and not caveats.doubts(judgements, [])


def test_what_to_distrust_comes_from_the_data(loaded, tmp_path):
    assert doubts(tmp_path, loaded) == ""
    assert "One seed only, so no interval: claim 1." in doubts(tmp_path, loaded, a=[1.0], b=[2.0])
    assert "Fewer than 5 seeds" in doubts(tmp_path, loaded, a=UP[:3], b=B[:3])
    assert "1 run diverged, excluded from means." in doubts(tmp_path, loaded, a=[*UP[:4], float("nan")])
    assert "At a reduced scale: 10 of 10 runs." in doubts(tmp_path, loaded, scale="small")

    def jpeg(runs):
        runs["data"] = "cifar10-jpeg"

    assert "cifar10-jpeg: images stored as JPEG" in doubts(tmp_path, loaded, jpeg)


def test_two_versions_of_code_or_ways_to_compute_in_one_table_are_flagged(loaded, tmp_path):
    def other_code(runs):
        runs.loc[0, "code"] = "0ther"

    def other_machine(runs):
        runs.loc[0, ["device", "processor"]] = ["H200", "Xeon"]

    def other_code_of_a_variant(runs):
        runs.loc[runs["variant"] == "b", "code"] = "0ther"

    def replayed(runs):
        runs["replayed_steps"] = 100 * (runs["variant"] == "b")

    def all_replayed(runs):
        runs["replayed_steps"] = 100

    def uncommitted(runs):
        runs["commit"] = "abc+changes"

    def partly_committed(runs):
        runs["commit"] = ["abc", *["abc+changes"] * (len(runs) - 1)]

    for edit in (other_code, other_code_of_a_variant):
        assert f"Runs of “{TITLE}” were made by different versions" in doubts(tmp_path, loaded, edit)
    assert f"The runs of “{TITLE}” come from different devices." in doubts(tmp_path, loaded, other_machine)
    assert "uncommitted changes" in doubts(tmp_path, loaded, uncommitted)
    assert "different commits" not in doubts(tmp_path, loaded, partly_committed)
    assert "seconds do not compare" in doubts(tmp_path, loaded, replayed)
    assert doubts(tmp_path, loaded, all_replayed) == ""


def test_runs_of_other_models_have_other_code_and_no_doubt(loaded, tmp_path):
    def other_model(runs):
        runs.loc[runs["variant"] == "b", ["code", "components"]] = ["0ther", "cnn cross_entropy sgd"]

    assert doubts(tmp_path, loaded, other_model) == ""


def test_how_it_was_measured_counts_runs_by_machine_and_data(loaded, tmp_path):
    facts = caveats.made(Source(results(tmp_path), loaded))
    assert facts["runs"] == "10, of 5 seeds" and facts["processors"] == "EPYC (10)"
    assert facts["data"] == "digits (10)"


def test_the_page_of_what_was_kept_is_made_by_one_command(tmp_path, monkeypatch, capsys, loaded):
    folder = tmp_path / "reference"
    results(folder)
    settings = loaded.settings.model_dump(mode="json", exclude_none=True)
    (folder / "provenance.json").write_text(json.dumps({"settings": settings}))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", "--from", "reference"]) == 0
    assert capsys.readouterr().out.startswith("0 claims; written to ")
    assert "83.10" in (folder / "report.html").read_text()
    assert cli.main(["report", "--from", "nowhere"]) == 1
    assert "holds no provenance.json" in capsys.readouterr().err


ROOT = Path(__file__).parents[2]


def rows(markdown):
    """Return a page's table rows as lists of cells."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def everything():
    """All that is kept, as sources of a page, with its verdicts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        current = loading.load(ROOT / "config.yaml")
        folders = sorted(path.parent for path in ROOT.glob("reference/*/provenance.json"))
        sources = [source.kept(folder, folder.name) for folder in folders]
        found = load_claims(ROOT / "claims.yaml", current)
        return sources, verdicts.judge(found, [s.evidence for s in sources], current), words.of(current)


@pytest.fixture
def kept(everything, monkeypatch):
    monkeypatch.chdir(ROOT)
    return everything


def test_the_page_of_everything_kept_is_what_its_tables_give(kept, tmp_path):
    sources, judgements, told = kept
    markdown.write(judgements, sources, told, tmp_path / "report.md")
    made = (
        (tmp_path / "report.md")
        .read_text()
        .replace(f"]({quote(os.path.relpath(ROOT / 'reference', tmp_path))}/", "](")
    )
    assert made == (ROOT / "reference" / "report.md").read_text()


@pytest.fixture
def example(monkeypatch):
    """The kept results of `make quick`, with their verdicts."""
    monkeypatch.chdir(ROOT)
    current = loading.load(ROOT / "config.quick.yaml")
    sources = [source.kept(ROOT / "example", "example")]
    found = load_claims(ROOT / "claims.quick.yaml", current)
    return sources, verdicts.judge(found, [s.evidence for s in sources], current), words.of(current)


def test_the_example_is_what_its_tables_give_and_has_real_verdicts(example, tmp_path):
    _, judgements, told = example
    (kept_alone,) = [source.kept(ROOT / "example")]
    markdown.write(judgements, [kept_alone], told, tmp_path / "report.md")
    made = (
        (tmp_path / "report.md")
        .read_text()
        .replace(f"]({quote(os.path.relpath(ROOT / 'example', tmp_path))}/", "](")
    )
    assert made == (ROOT / "example" / "report.md").read_text()
    found = {judgement.verdict for judgement in judgements}
    assert len(found) >= 4 and not found & {"not testable at this scale", "not run"}


def test_the_readmes_results_are_those_of_what_was_kept(kept, example):
    """One row per claim that it shows: of the reports every one that is decided."""
    readme = (ROOT / "README.md").read_text()
    _, of_reports, _ = kept
    _, of_digits, _ = example
    open_ones = {"inconclusive", "not testable at this scale", "not run"}
    decided = [j for j in of_reports if j.verdict not in open_ones]
    by_statement = {j.claim.statement: j for j in (*decided, *of_digits)}
    table = [row for row in rows(readme) if len(row) == 6 and "**" in row[4]]
    assert {row[0] for row in table} >= {j.claim.statement for j in decided}
    for statement, _, measured, reported, verdict, _ in table:
        found = by_statement[statement]
        assert (measured, verdict) == (claims.shown(found), f"**{found.verdict}**")
        assert reported == number(found.claim.reported, "{:g}")
    counts = Counter(j.verdict for j in of_reports)
    assert not counts["not run"]
    words = " ".join(readme.split())
    told = (
        f"Of their {len(of_reports)} claims {len(decided)} are decided and shown here, "
        f"{counts['inconclusive']} are inconclusive at full scale, "
        f"and {counts['not testable at this scale']} have been measured at a reduced scale only"
    )
    assert told in words


def test_the_page_of_several_machines_shows_each_by_its_name(kept, tmp_path):
    sources, judgements, told = kept
    html.write(judgements, sources, told, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert all(f'<th scope="col">{s.name}</th>' in text for s in sources)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(set(ids)) == len(ids)
    assert len(text) < 10_000_000
    assert set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r'data-of="([^"]+)"', text)) <= set(ids)


def test_the_markdown_page_begins_with_what_held_and_what_was_run(kept, tmp_path):
    sources, judgements, told = kept
    markdown.write(judgements, sources, told, tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    first = text[: text.index("## Claims")]
    assert re.search(r"\*\*\d+ of \d+ (tested )?claims? held\b", first)
    for fact in ("runs: ", "data: ", "scale: ", "machines: ", "training: "):
        assert f"\n- {fact}" in first


def test_links_to_figures_hold_from_where_the_page_lies():
    images = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "reference" / "report.md").read_text())
    assert len(images) > 20 and all((ROOT / "reference" / image).is_file() for image in images)


@pytest.mark.parametrize("provenance", ["[]", '{"settings": null}', "{", '{"settings": {"seeds": [0]}}'])
def test_a_folder_that_pj_did_not_keep_is_one_clear_message(provenance, tmp_path):
    (tmp_path / "provenance.json").write_text(provenance)
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        source.kept(tmp_path)


def test_a_kept_study_without_its_figure_or_some_columns_still_has_its_page(tmp_path, loaded):
    results(tmp_path)
    (tmp_path / "studies" / "own" / "curves.png").unlink()
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs[["variant", "seed", "state", "best_test"]].to_csv(path, index=False)
    kept = Source(Evidence(tmp_path, "my machine"), loaded, kept=True)
    judgements = verdicts.judge([contrast(quantity="best_test")], [kept.evidence], loaded)
    for write, page in ((markdown.write, "report.md"), (html.write, "report.html")):
        write(judgements, [kept], Words(), tmp_path / page)
    assert "curves.png" not in (tmp_path / "report.md").read_text()
    html5lib.HTMLParser(strict=True).parse((tmp_path / "report.html").read_text())
    assert judgements[0].verdict == "not testable at this scale"


def test_what_people_write_is_no_markup_on_the_markdown_page_either(tmp_path, loaded):
    evidence = results(tmp_path)
    given = [contrast(statement="two\nlines <b>bold</b> | bar")]
    markdown.write(
        verdicts.judge(given, [evidence], loaded),
        [Source(evidence, loaded)],
        Words(),
        tmp_path / "report.md",
    )
    text = (tmp_path / "report.md").read_text()
    assert r"two lines &lt;b>bold&lt;/b> \| bar (A)" in text
    assert r"## Two &lt;b>bold&lt;/b>" in text
