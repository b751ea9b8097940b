"""Seeds that are added after a look: what they may still decide, and how often that is wrong."""

import json

import numpy as np
import pytest

from helpers.claims import UP, B, Drawn, contrast, judged, plant
from pj.claims import looks, verdicts
from pj.claims.evidence import Evidence
from pj.claims.looks import Look
from pj.claims.results import result
from pj.claims.schema import Best, Diverged
from pj.errors import UserError
from pj.report.pages import source


def seen(*counts: int) -> list[Look]:
    return [Look(frozenset({"run"}), frozenset(range(n))) for n in counts]


def test_a_first_look_keeps_most_of_the_error_and_each_later_one_takes_what_is_left():
    *earlier, now = seen(5, 10)
    assert looks.level([], earlier[0]).alpha == pytest.approx(0.05 * 4 / 5)
    found = looks.level(earlier, now)
    assert found.alpha == pytest.approx(0.05 * (1 / 5 - 1 / 10)) and found.before == frozenset(range(5))
    assert looks.level([*earlier, now], now) == found  # the page is written again
    every = seen(*range(1, 200))
    assert sum(looks.level(every[:i], look).alpha for i, look in enumerate(every) if i) < 0.05


def test_seeds_that_were_seen_cannot_be_left_out():
    fewer = Look(frozenset({"run"}), frozenset({0, 2, 3}))
    assert looks.level(seen(5), fewer).alpha == 0.0


def test_a_look_at_runs_of_other_settings_is_none_at_these():
    others = [Look(frozenset({"other"}), look.seeds) for look in seen(3, 4)]
    (now,) = seen(5)
    assert looks.level(others, now) == looks.Level(pytest.approx(0.04))


def last_verdict(claim, values, counts):
    """Return the verdict of who looks after so many seeds and adds more until there is one."""
    verdict = ""
    for i, now in enumerate(seen(*counts)):
        level = looks.level(seen(*counts[:i]), now).alpha
        found = result(claim, Drawn(values, counts[i]), level)
        verdict = verdicts.decide(verdicts.Judgement(claim=claim, level=level, **vars(found)))
        if verdict != "inconclusive":
            break
    return verdict


DIFFERENT = {"reproduced", "direction only", "reversed"}
BEST = Best(
    id=1, report="A", statement="so", statistic="best", study="own", variant="a", among=["a", "b", "c"]
)


@pytest.mark.parametrize("counts", [(5,), (5, 10), (3, 5, 8, 12), (5, 10, 15, 20)])
@pytest.mark.parametrize(
    ("claim", "truth", "wrong", "draws"),
    [
        (contrast(margin=0.01), 0.0, DIFFERENT, 1000),
        (contrast(expect="same", margin=0.5), 0.5, {"reproduced"}, 1000),
        (
            contrast(expect="reached", reported=90.0, contrast={"own/a": 1}),
            0.0,
            DIFFERENT - {"reproduced"},
            500,
        ),
        (BEST, 0.0, {"reproduced"}, 60),
    ],
    ids=["difference", "same", "reached", "best"],
)
def test_false_verdicts_stay_at_5_of_100_with_up_to_four_looks(claim, truth, wrong, draws, counts):
    """No difference (or one as large as the margin) is planted; seeds are added until there is a verdict."""
    draw = np.random.default_rng(0)
    found = 0
    for _ in range(draws):
        values = {name: draw.normal(90, 0.3, counts[-1]) for name in "abc"}
        values["a"] += truth
        found += last_verdict(claim, values, counts) in wrong
    assert found / draws <= 0.05 + 2 * (0.05 * 0.95 / draws) ** 0.5


def test_the_simulation_finds_the_error_of_looking_four_times_at_5_percent(monkeypatch):
    monkeypatch.setattr(looks, "level", lambda earlier, now: looks.Level(0.05))
    draw, counts = np.random.default_rng(0), (3, 5, 8, 12)
    found = [
        last_verdict(contrast(margin=0.01), {name: draw.normal(90, 0.3, 12) for name in "ab"}, counts)
        for _ in range(500)
    ]
    assert sum(verdict in DIFFERENT for verdict in found) / 500 > 0.10


