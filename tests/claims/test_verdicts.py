"""Verdicts on planted evidence: each of them reached, at its rate, and only from what may count."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from helpers.claims import CONFIG, UP, B, contrast, judged, plant
from pj.claims import schema, verdicts
from pj.claims.evidence import Evidence
from pj.claims.loading import load as load_claims
from pj.claims.schema import Best, Diverged, Probed, RankCorrelation, Unmeasured
from pj.config import loading
from pj.config.loading import ConfigError
from pj.errors import UserError
from pj.report.pages import html
from pj.report.pages.source import Source
from pj.report.tables import claims as claims_table


@pytest.fixture
def many(tmp_path):
    """Study ``own`` with five variants."""
    more = CONFIG.replace(
        "      c: {", "      d: {optimizer: {lr: 0.4}}\n      e: {optimizer: {lr: 0.5}}\n      c: {"
    )
    (tmp_path / "many.yaml").write_text(more)
    return loading.load(tmp_path / "many.yaml")


SAME = [v + d for v, d in zip(B, (0.1, -0.1, 0.05, 0.0, -0.02), strict=True)]
NOISY = [v + d for v, d in zip(B, (3.0, -2.5, 1.0, -1.0, 0.4), strict=True)]


@pytest.mark.parametrize(
    ("a", "changes", "wanted"),
    [
        (UP, {"reported": 2.2}, "reproduced"),
        (UP, {}, "reproduced"),
        (UP, {"reported": 9.0}, "direction only"),
        (UP, {"expect": "below", "reported": -2.0}, "reversed"),
        (SAME, {"reported": 1.0}, "equivalent"),
        (SAME, {"expect": "same"}, "reproduced"),
        (UP, {"expect": "same"}, "reversed"),
        (NOISY, {}, "inconclusive"),
        (NOISY, {"expect": "same"}, "inconclusive"),
        ([*UP[:1], *[None] * 4], {}, "inconclusive"),
        ([None] * 5, {}, "not run"),
        (UP, {"than": 1.0, "reported": 2.0}, "reproduced"),
        (UP, {"than": 3.0}, "reversed"),
    ],
)
def test_each_verdict_is_reached_by_what_deserves_it(a, changes, wanted, loaded, tmp_path):
    assert judged(contrast(**changes), plant(tmp_path, a=a, b=B), loaded).verdict == wanted


def test_the_difference_is_paired_by_seed_with_its_interval(loaded, tmp_path):
    found = judged(contrast(reported=2.0), plant(tmp_path, a=UP, b=B), loaded)
    differences = np.array([2.0, 2.3, 1.8, 2.1, 1.9])
    assert found.value == pytest.approx(differences.mean())
    assert found.high - found.value == pytest.approx(2.7764 * differences.std(ddof=1) / 5**0.5, rel=1e-4)
    assert found.low < found.value < found.high and found.seeds == 5
    assert found.predicted[0] < found.low and found.predicted[1] > found.high


def test_a_single_seed_gives_no_interval_and_says_so(loaded, tmp_path):
    found = judged(contrast(), plant(tmp_path, a=[90.0], b=[80.0]), loaded)
    assert (found.value, found.low, found.p, found.predicted) == (10.0, None, None, None)
    assert "a single seed: no interval" in found.notes


def test_one_seed_that_is_left_of_several_is_not_called_the_only_one(loaded, tmp_path):
    evidence = plant(tmp_path, a=[90.0, 91.0, 92.0], b=[80.0, None, None])
    found = judged(contrast(), evidence, loaded)
    assert "one seed of 3 can be compared: no interval" in found.notes
    three = plant(tmp_path, a=[90.0, 91.0, 92.0], b=[80.0, None, None], c=[70.0, None, None])
    best = Best(statistic="best", study="own", variant="a", **WORDS)
    assert "one seed of 3 can be compared: no bootstrap" in judged(best, three, loaded).notes


def test_a_reduced_scale_can_only_say_that_it_cannot_say(loaded, tmp_path):
    found = judged(contrast(), plant(tmp_path, scale="small", a=UP, b=B), loaded)
    assert found.verdict == "not testable at this scale" and found.value == pytest.approx(2.02)


WORDS = {"id": 1, "report": "A", "statement": "a is better"}
FREE = {
    "scale_free": "Both are reduced alike.",
    "quantity": "seconds",
    "ratio": True,
    "margin": 0.1,
    "than": 1.0,
}


def test_a_ratio_of_times_is_decided_by_runs_with_fewer_images_if_the_claim_says_why(loaded, tmp_path):
    slow = [1.7 * value for value in UP]
    evidence = plant(tmp_path, scale="small", reduced="epochs=2", a=slow, b=B)
    found = judged(contrast(**FREE), evidence, loaded)
    assert found.verdict == "reproduced" and not found.full_scale
    assert "measured at a reduced scale, which counts: Both are reduced alike." in found.notes
    without = judged(contrast(**FREE | {"scale_free": ""}), evidence, loaded)
    assert without.verdict == "not testable at this scale"


@pytest.mark.parametrize(
    ("reduced", "why"),
    [
        ("epochs=2 width=0.5", "the network was narrower"),
        ("epochs=2 train=100", "evaluation has another share of the time"),
        (None, "its table does not say what was reduced"),
        ("", "its table does not say what was reduced"),
    ],
)
def test_a_reduced_scale_that_changes_what_is_measured_decides_nothing_and_says_why(
    reduced, why, loaded, tmp_path
):
    evidence = plant(tmp_path, scale="small", reduced=reduced, a=[1.7 * value for value in UP], b=B)
    found = judged(contrast(**FREE), evidence, loaded)
    assert found.verdict == "not testable at this scale" and why in found.notes[-1]


def test_gradients_are_counted_so_fewer_images_leave_their_ratio(loaded, tmp_path):
    free = contrast(**FREE | {"quantity": "gradients", "than": 2.0, "margin": 0.01, "expect": "same"})
    evidence = plant(tmp_path, scale="small", reduced="epochs=2 train=100", a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs.assign(gradients=[200.0] * 5 + [100.0] * 5).to_csv(path, index=False)
    assert judged(free, Evidence(evidence.folder), loaded).verdict == "reproduced"


def test_a_ratio_of_counted_gradients_is_exact(loaded, tmp_path):
    twice = FREE | {"quantity": "gradients", "than": 1.0, "margin": 0.01, "reported": 2.0}
    evidence = plant(tmp_path, a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs.assign(gradients=[200.0] * 5 + [100.0] * 5).to_csv(path, index=False)
    found = judged(contrast(**twice), Evidence(evidence.folder), loaded)
    assert found.verdict == "reproduced" and found.value == pytest.approx(2.0)
    assert not any("noise" in note for note in found.notes)
    assert judged(contrast("below", **twice), Evidence(evidence.folder), loaded).verdict == "reversed"
    runs[runs["seed"] < 2].assign(gradients=[200.0] * 2 + [100.0] * 2).to_csv(path, index=False)
    two = judged(contrast(**twice), Evidence(evidence.folder), loaded)
    assert two.verdict == "inconclusive" and any("noise" in note for note in two.notes)


def test_runs_of_two_scales_are_never_compared_to_decide_a_claim(loaded, tmp_path):
    path = tmp_path / "studies" / "own" / "runs.csv"
    for scale, reduced in (("full", ""), ("smaller", "epochs=1")):
        plant(tmp_path, scale="small", reduced="epochs=2", a=[1.7 * value for value in UP], b=B)
        runs = pd.read_csv(path)
        runs.loc[runs["variant"] == "a", ["scale", "reduced"]] = scale, reduced
        runs.to_csv(path, index=False)
        found = judged(contrast(**FREE), Evidence(tmp_path), loaded)
        assert found.verdict == "not testable at this scale" and "of several scales" in found.notes[-1]


def test_at_a_reduced_scale_only_the_divergence_of_all_runs_in_their_first_epoch_decides(loaded, tmp_path):
    nan = float("nan")
    for a, epochs, expect, wanted in (
        ([nan] * 5, 1, "all", "reproduced"),
        ([nan] * 5, 1, "none", "reversed"),
        ([nan] * 5, 2, "all", "not testable at this scale"),
        ([nan] * 4 + [80.0], 1, "all", "not testable at this scale"),
        (UP, 1, "none", "not testable at this scale"),
        (UP, 1, "all", "not testable at this scale"),
    ):
        claim = Diverged(**WORDS, statistic="diverged", cells=["own/a"], expect=expect, scale_free="At once.")
        plant(tmp_path, scale="small", reduced="epochs=2 train=100", a=a, b=B)
        path = tmp_path / "studies" / "own" / "runs.csv"
        pd.read_csv(path).assign(epochs=epochs).to_csv(path, index=False)
        assert judged(claim, Evidence(tmp_path), loaded).verdict == wanted


def test_divergence_under_a_learning_rate_that_was_shortened_with_the_epochs_decides_nothing(tmp_path):
    claim = Diverged(**WORDS, statistic="diverged", cells=["own/a"], expect="all", scale_free="At once.")
    for schedule in ("{name: cosine}", "{name: constant, warmup: 1}"):
        text = CONFIG.replace("      epochs: 2\n", f"      epochs: 2\n      schedule: {schedule}\n")
        (tmp_path / "config.yaml").write_text(text)
        config = loading.load(tmp_path / "config.yaml")
        plant(tmp_path, scale="small", reduced="epochs=1", a=[float("nan")] * 5, b=B)
        path = tmp_path / "studies" / "own" / "runs.csv"
        pd.read_csv(path).assign(epochs=1).to_csv(path, index=False)
        found = judged(claim, Evidence(tmp_path), config)
        assert found.verdict == "not testable at this scale" and "learning rate changes" in found.notes[-1]


@pytest.mark.parametrize("change", ["epochs: 3", "batch_size: 20", "data: {train: 100}"])
def test_runs_that_a_scale_does_not_reduce_alike_decide_nothing(change, tmp_path):
    """Their configuration is at the reduced scale already, where both have as many epochs."""
    text = CONFIG.replace("      a: {}", f"      a: {{{change}}}").replace(
        "seeds: [0, 1, 2, 3, 4]", "seeds: [0, 1, 2, 3, 4]\nscale: {name: small, epochs: 1}"
    )
    (tmp_path / "config.yaml").write_text(text)
    config = loading.load(tmp_path / "config.yaml")
    evidence = plant(tmp_path, scale="small", reduced="epochs=1", a=[1.7 * value for value in UP], b=B)
    found = judged(contrast(**FREE), evidence, config)
    assert found.verdict == "not testable at this scale" and "not reduced alike" in found.notes[-1]


def test_full_scale_comes_before_a_reduced_one_that_decides_and_that_before_one_that_does_not(
    loaded, tmp_path
):
    slow = [1.7 * value for value in UP]
    full = plant(tmp_path / "full", a=slow[:2], b=B[:2])
    reduced = plant(tmp_path / "reduced", scale="small", reduced="epochs=2", a=slow[:3], b=B[:3])
    narrow = plant(tmp_path / "narrow", scale="narrow", reduced="width=0.5", a=slow, b=B)
    claim = contrast(**FREE)
    sources = [narrow, reduced, full]
    assert verdicts.judge([claim], sources, loaded)[0].seeds == 2
    assert verdicts.judge([claim], sources[:2], loaded)[0].seeds == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"statistic": "contrast", "contrast": {"own/a": 1}, "expect": "above"},
        {"statistic": "contrast", "contrast": {"own/a": 1}, "expect": "above", "quantity": "seconds"},
        {"statistic": "contrast", "contrast": {"own/a": 1, "own/b": -1}, "expect": "same", "quantity": "gap"},
        {"statistic": "best", "study": "own", "variant": "a"},
        {"statistic": "rank_correlation", "study": "own"},
        {"statistic": "contrast", "contrast": {"prunings/p/a/path/80": 1}, "expect": "above", **FREE},
        {"statistic": "contrast", "contrast": {"own/a": 1}, "expect": "above", **FREE},
        {"statistic": "contrast", "contrast": {"own/a": 2, "own/b": -1}, "expect": "above", **FREE},
        {
            **{"statistic": "contrast", "contrast": {"x": 1, "own/b": -1}, "expect": "above", **FREE},
            "best_of": {"x": ["own/a", "own/c"]},
        },
        {
            **{"statistic": "contrast", "contrast": {"own/a": 1}, "expect": "above"},
            "quantity": "step_loss_difference",
        },
    ],
)
def test_a_claim_about_what_depends_on_images_and_epochs_is_not_scale_free(wrong, tmp_path, loaded):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": [{**WORDS, "scale_free": "Because.", **wrong}]}))
    with pytest.raises(ConfigError, match="scale_free: what this claim measures depends on images"):
        load_claims(path, loaded)


BEST = Best(**WORDS, statistic="best", study="own", variant="a")
CORRELATED = RankCorrelation(**WORDS, statistic="rank_correlation", study="own")
NARROWED = Probed(**WORDS, statistic="probed", study="own", row={}, expect="below")


@pytest.mark.parametrize(
    ("claim", "numbers", "wanted"),
    [
        (contrast(), {"value": 1.0}, True),
        (contrast(), {"value": -1.0}, False),
        (contrast("below"), {"value": -1.0}, True),
        (contrast("below"), {"value": 0.0}, None),
        (contrast("same"), {"value": 0.4}, None),
        (contrast("reached", reported=97.0), {"value": 90.0}, None),
        (contrast(), {}, None),
        (BEST, {"value": 0.49, "rival": 0.3}, True),
        (BEST, {"value": 0.3, "rival": 0.49}, False),
        (CORRELATED, {"value": -0.3}, False),
        (NARROWED, {"value": 0.9, "neutral": 1.0}, True),
        (Diverged(**WORDS, statistic="diverged", cells=["own/a"], expect="all"), {"value": 1.0}, None),
    ],
)
def test_the_direction_of_a_reduced_result_is_compared_with_the_claimed_one(claim, numbers, wanted):
    found = verdicts.Judgement(claim=claim, verdict="not testable at this scale", **numbers)
    assert verdicts.direction(found) is wanted
    words = {True: ", in the claimed direction", False: ", in the other direction", None: ""}
    assert claims_table.pointing(found) == words[wanted]
    assert claims_table.pointing(replace(found, verdict="inconclusive")) == ""


def test_a_missing_cell_is_named(loaded, tmp_path):
    found = judged(contrast(), plant(tmp_path, a=UP), loaded)
    assert found.verdict == "not run" and found.notes == ("not run: own/b",)


def test_diverged_runs_enter_no_mean_and_are_counted_in_sight(loaded, tmp_path):
    a = [*UP[:4], float("nan")]
    found = judged(contrast(), plant(tmp_path, a=a, b=B), loaded)
    assert found.seeds == 4 and found.value == pytest.approx(np.mean([2.0, 2.3, 1.8, 2.1]))
    assert "diverged, excluded from means: 1 of own/a" in found.notes


def test_the_false_alarms_of_a_study_stay_at_5_of_100_however_many_claims_it_has(loaded, tmp_path):
    """Holm: three claims without any effect, of which one is called real in at most 5 of 100 studies."""
    draw = np.random.default_rng(0)
    pairs = (("a", "b"), ("a", "c"), ("b", "c"))
    many = [contrast(id=i + 1, contrast={f"own/{x}": 1, f"own/{y}": -1}) for i, (x, y) in enumerate(pairs)]
    alarms = []
    for _ in range(400):
        values = {name: draw.normal(80, 1, 5).tolist() for name in "abc"}
        found = verdicts.judge(many, [plant(tmp_path, **values)], loaded)
        alarms.append(any(f.p < 0.05 for f in found))
    assert np.mean(alarms) <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_a_planted_effect_is_found_at_the_power_of_the_t_test(loaded, tmp_path):
    draw = np.random.default_rng(1)
    found = []
    for _ in range(300):
        b = draw.normal(80, 1, 5)
        evidence = plant(tmp_path, a=(b + draw.normal(1.0, 0.5, 5)).tolist(), b=b.tolist())
        found.append(judged(contrast(), evidence, loaded).verdict)
    # power of a one-sample t test, n = 5, effect 2 standard deviations: 0.91 (noncentral t)
    assert 0.85 < found.count("reproduced") / 300 < 0.97
    assert "reversed" not in found


def test_ratios_are_of_geometric_means(loaded, tmp_path):
    evidence = plant(tmp_path, a=[20.0, 80.0], b=[10.0, 20.0])
    claim = contrast(ratio=True, than=1.0, margin=0.1, quantity="seconds", reported=2.5)
    found = judged(claim, evidence, loaded)
    assert found.value == pytest.approx(8**0.5) and found.values == {0: pytest.approx(2), 1: pytest.approx(4)}


def test_the_gap_is_clean_training_accuracy_minus_test_accuracy(loaded, tmp_path):
    found = judged(contrast(quantity="gap"), plant(tmp_path, a=[90.0, 91.0], b=[80.0, 82.0]), loaded)
    assert found.values == {0: pytest.approx(-10.0), 1: pytest.approx(-9.0)}


def test_cells_of_prunings_average_the_draws_of_a_seed(loaded, tmp_path):
    plant(tmp_path, a=UP)
    rows = [
        {"variant": "a", "seed": 0, "state": "complete", "method": "magnitude", "percent": p, "accuracy": v}
        for p, v in ((0.0, 90.0), (50.0, 80.0), (50.0, 84.0))
    ]
    (tmp_path / "prunings" / "p").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(tmp_path / "prunings" / "p" / "table.csv", index=False)
    cells = {"prunings/p/a/magnitude/50": 1, "prunings/p/a/magnitude/0": -1}
    assert judged(contrast(contrast=cells), Evidence(tmp_path), loaded).value == pytest.approx(-8.0)


HEAD = {"id": 1, "report": "A", "statement": "so it is"}


def test_the_best_of_a_study_is_best_in_95_of_100_bootstraps(loaded, tmp_path):
    best = Best(**HEAD, statistic="best", study="own", variant="a")
    found = judged(best, plant(tmp_path, a=UP, b=B, c=SAME), loaded)
    assert (found.verdict, found.value) == ("reproduced", 1.0)
    assert judged(best, plant(tmp_path, a=B, b=UP, c=SAME), loaded).verdict == "reversed"
    assert judged(best, plant(tmp_path, a=NOISY, b=B, c=SAME), loaded).verdict == "inconclusive"
    one = judged(best, plant(tmp_path, a=[90.0], b=[80.0], c=[70.0]), loaded)
    assert one.verdict == "inconclusive" and one.notes == ("a single seed: no bootstrap",)


def test_divergence_is_counted_and_not_averaged(loaded, tmp_path):
    nan = float("nan")
    never = Diverged(**HEAD, statistic="diverged", cells=["own/a", "own/b"], expect="none")
    assert judged(never, plant(tmp_path, a=UP, b=B), loaded).verdict == "reproduced"
    found = judged(never, plant(tmp_path, a=[nan] * 5, b=[nan] * 5), loaded)
    assert found.verdict == "reversed" and found.notes == (
        "own/a: 5 of 5 runs diverged",
        "own/b: 5 of 5 runs diverged",
    )
    assert judged(never, plant(tmp_path, a=UP, b=[nan] * 5), loaded).verdict == "inconclusive"


def ranked(folder, loaded, **values):
    """Judge a rank correlation of planted values, the variants' parameters rising with the alphabet."""
    plant(folder, **values)
    path = folder / "studies" / "own" / "runs.csv"
    table = pd.read_csv(path)
    table["parameters"] = table["variant"].map({name: i for i, name in enumerate("abcde", 1)})
    table.to_csv(path, index=False)
    claim = RankCorrelation(**HEAD, statistic="rank_correlation", study="own")
    return judged(claim, Evidence(folder), loaded)


