"""How many seeds a verdict needs: against scipy's noncentral t, and against simulated verdicts."""

import numpy as np
import pytest
from scipy import stats

from helpers.claims import CONFIG, contrast, plant
from pj.claims import looks, power, verdicts
from pj.config import loading
from pj.plan import claims


@pytest.mark.parametrize(
    ("effect", "seeds", "alpha"), [(0.5, 34, 0.05), (1.0, 10, 0.05), (2.0, 5, 0.04), (3.0, 3, 0.01)]
)
def test_the_power_of_a_difference_is_that_of_the_noncentral_t(effect, seeds, alpha):
    critical, shift = stats.t.ppf(1 - alpha / 2, seeds - 1), effect * seeds**0.5
    oracle = stats.nct.sf(critical, seeds - 1, shift) + stats.nct.cdf(-critical, seeds - 1, shift)
    assert power.difference(effect, 1.0, seeds, alpha) == pytest.approx(oracle, abs=2e-3)


@pytest.mark.parametrize(("effect", "spread", "seeds"), [(0.0, 0.4, 8), (0.2, 0.3, 10), (0.0, 0.5, 3)])
def test_the_power_of_equivalence_is_how_often_both_one_sided_tests_pass(effect, spread, seeds):
    draws = np.random.default_rng(0).normal(effect, spread, (100_000, seeds))
    error = draws.std(axis=1, ddof=1) / seeds**0.5 * stats.t.ppf(0.96, seeds - 1)
    passed = (draws.mean(axis=1) + error < 0.5) & (draws.mean(axis=1) - error > -0.5)
    assert power.equivalence(effect, spread, seeds, 0.04, 0.5) == pytest.approx(passed.mean(), abs=5e-3)


def test_the_probability_of_a_precise_mean_is_how_often_its_interval_is_narrow():
    draws = np.random.default_rng(0).normal(0, 0.3, (100_000, 6))
    halves = draws.std(axis=1, ddof=1) / 6**0.5 * stats.t.ppf(0.975, 5)
    assert power.precision(0.3, 6, 0.35) == pytest.approx((halves <= 0.35).mean(), abs=5e-3)