CLAIMS = """
claims:
  - {id: 1, report: A, statement: so, statistic: contrast, contrast: {own/a: 1, own/b: -1}, expect: above}
"""


def pages(folder, loaded, **values):
    """Judge planted values as the pages of a folder of results do."""
    plant(folder, **values)
    (folder / "claims.yaml").write_text(CLAIMS)
    settings = loaded.settings.model_dump(mode="json") | {"claims": str(folder / "claims.yaml")}
    (found,), _, _ = source.results(folder, settings)
    return found


def test_the_page_says_that_seeds_were_added_after_a_look_and_tests_them_more_strictly(loaded, tmp_path):
    first = pages(tmp_path, loaded, a=UP[:3], b=B[:3])
    assert first.level == pytest.approx(0.05 * 2 / 3) and not any("judged before" in n for n in first.notes)
    again = pages(tmp_path, loaded, a=UP, b=B)
    wanted = "judged before with 3 seeds, now with 5: tested at a level of 0.0067"
    assert wanted in again.notes and again.level == pytest.approx(0.05 * (1 / 3 - 1 / 5))
    assert pages(tmp_path, loaded, a=UP, b=B) == again
    assert len(json.loads((tmp_path / looks.FILE).read_text())["looks"]) == 2


def test_an_added_seed_turns_no_claim_that_a_stricter_test_leaves_open(loaded, tmp_path):
    weak = [b + d for b, d in zip(B, (0.5, 0.9, 0.2, 0.7, 0.1), strict=True)]  # p = 0.035
    assert pages(tmp_path, loaded, a=weak, b=B).verdict == "reproduced"
    (tmp_path / looks.FILE).unlink()
    pages(tmp_path, loaded, a=weak[:4], b=B[:4])
    found = pages(tmp_path, loaded, a=weak, b=B)
    assert found.verdict == "inconclusive" and any("needed: 0.0025" in note for note in found.notes)


def test_single_seeds_are_no_looks(loaded, tmp_path):
    pages(tmp_path, loaded, a=UP[:1], b=B[:1])
    assert not (tmp_path / looks.FILE).exists()


def test_looks_at_reduced_runs_count_for_scale_free_claims_and_for_no_others(loaded, tmp_path):
    small = {"scale": "small", "reduced": "epochs=2"}
    for seeds in (3, 5):
        plant(tmp_path, a=UP[:seeds], b=B[:seeds], **small)
        looks.record(tmp_path, [contrast()], Evidence(tmp_path), loaded)  # not declared scale-free yet
    free = contrast(scale_free="Alike.", quantity="seconds", ratio=True, margin=0.1, than=1.0)
    other, found = verdicts.judge([contrast(), free], [Evidence(tmp_path)], loaded)
    assert found.level == pytest.approx(0.05 * (1 / 3 - 1 / 5))
    assert any("judged before with 3 seeds, now with 5" in note for note in found.notes)
    assert not any("judged before" in note for note in other.notes)


def test_a_damaged_list_of_looks_is_one_message(loaded, tmp_path):
    (tmp_path / looks.FILE).write_text("{")
    with pytest.raises(UserError, match=r"looks.json is damaged: .* Put it back from a copy"):
        pages(tmp_path, loaded, a=UP, b=B)


def test_a_stricter_level_makes_it_no_easier_to_agree_with_the_paper(loaded, tmp_path):
    claim = contrast(contrast={"own/a": 1}, expect="reached", reported=91.2)
    values = [90.0, 90.3, 89.9, 90.4, 90.1, 90.2]
    found = result(claim, Drawn({"a": values}, 6), 0.0017)
    assert 0.0017 < found.p_reported < 0.05
    judged = verdicts.Judgement(claim=claim, level=0.0017, **vars(found))
    assert verdicts.decide(judged) == "inconclusive"