def test_a_rank_correlation_is_judged_by_its_interval_and_by_what_chance_gives(many, loaded, tmp_path):
    rising = {name: [float(i), i + 0.1, i + 0.2] for i, name in enumerate("abcde")}
    found = ranked(tmp_path, many, **rising)
    assert (found.value, found.verdict) == (pytest.approx(1.0), "reproduced")
    assert found.p == pytest.approx(2 / 120)  # two of the 5! orders are as strong
    falling = {name: values[::-1] for name, values in zip("edcba", rising.values(), strict=True)}
    assert ranked(tmp_path, many, **falling).verdict == "reversed"
    three = {name: rising[name] for name in "abc"}
    found = ranked(tmp_path, loaded, **three)  # as clear, but chance orders three so one time in three
    assert (found.p, found.verdict) == (pytest.approx(2 / 6), "inconclusive")
    noisy = {name: [float(i), 4.0 - i] for i, name in enumerate("abcde")}
    assert ranked(tmp_path, many, **noisy).verdict == "inconclusive"


def probed(folder, loaded, row, **measured):
    """Judge a claim about a planted row of a study's probes, below the value of no effect."""
    plant(folder, a=UP, b=UP, c=UP)
    columns = ("ratio", "ratio_low", "ratio_high", "difference", "difference_half_width")
    content = row | dict.fromkeys(columns) | {"seeds": 5} | measured
    rows = pd.DataFrame([content, content | {"layer": "conv1"}])
    rows.to_csv(folder / "studies" / "own" / "probes_table.csv", index=False)
    claim = Probed(**HEAD, statistic="probed", study="own", row=row, expect="below")
    return judged(claim, Evidence(folder), loaded)