@pytest.fixture
def loaded(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    return loading.load(tmp_path / "config.yaml")


def judged(claim, folder, loaded, differences):
    base = [80.0 + seed % 3 for seed in range(len(differences))]
    a = [b + d for b, d in zip(base, differences, strict=True)]
    (found,) = verdicts.judge([claim], [plant(folder, a=a, b=base)], loaded)
    return found


@pytest.mark.parametrize(
    ("claim", "effect"),
    [(contrast(reported=0.4), 0.4), (contrast(expect="same", margin=0.5), 0.0)],
    ids=["difference", "same"],
)
def test_as_many_seeds_as_are_said_to_be_needed_reach_a_verdict_at_the_promised_rate(
    claim, effect, loaded, tmp_path
):
    """Planted: the effect that is assumed, and a spread that three seeds showed."""
    found = judged(claim, tmp_path, loaded, [effect - 0.3, effect, effect + 0.3])
    needs = power.needed(found.__class__(claim=claim), 1, [0.3])
    draw, reached = np.random.default_rng(1), 0
    for _ in range(150):
        one = judged(claim, tmp_path, loaded, draw.normal(effect, 0.3, needs.seeds).tolist())
        reached += one.verdict in ("reproduced", "direction only")
    assert needs.spread == 0.3 and needs.seeds > 3
    assert reached / 150 == pytest.approx(power.chance(claim, needs, needs.seeds, 1), abs=0.08)
    assert power.chance(claim, needs, needs.seeds - 1, 1) < power.POWER


def test_the_level_of_further_seeds_is_what_the_look_at_the_present_ones_leaves(loaded, tmp_path):
    found = judged(contrast(reported=0.4), tmp_path, loaded, [0.1, 0.7, 0.4, 0.2, 0.6])
    fresh = power.needed(verdicts.Judgement(claim=found.claim), 1, [found.values and 0.2549509756796393])
    again = power.needed(found, 1, before=5)
    assert power.needed(found, 1).seeds == fresh.seeds  # not judged yet
    assert again.spread == pytest.approx(fresh.spread) and again.seeds > fresh.seeds
    left = looks.spent(again.seeds) - looks.spent(5)
    assert power.difference(0.4, again.spread, again.seeds, left) >= power.POWER


def test_a_small_difference_is_settled_by_equivalence_where_that_takes_fewer_seeds():
    found = verdicts.Judgement(claim=contrast(margin=0.5), values={0: -0.3, 1: -0.1, 2: 0.0})
    needs = power.needed(found, 1, before=3)
    left = looks.spent(needs.seeds) - looks.spent(3)
    assert power.difference(needs.effect, needs.spread, needs.seeds, left) < power.POWER
    assert power.equivalence(needs.effect, needs.spread, needs.seeds, left, 0.5) >= power.POWER


def test_no_fewer_seeds_are_needed_than_there_are_and_a_hidden_difference_is_not_used():
    values = dict(enumerate([3.0, 3.1, 2.9, 3.05, 2.95, 3.0]))
    found = verdicts.Judgement(claim=contrast(), values=values)
    assert power.needed(found, 1).seeds == 6 and power.needed(found, 1, before=6).seeds == 7
    blind = power.needed(found, 1, blind=True)
    assert blind.effect == 0.5 and "difference of the margin" in blind.why


def test_what_was_assumed_is_said():
    claim = contrast(margin=0.25)
    found = verdicts.Judgement(claim=claim, values={0: 0.1, 1: 0.5})
    assert power.needed(found, 1).why == "difference measured so far, spread of its 2 seeds"
    nothing = verdicts.Judgement(claim=claim)
    assert power.needed(nothing, 1, [0.5]).why == "difference of the margin, spread of other claims"
    assert power.needed(nothing, 1) is None


def test_a_number_that_was_not_reached_with_six_seeds_needs_a_seventh():
    claim = contrast("reached", contrast={"own/a": 1}, reported=3.0)
    found = verdicts.Judgement(claim=claim, values=dict(enumerate([3.0, 3.1, 2.9, 3.05, 2.95, 3.0])))
    assert power.needed(found, 1).seeds == 6 and power.needed(found, 1, before=6).seeds == 7


def test_more_claims_of_a_study_need_more_seeds():
    found = verdicts.Judgement(claim=contrast(reported=0.4), values={0: 0.1, 1: 0.7, 2: 0.4})
    one, ten = (power.needed(found, family) for family in (1, 10))
    assert ten.seeds > one.seeds
    assert power.difference(0.4, ten.spread, ten.seeds, looks.spent(ten.seeds) / 10) >= power.POWER
    assert power.chance(found.claim, ten, ten.seeds - 1, 10) < power.POWER


def test_the_seeds_of_a_ratio_are_counted_in_logarithms():
    claim = contrast(ratio=True, than=1.0, margin=0.1, quantity="seconds")
    found = verdicts.Judgement(claim=claim, values={0: 1.9, 1: 2.0, 2: 2.1})
    assert power.needed(found, 1).effect == pytest.approx(np.log([1.9, 2.0, 2.1]).mean())
    assert power.needed(verdicts.Judgement(claim=claim), 1, [0.3]) is None  # spreads of differences


def test_seeds_that_were_judged_before_have_no_chance_of_another_verdict():
    claim = contrast(reported=2.0)
    needs = power.Needed(5, 2.0, 0.3, "")
    assert power.chance(claim, needs, 5, 1) > 0.9 and power.chance(claim, needs, 5, 1, before=5) == 0
    left = looks.spent(6) - looks.spent(5)
    assert power.chance(claim, needs, 6, 1, before=5) == pytest.approx(power.difference(2.0, 0.3, 6, left))


def test_a_look_is_at_the_checks_that_a_verdict_needs_too_and_at_no_others():
    needed = contrast("below", statement="needed", needed=True, contrast={"own/c": 1, "own/b": -1})
    other = contrast("below", statement="other")
    assert claims._shown(contrast(also=[needed, other])).also == [needed]


def test_a_claim_has_as_many_seeds_as_all_of_its_variants_share(tmp_path):
    """Also where two studies hold the same run."""
    own = CONFIG.partition("studies:\n")[2].partition("prunings:")[0]
    few, others = (
        own.replace("  own:\n", f"  {name}:\n    seeds: {seeds}\n", 1)
        for name, seeds in (("few", [0, 1]), ("others", [4, 5, 6]))
    )
    (tmp_path / "config.yaml").write_text(CONFIG.replace("prunings:", few + others + "prunings:"))
    planned = claims.configured(loading.load(tmp_path / "config.yaml"))

    def seeds(*cells):
        return claims.seeds(contrast(contrast=dict(zip(cells, (1, -1), strict=True))), planned)

    assert seeds("own/a", "own/b") == 5
    assert seeds("own/a", "few/b") == seeds("own/a", "few/a") == 2
    assert seeds("own/a", "others/b") == 1 and seeds("few/a", "others/b") == 0
    assert seeds("prunings/p/a/magnitude/50", "few/b") == 2
    needed = contrast(needed=True, contrast={"own/a": 1, "others/b": -1})
    assert claims.seeds(contrast(also=[needed]), planned) == 1