@pytest.mark.parametrize("claim", [contrast(expect="reached", reported=2.0, contrast={"own/a": 1}), BEST])
def test_seeds_that_were_left_out_give_no_verdict_whatever_the_statistic(claim):
    values = {"a": [2.0, 2.1, 2.05, 1.95, 2.0], "b": [1.0] * 5, "c": [0.0] * 5}
    found = result(claim, Drawn(values, 5), 0.0)
    assert verdicts.decide(verdicts.Judgement(claim=claim, level=0.04, **vars(found))) == "reproduced"
    assert verdicts.decide(verdicts.Judgement(claim=claim, level=0.0, **vars(found))) == "inconclusive"


def finished(**variants):
    return {
        "own": {name: Look(frozenset({f"run-{name}"}), frozenset(range(n))) for name, n in variants.items()}
    }


def test_the_seeds_of_a_look_are_those_that_were_tested_where_one_of_several_cells_is_chosen():
    claim = contrast(contrast={"x": 1, "own/b": -1}, best_of={"x": ["own/a", "own/c"]})
    looks_at = [looks.of_claim(claim, finished(a=n, b=n, c=2)) for n in (5, 10)]
    assert [len(look.seeds) for look in looks_at] == [5, 10]
    assert looks.level(looks_at[:1], looks_at[1]).alpha == pytest.approx(0.005)


def test_a_further_variant_does_not_bring_back_what_is_spent():
    before = looks.of_claim(BEST, finished(a=5, b=5, c=5))
    whole = BEST.model_copy(update={"among": []})
    now = looks.of_claim(whole, finished(a=10, b=10, c=10, dummy=10))
    assert looks.level([before], now).alpha == pytest.approx(0.005)


@pytest.mark.parametrize(
    "text", ['{"looks": [{}]}', '{"looks": [1]}', '{"looks": [{"finished": {"own": {"a": {}}}}]}']
)
def test_a_list_of_looks_of_another_shape_is_the_same_message(text, loaded, tmp_path):
    (tmp_path / looks.FILE).write_text(text)
    with pytest.raises(UserError, match=r"looks.json is damaged"):
        pages(tmp_path, loaded, a=UP, b=B)


def test_a_single_seed_is_no_look_and_leaves_a_count_its_verdict():
    one, five = seen(1, 5)
    assert looks.level([one], five) == looks.level([], five)
    assert looks.level([], one).alpha == looks.ALPHA


def test_seeds_that_were_looked_at_in_turns_leave_nothing_for_all_of_them():
    parts = [Look(frozenset({"run"}), frozenset(s)) for s in (range(3), range(3, 6), range(6))]
    levels = [looks.level(parts[:i], look).alpha for i, look in enumerate(parts)]
    assert levels == pytest.approx([0.05 * 2 / 3, 0.05 * (1 / 3 - 1 / 6), 0.0])


def test_a_look_is_at_the_seeds_that_all_variants_of_a_difference_have():
    assert looks.of_claim(contrast(), finished(a=5, b=3)).seeds == frozenset(range(3))


def test_a_run_that_diverged_was_seen_so_the_one_that_did_not_cannot_be_left_out(loaded, tmp_path):
    claim = Diverged(
        id=1, report="A", statement="so it is", statistic="diverged", cells=["own/a"], expect="all"
    )
    looks.record(tmp_path, [claim], plant(tmp_path, a=[np.nan] * 4 + [80.0]), loaded)
    found = judged(claim, plant(tmp_path, a=[np.nan] * 4), loaded)
    assert found.verdict == "inconclusive"


def test_a_look_at_two_seeds_counts(loaded, tmp_path):
    looks.record(tmp_path, [contrast()], plant(tmp_path, a=UP[:2], b=B[:2]), loaded)
    found = judged(contrast(), plant(tmp_path, a=UP, b=B), loaded)
    assert found.level == pytest.approx(0.05 * (1 / 2 - 1 / 5))