@pytest.mark.parametrize(
    ("low", "high", "wanted"), [(0.4, 0.9, "reproduced"), (1.2, 2.0, "reversed"), (0.5, 1.6, "inconclusive")]
)
def test_a_probed_ratio_is_judged_by_its_interval(low, high, wanted, loaded, tmp_path):
    interval = {"ratio": (low * high) ** 0.5, "ratio_low": low, "ratio_high": high}
    row = {"quantity": "beta", "layer": "all"}
    found = probed(tmp_path, loaded, row, **interval)
    assert (found.verdict, found.low, found.high) == (wanted, low, high)
    vague = probed(tmp_path, loaded, {"quantity": "beta"}, layer="all", **interval)
    assert (
        vague.notes == ("row selects 2 rows of the study's probes, not one",) and vague.verdict == "not run"
    )


@pytest.mark.parametrize(
    ("difference", "wanted"), [(-0.2, "reproduced"), (0.2, "reversed"), (0.05, "inconclusive")]
)
def test_a_probed_cosine_is_judged_by_its_difference(difference, wanted, loaded, tmp_path):
    row = {"quantity": "ics_cosine", "layer": "conv2"}
    found = probed(tmp_path, loaded, row, difference=difference, difference_half_width=0.1)
    assert (found.verdict, found.low) == (wanted, pytest.approx(difference - 0.1))


def test_probed_checks_of_one_study_are_adjusted_too(loaded, tmp_path):
    row = {"quantity": "beta", "layer": "all"}
    found = probed(tmp_path, loaded, row, ratio=0.8, ratio_low=0.7, ratio_high=0.8**2 / 0.7)
    assert found.verdict == "reproduced"
    many = [found.claim.model_copy(update={"id": i}) for i in range(1, 8)]
    again = verdicts.judge(many, [Evidence(tmp_path)], loaded)
    assert {j.verdict for j in again} == {"inconclusive"} and again[0].p == pytest.approx(7 * found.p)


def test_the_claims_of_both_reports_are_all_there_and_about_what_config_has():
    root = Path(__file__).parents[2]
    found = load_claims(root / "claims.yaml", loading.load(root / "config.yaml"))
    assert [claim.id for claim in found] == list(range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contrast: {own/a: 1, own/z: -1}", "claim 1: own: unknown name 'z'. Allowed: a, b, c"),
        ("contrast: {owm/a: 1}", "study: unknown name 'owm'. Allowed: own. Did you mean 'own'"),
        ("contrast: {prunings/q/a/magnitude/0: 1}", "prunings: unknown name 'q'. Allowed: p"),
        ("contrast: {prunings/p/a: 1}", "allowed: prunings/<name>/<variant>/…, with 5 parts"),
        ("contrast: {}", "contrast"),
        (
            "contrast: {own/a: 1}, quantity: acuracy",
            "quantity: unknown name 'acuracy'. Allowed: last, selected",
        ),
        ("contrast: {own/a: 1}, expekt: above", "unknown key 'expekt'. Allowed:"),
        ("contrast: {own/a: 1}, reported: .nan", "allowed: a finite number"),
    ],
)
def test_what_a_claim_names_wrongly_is_a_fault_with_its_path(text, message, loaded, tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(
        f"claims: [{{id: 1, report: A, statement: so, statistic: contrast, expect: above, {text}}}]"
    )
    with pytest.raises(ConfigError) as error:
        load_claims(path, loaded)
    assert message in str(error.value)


@pytest.mark.parametrize("statistic", ["[contrast]", "{contrast: 1}", "5"])
def test_a_statistic_of_a_wrong_type_is_a_fault(statistic, loaded, tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(f"claims: [{{id: 1, report: A, statement: so, statistic: {statistic}}}]")
    with pytest.raises(ConfigError, match="statistic"):
        load_claims(path, loaded)


def test_an_id_given_twice_is_a_fault(loaded, tmp_path):
    one = "{id: 1, report: A, statement: so, statistic: unmeasured}"
    (tmp_path / "claims.yaml").write_text(f"claims: [{one}, {one}]")
    with pytest.raises(ConfigError, match="claim 1: its id is given twice"):
        load_claims(tmp_path / "claims.yaml", loaded)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contrast: {own: 1}", "'own'; allowed: <study>/<variant>, or a name of best_of"),
        (
            "contrast: {prunings/p/a/magnitudo/0: 1}",
            "prunings.p: unknown name 'magnitudo'. Allowed: magnitude",
        ),
        ("contrast: {prunings/p/a/magnitude/5: 1}", "prunings.p: unknown name '5'. Allowed: 0, 50"),
        ("contrast: {own/a: 1}, best_of: {x: [own/a]}", "best_of: unknown name 'x'. Allowed: own/a"),
        ("contrast: {x: 1}, best_of: {x: [own/z]}", "own: unknown name 'z'. Allowed: a, b, c"),
        ("contrast: {own/a: 1}, quantity: support", "support_<layer>"),
        (
            "contrast: {own/a: 1}, ratio: true, than: 1, margin: 0.1, reported: 0",
            "a ratio needs a reported above 0",
        ),
        ("contrast: {prunings: 1}", "'prunings'; allowed: prunings/<name>/<variant>/…, with 5 parts"),
        ("contrast: {own/a: 1}, quantity: seconds", "margin: required, since the default of 0.5 is for"),
        ("contrast: {own/a: 1}, quantity: epochs_to_70", "percentage points, not: epochs"),
        ("contrast: {own/a: 1, own/b: 0}", "contrast.own/b has the weight 0, which measures nothing"),
        (
            "contrast: {own/a: 1}, also: [{statement: so, statistic: best, study: own, variant: a, "
            "reported: 9}]",
            "no number of this statistic is compared with the paper's",
        ),
        (
            "contrast: {own/a: 1}, also: [{statement: so, statistic: diverged, expect: all, cells: [own/a], "
            "reported: 1}]",
            "no number of this statistic is compared with the paper's",
        ),
        (
            "contrast: {own/a: 1}, also: [{statement: so, statistic: probed, study: own, row: {}, "
            "expect: above}]",
            "study: own has no probes",
        ),
        (
            "contrast: {own/a: 1}, also: [{statement: so, statistic: contrast}]",
            "also.0.contrast: required key is missing",
        ),
        (
            "contrast: {own/a: 1}, also: [{statement: so, statistic: diverged, expect: all, cells: [own/z]}]",
            "claim 1: own: unknown name 'z'. Allowed: a, b, c",
        ),
    ],
)
def test_faults_of_values_best_choices_and_further_checks_are_reported(text, message, loaded, tmp_path):
    test_what_a_claim_names_wrongly_is_a_fault_with_its_path(text, message, loaded, tmp_path)


def test_the_best_of_several_is_chosen_by_training_accuracy_and_never_by_the_test_set(loaded, tmp_path):
    evidence = plant(tmp_path, a=[90.0, 91.0], b=[50.0, 51.0], c=[40.0, 42.0])
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs["train"] = runs["variant"].map({"a": 60.0, "b": 70.0, "c": 0.0})
    runs.to_csv(path, index=False)
    claim = contrast(contrast={"best": 1, "own/c": -1}, best_of={"best": ["own/a", "own/b"]})
    found = judged(claim, Evidence(evidence.folder), loaded)
    # b, of lower test accuracy
    assert found.values == {0: pytest.approx(10.0), 1: pytest.approx(9.0)}
    assert "best: own/b trains best" in found.notes


def test_a_setting_with_a_diverged_run_is_no_best_one(loaded, tmp_path):
    evidence = plant(tmp_path, a=[90.0, float("nan")], b=[50.0, 51.0])
    assert evidence.trains_best(["own/a", "own/b"]) == "own/b"
    assert evidence.trains_best(["own/a"]) == "own/a"
    assert evidence.trains_best(["own/z"]) is None


def test_what_never_reached_70_percent_counts_as_an_epoch_more_than_it_had(loaded, tmp_path):
    evidence = plant(tmp_path, a=[60.0, 61.0], b=[80.0, 81.0])
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path).assign(epochs=20)
    runs["epochs_to_70"] = [None, 18.0, 5.0, 6.0]
    runs.to_csv(path, index=False)
    found = judged(contrast(quantity="epochs_to_70"), Evidence(evidence.folder), loaded)
    assert found.values == {0: pytest.approx(16.0), 1: pytest.approx(12.0)}
    assert "did not reach 70 %, counted as one epoch more than the run had: 1 of own/a" in found.notes


def test_a_further_check_has_a_verdict_of_its_own_and_does_not_change_the_claims(loaded, tmp_path):
    check = contrast("below", statement="the other way round")
    found = judged(contrast(also=[check]), plant(tmp_path, a=UP, b=B), loaded)
    assert found.verdict == "reproduced" and [other.verdict for other in found.also] == ["reversed"]


def test_further_checks_count_in_holms_adjustment(loaded, tmp_path):
    evidence = plant(tmp_path, a=UP, b=B)
    alone = judged(contrast(), evidence, loaded).p
    assert judged(contrast(also=[contrast(), contrast()]), evidence, loaded).p == pytest.approx(3 * alone)


def test_a_verdict_that_the_adjustment_holds_back_says_so(loaded, tmp_path):
    little = [v + d for v, d in zip(B, (2.0, 2.3, 0.2, 2.1, 0.9), strict=True)]
    evidence = plant(tmp_path, a=little, b=B)
    enough = math.ceil(0.05 / judged(contrast(), evidence, loaded).p)
    found = judged(contrast(also=[contrast() for _ in range(enough)]), evidence, loaded)
    assert found.verdict == "inconclusive" and found.low > 0
    assert any("after adjustment for the claims of this study; needed: 0.04" in note for note in found.notes)
    assert not any("adjustment" in note for note in judged(contrast(), evidence, loaded).notes)


def test_sources_are_judged_apart_and_the_verdict_is_that_of_full_scale_then_of_most_seeds(loaded, tmp_path):
    def source(name, scale, a):
        plant(tmp_path / name, scale=scale, a=a, b=B[: len(a)])
        return Evidence(tmp_path / name, name)

    small = source("small", "reduced", UP)
    few, many = source("few", "full", [v - 4 for v in UP[:2]]), source("many", "full", NOISY[:4])
    (found,) = verdicts.judge([contrast()], [small, few, many], loaded)
    assert (found.source, found.seeds, found.verdict) == ("many", 4, "inconclusive")
    assert [(f.source, f.seeds) for f in found.elsewhere] == [("small", 5), ("few", 2)]
    (found,) = verdicts.judge([contrast()], [small, Evidence(tmp_path / "nothing", "nothing")], loaded)
    assert (found.source, found.verdict, found.elsewhere) == ("small", "not testable at this scale", ())
    (found,) = verdicts.judge([contrast()], [Evidence(tmp_path / "nothing", "nothing")], loaded)
    assert found.verdict == "not run"


@pytest.mark.parametrize(("counts", "p"), [((10, 0), "0.002"), ((5, 5), "1")])
def test_mcnemars_test_is_noted_for_a_variant_against_its_studys_reference(counts, p, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("title: Two", "title: Two\n    reference: b"))
    with_reference = loading.load(tmp_path / "config.yaml")
    plant(tmp_path, a=UP[:1], b=B[:1])
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs.loc[runs["variant"] == "a", ["right_alone", "reference_right_alone"]] = counts
    runs.to_csv(path, index=False)
    note = f"McNemar's test of these networks on the test images: p by seed {p}"
    assert note in judged(contrast(), Evidence(tmp_path), with_reference).notes
    other_way = contrast(contrast={"own/b": 1, "own/a": -1})  # a is not the reference
    assert not any("McNemar" in n for n in judged(other_way, Evidence(tmp_path), with_reference).notes)


def test_networks_that_were_tested_on_other_images_are_not_compared_by_mcnemars_test(tmp_path):
    other = CONFIG.replace("title: Two", "title: Two\n    reference: b")
    other = other.replace("b: {optimizer: {lr: 0.2}}", "b: {data: {test: 100}}")
    (tmp_path / "config.yaml").write_text(other)
    plant(tmp_path, a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    pd.read_csv(path).assign(right_alone=3, reference_right_alone=5).to_csv(path, index=False)
    found = judged(contrast(), Evidence(tmp_path), loading.load(tmp_path / "config.yaml"))
    assert not any("McNemar" in note for note in found.notes)


def test_between_which_points_of_a_scale_the_best_lies_is_reported(loaded, tmp_path):
    best = Best(**HEAD, statistic="best", study="own", variant="a", ordered=True)
    found = judged(best, plant(tmp_path, a=NOISY, b=B, c=[70.0] * 5), loaded)
    assert "96 % of bootstraps: own/a … own/b" in found.notes


def test_bootstraps_of_few_seeds_decide_nothing(loaded, tmp_path):
    best = Best(**HEAD, statistic="best", study="own", variant="a")
    few = plant(tmp_path, a=UP[:4], b=B[:4], c=B[:4])
    assert judged(best, few, loaded).verdict == "inconclusive"


def test_a_point_of_a_scale_is_refuted_only_outside_the_interval_of_the_best(loaded, tmp_path):
    best = Best(**HEAD, statistic="best", study="own", variant="a", ordered=True)
    beside = plant(tmp_path, a=SAME, b=NOISY, c=[70.0] * 5)
    assert judged(best, beside, loaded).verdict == "inconclusive"
    assert judged(best, plant(tmp_path, a=[70.0] * 5, b=NOISY, c=SAME), loaded).verdict == "reversed"


def test_a_best_of_six_equal_variants_is_found_in_few_of_100(many, tmp_path):
    """What bootstraps of five seeds come to where no variant is better than the others."""
    best = Best(**HEAD, statistic="best", study="own", variant="a")
    draw = np.random.default_rng(2)
    found = []
    for _ in range(100):
        evidence = plant(tmp_path, **{name: draw.normal(80, 1, 5).tolist() for name in "abcde"})
        found.append(judged(best, evidence, many).verdict)
    assert found.count("reproduced") <= 5 and found.count("reversed") <= 8


def test_a_claim_with_a_missing_cell_is_not_run_and_names_it(loaded, tmp_path):
    evidence = plant(tmp_path, a=UP, b=B, c=[None] * 5)
    best = judged(Best(**HEAD, statistic="best", study="own", variant="a"), evidence, loaded)
    never = Diverged(**HEAD, statistic="diverged", cells=["own/a", "own/c"], expect="none")
    group = contrast(contrast={"x": 1, "own/b": -1}, best_of={"x": ["own/a", "own/c"]})
    for found in (best, judged(never, evidence, loaded), judged(group, evidence, loaded)):
        assert (found.verdict, found.value, found.notes) == ("not run", None, ("not run: own/c",))


def test_what_diverged_altogether_is_inconclusive_and_counted(loaded, many, tmp_path):
    nan = float("nan")
    found = judged(contrast(), plant(tmp_path, a=[nan] * 5, b=B), loaded)
    assert found.verdict == "inconclusive" and "diverged, excluded from means: 5 of own/a" in found.notes
    found = judged(contrast(), plant(tmp_path, a=[90.0, nan], b=[nan, 80.0]), loaded)
    assert found.verdict == "inconclusive" and "no seed has a value for every variant" in found.notes
    best = Best(**HEAD, statistic="best", study="own", variant="a")
    found = judged(best, plant(tmp_path, a=UP, b=B, c=[nan] * 5, d=B, e=B), many)
    assert found.verdict == "reproduced" and "diverged, excluded from means: 5 of own/c" in found.notes


def test_a_quantity_that_an_older_table_lacks_is_not_run_and_says_so(loaded, tmp_path):
    found = judged(contrast(quantity="gradients"), plant(tmp_path, a=UP, b=B), loaded)
    assert found.verdict == "not run"
    assert found.notes == ("no complete run has a finite value of gradients: own/a, own/b",)


def test_a_diverged_run_has_numbers_that_enter_no_mean(loaded, tmp_path):
    """As real ones have: those of the epochs before."""
    plant(tmp_path, a=[*UP[:4], 10.0], b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs.loc[4, "state"] = "diverged"
    runs.to_csv(path, index=False)
    assert judged(contrast(), Evidence(tmp_path), loaded).seeds == 4


def test_results_of_unknown_scale_cannot_say_anything(loaded, tmp_path):
    plant(tmp_path, a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    pd.read_csv(path).drop(columns="scale").to_csv(path, index=False)
    assert judged(contrast(), Evidence(tmp_path), loaded).verdict == "not testable at this scale"


def test_where_nothing_reached_70_percent_nothing_can_be_compared(loaded, tmp_path):
    plant(tmp_path, a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    pd.read_csv(path).assign(epochs=20, epochs_to_70=np.nan).to_csv(path, index=False)
    found = judged(contrast(quantity="epochs_to_70"), Evidence(tmp_path), loaded)
    assert found.verdict == "inconclusive" and "no run reached 70 %" in found.notes[-1]


def test_a_ratio_leaves_out_what_is_not_above_zero(loaded, tmp_path):
    evidence = plant(tmp_path, a=[20.0, 0.0, 40.0], b=[10.0, 10.0, 10.0])
    claim = contrast(ratio=True, than=1.0, margin=0.1, quantity="seconds")
    found = judged(claim, evidence, loaded)
    assert (
        found.value == pytest.approx(8**0.5)
        and "left out, since a ratio needs values above 0: seed 1" in found.notes
    )


@pytest.mark.parametrize(("than", "margin", "wanted"), [(2.0, 0.1, "reproduced"), (1.0, 0.1, "reversed")])
def test_a_ratio_is_against_than_and_within_a_share(than, margin, wanted, loaded, tmp_path):
    evidence = plant(tmp_path, a=[20.0, 20.2, 19.8, 20.1, 19.9], b=[10.0] * 5)
    claim = contrast("same", ratio=True, than=than, margin=margin, quantity="seconds")
    assert judged(claim, evidence, loaded).verdict == wanted


def test_the_margin_of_a_claim_is_its_own(loaded, tmp_path):
    evidence = plant(tmp_path, a=SAME, b=B)
    assert judged(contrast("same", margin=0.5), evidence, loaded).verdict == "reproduced"
    assert judged(contrast("same", margin=0.01), evidence, loaded).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([97.0, 97.5, 97.2, 97.6, 97.3], "reproduced"),
        ([97.09, 97.10, 97.11, 97.12, 97.10], "reversed"),
        ([98.0, 98.1, 98.05, 98.0, 98.1], "direction only"),
        ([96.0, 98.5], "inconclusive"),
        ([97.3], "inconclusive"),
    ],
)
def test_a_number_is_reached_if_one_run_could_give_it_and_that_is_known(values, wanted, loaded, tmp_path):
    claim = contrast("reached", contrast={"own/a": 1}, than=97.33, reported=97.33)
    assert judged(claim, plant(tmp_path, a=values), loaded).verdict == wanted


def test_a_reported_number_of_zero_is_compared_as_any_other(loaded, tmp_path):
    evidence = plant(tmp_path, a=[0.3, -0.3, 0.1, -0.1, 0.0])
    claim = contrast("reached", contrast={"own/a": 1}, reported=0.0)
    assert judged(claim, evidence, loaded).verdict == "reproduced"


@pytest.mark.parametrize(("margin", "wanted"), [(0.1, "reproduced"), (0.001, "inconclusive")])
@pytest.mark.parametrize(("over", "under", "reported"), [("a", "b", 11.0), ("b", "a", 1 / 11)])
def test_a_reached_ratio_is_known_to_within_a_share_whichever_way_it_is_taken(
    over, under, reported, margin, wanted, loaded, tmp_path
):
    evidence = plant(tmp_path, a=[108.0, 112.0, 114.0, 110.0, 106.0], b=[10.0] * 5)
    cells = {f"own/{over}": 1, f"own/{under}": -1}
    asked = {"ratio": True, "than": 1.0, "margin": margin, "quantity": "seconds", "reported": reported}
    claim = contrast("reached", contrast=cells, **asked)
    assert judged(claim, evidence, loaded).verdict == wanted


def test_a_needed_check_limits_a_verdict(loaded, tmp_path):
    check = contrast("same", statement="as good", contrast={"own/c": 1, "own/b": -1}, needed=True)
    evidence = plant(tmp_path, a=UP, b=B, c=NOISY)
    found = judged(contrast(also=[check]), evidence, loaded)
    assert found.verdict == "inconclusive" and "needed check: as good (inconclusive)" in found.notes
    assert judged(contrast(also=[check]), plant(tmp_path, a=UP, b=B, c=SAME), loaded).verdict == "reproduced"


def test_a_further_check_may_come_from_another_source(loaded, tmp_path):
    check = contrast(statement="elsewhere", contrast={"own/c": 1, "own/b": -1})
    first, second = plant(tmp_path / "x", a=UP, b=B), plant(tmp_path / "y", b=B, c=UP)
    sources = [Evidence(first.folder, "x"), Evidence(second.folder, "y")]
    (found,) = verdicts.judge([contrast(also=[check])], sources, loaded)
    assert (found.source, found.also[0].source, found.also[0].verdict) == ("x", "y", "reproduced")


def test_mcnemars_test_is_about_accuracies_only(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("title: Two", "title: Two\n    reference: b"))
    plant(tmp_path, a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    pd.read_csv(path).assign(right_alone=3, reference_right_alone=5).to_csv(path, index=False)
    found = judged(contrast(quantity="gap"), Evidence(tmp_path), loading.load(tmp_path / "config.yaml"))
    assert not any("McNemar" in note for note in found.notes)


@pytest.mark.parametrize("name", ["1", "0.5", "1e-3", "NA", "null", "True"])
def test_a_variant_may_be_called_like_a_number_or_like_nothing(name, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("      c: {", f"      '{name}': {{"))
    evidence = plant(tmp_path, **{name: UP, "b": B})
    claim = contrast(contrast={f"own/{name}": 1, "own/b": -1})
    assert judged(claim, evidence, loading.load(tmp_path / "config.yaml")).verdict == "reproduced"


def test_an_interpretation_is_judged_at_the_layer_it_names(tmp_path):
    view = "view: {feature_maps: [conv1], grad_cam: [conv1, conv2], images: 2}"
    content = CONFIG.partition("prunings:")[0].replace("name: mlp", "name: cnn")
    content += f"interpretations:\n  i: {{title: I, study: own, variants: [a], {view}}}\n"
    loaded = loading.load(_written(tmp_path / "config.yaml", content))
    plant(tmp_path, a=UP)
    rows = [
        {"variant": "a", "seed": seed, "state": "complete", "layer": layer, "grad_cam": area, "random": 0.5}
        for seed in range(3)
        for layer, area in (("conv1", 0.3 + seed / 100), ("conv2", 0.9))
    ]
    (tmp_path / "interpretations" / "i").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(tmp_path / "interpretations" / "i" / "table.csv", index=False)
    cell = "interpretations/i/a/conv1"
    claim = contrast("below", contrast={f"{cell}/grad_cam": 1, f"{cell}/random": -1})
    assert judged(claim, Evidence(tmp_path), loaded).value == pytest.approx(0.31 - 0.5)


def test_holm_counts_the_claims_of_a_study_and_not_those_of_others(tmp_path):
    own = CONFIG.partition("studies:\n")[2].partition("prunings:")[0]
    two = CONFIG.replace("prunings:", own.replace("  own:", "  other:", 1) + "prunings:")
    loaded = loading.load(_written(tmp_path / "config.yaml", two))
    plant(tmp_path, a=UP, b=B)
    (tmp_path / "studies" / "other").mkdir()
    runs = (tmp_path / "studies" / "own" / "runs.csv").read_text()
    (tmp_path / "studies" / "other" / "runs.csv").write_text(runs)
    other = contrast(id=2, contrast={"other/a": 1, "other/b": -1})
    given = ([contrast()], [contrast(), other])
    alone, both = (verdicts.judge(claims, [Evidence(tmp_path)], loaded)[0].p for claims in given)
    assert both == alone


def test_tables_that_pj_did_not_write_are_one_clear_message(loaded, tmp_path):
    plant(tmp_path, a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    for broken in (
        "variant,state\na,complete\n",
        "variant,seed,state\na,0,complete,1,2\nb,0\nc,1,2,3,4,5,6\n",
    ):
        path.write_text(broken)
        with pytest.raises(UserError, match=r"runs\.csv"):
            judged(contrast(), Evidence(tmp_path), loaded)


@pytest.mark.parametrize("line", ["a,x,complete,80.0,99.0", "a,0,complete,9O.1,99.0"])
def test_a_damaged_number_in_a_table_is_one_clear_message(line, loaded, tmp_path):
    plant(tmp_path, a=UP, b=B)
    path = tmp_path / "studies" / "own" / "runs.csv"
    path.write_text(f"variant,seed,state,selected,train\n{line}\nb,0,complete,80.0,99.0\n")
    with pytest.raises(UserError, match=r"damaged.* is not a number"):
        judged(contrast(), Evidence(tmp_path), loaded)


def _written(path, text):
    path.write_text(text)
    return path


def test_without_any_spread_over_seeds_no_difference_is_judged(loaded, tmp_path):
    """Such as networks that all predict one class."""
    found = judged(contrast(reported=0.8), plant(tmp_path, a=[19.0] * 5, b=[19.0] * 5), loaded)
    assert found.verdict == "inconclusive" and "no spread over seeds" in found.notes[-1]
    assert (
        judged(contrast("same"), plant(tmp_path, a=[19.0] * 5, b=[19.0] * 5), loaded).verdict == "reproduced"
    )


def test_the_claims_about_supports_are_in_percent_as_metrics_are():
    root = Path(__file__).parents[2]
    found = load_claims(root / "claims.yaml", loading.load(root / "config.yaml"))
    every = [check for claim in found for check in schema.checks(claim)]
    about = [check for check in every if getattr(check, "quantity", "").startswith("support_")]
    assert about and all(check.than == 100 for check in about)


def test_the_scorecards_csv_has_a_claims_prediction_and_its_further_checks_marked_as_such(loaded, tmp_path):
    check = contrast("same", statement="as good", contrast={"own/c": 1, "own/b": -1})
    found = judged(contrast(also=[check]), plant(tmp_path, a=UP, b=B, c=SAME), loaded)
    main, further = claims_table.table([found]).to_dict("records")
    assert (main["main"], further["main"], further["statement"]) == (True, False, "as good")
    difference = np.subtract(UP, B)
    half = 2.7764 * difference.std(ddof=1) * (1 + 1 / len(B)) ** 0.5  # of one more run
    ends = [difference.mean() - half, difference.mean() + half]
    assert [main["predicted_low"], main["predicted_high"]] == pytest.approx(ends, rel=1e-4)


@pytest.mark.parametrize(("margin", "wanted"), [(0.05, "+2.020 ("), (0.5, "+2.02 (")])
def test_a_claim_of_a_small_margin_has_a_third_decimal(margin, wanted, loaded, tmp_path):
    found = judged(contrast(margin=margin), plant(tmp_path, a=UP, b=B), loaded)
    assert claims_table.shown(found).startswith(wanted)


def test_the_scorecard_says_why_a_claim_is_not_measured():
    claim = Unmeasured(**HEAD, statistic="unmeasured", note="needs ImageNet")
    found = [verdicts.Judgement(claim=claim)]
    assert claims_table.sheet(found, []).table["notes"].tolist() == ["needs ImageNet"]
    assert claims_table.table(found)["notes"].tolist() == ["needs ImageNet"]


def test_the_values_behind_a_claim_about_an_analysis_are_not_called_test_accuracies(loaded, tmp_path):
    plant(tmp_path, a=UP, b=B)
    cells = {"prunings/p/a/magnitude/50": 1, "prunings/p/a/magnitude/0": -1}
    for claim, heading in ((contrast(contrast=cells), ""), (contrast(), "test accuracy, selected epoch")):
        found = verdicts.Judgement(claim=claim)
        assert html._numbers(found, Source(Evidence(tmp_path), loaded))["quantity"] == heading
