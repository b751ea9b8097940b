"""Verdicts on planted evidence: each of them reached, at its rate, and only from what may count."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pj import claims, config, verdicts
from pj.claims import Best, Contrast, Diverged, Probed, RankCorrelation
from pj.config import ConfigError
from pj.evidence import Evidence

CONFIG = """
seeds: [0, 1, 2, 3, 4]
datasets: {digits: {source: digits}}
studies:
  own:
    title: Two
    base:
      data: {name: digits}
      model: {name: mlp}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.1}
      epochs: 2
      batch_size: 10
    variants:
      a: {}
      b: {optimizer: {lr: 0.2}}
      c: {optimizer: {lr: 0.3}}
prunings:
  p: {title: P, study: own, methods: {a: [magnitude]}, settings: {layers: [linear1], percents: [0, 50]}}
"""


@pytest.fixture
def loaded(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    return config.load(tmp_path / "config.yaml")


def plant(folder: Path, scale="full", **variants) -> Evidence:
    """Write the runs of study ``own``: by variant what each seed came to; None is missing, NaN diverged."""
    rows = []
    for name, values in variants.items():
        for seed, value in enumerate(values):
            state = "missing" if value is None else "diverged" if np.isnan(value) else "complete"
            row = {"variant": name, "seed": seed, "state": state, "best_test": value, "parameters": 100}
            rows.append(row | {"train": 99.0, "selected": value, "seconds": value, "scale": scale})
    path = folder / "studies" / "own"
    path.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path / "runs.csv", index=False)
    return Evidence(folder)


def contrast(expect="above", **changes):
    frame = {"id": 1, "report": "A", "statement": "a is better", "statistic": "contrast"}
    return Contrast(**{**frame, "contrast": {"own/a": 1, "own/b": -1}, "expect": expect, **changes})


def judged(claim, evidence, loaded):
    (found,) = verdicts.judge([claim], [evidence], loaded)
    return found


B = [80.0, 81.0, 79.5, 80.5, 80.2]
UP = [v + d for v, d in zip(B, (2.0, 2.3, 1.8, 2.1, 1.9), strict=True)]
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


def test_a_reduced_scale_can_only_say_that_it_cannot_say(loaded, tmp_path):
    found = judged(contrast(), plant(tmp_path, scale="small", a=UP, b=B), loaded)
    assert found.verdict == "not testable at this scale" and found.value == pytest.approx(2.02)


def test_a_missing_cell_is_named(loaded, tmp_path):
    found = judged(contrast(), plant(tmp_path, a=UP), loaded)
    assert found.verdict == "not run" and found.notes == ("not run: own/b",)


def test_diverged_runs_enter_no_mean_and_are_counted_in_sight(loaded, tmp_path):
    a = [*UP[:4], float("nan")]
    found = judged(contrast(), plant(tmp_path, a=a, b=B), loaded)
    assert found.seeds == 4 and found.value == pytest.approx(np.mean([2.0, 2.3, 1.8, 2.1]))
    assert "diverged, in no mean: 1 of own/a" in found.notes


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
    found = judged(contrast(ratio=True, than=1.0, quantity="seconds", reported=2.5), evidence, loaded)
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
    assert judged(best, plant(tmp_path, a=[90.0], b=[80.0]), loaded).verdict == "inconclusive"


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


def test_a_rank_correlation_is_judged_by_its_interval_over_seeds(loaded, tmp_path):
    claim = RankCorrelation(**HEAD, statistic="rank_correlation", study="own")

    def of(**values):
        evidence = plant(tmp_path, **values)
        path = tmp_path / "studies" / "own" / "runs.csv"
        table = pd.read_csv(path)
        table["parameters"] = table["variant"].map({"a": 1, "b": 2, "c": 3})
        table.to_csv(path, index=False)
        return judged(claim, Evidence(evidence.folder), loaded)

    rising = of(a=[1.0] * 3, b=[2.0] * 3, c=[3.0] * 3)
    assert (rising.value, rising.verdict) == (pytest.approx(1.0), "reproduced")
    assert of(a=[3.0] * 3, b=[2.0] * 3, c=[1.0] * 3).verdict == "reversed"
    assert of(a=[1.0, 3.0], b=[2.0, 2.0], c=[3.0, 1.0]).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("low", "high", "wanted"), [(0.4, 0.8, "reproduced"), (1.2, 2.0, "reversed"), (0.5, 1.5, "inconclusive")]
)
def test_a_probed_ratio_is_judged_by_its_interval(low, high, wanted, loaded, tmp_path):
    plant(tmp_path, a=UP)
    row = {"quantity": "beta", "layer": "all", "ratio": 1.0, "ratio_low": low, "ratio_high": high, "seeds": 2}
    pd.DataFrame([row, row | {"layer": "conv1"}]).to_csv(
        tmp_path / "studies" / "own" / "probes_table.csv", index=False
    )
    row = {"quantity": "beta", "layer": "all"}
    claim = Probed(**HEAD, statistic="probed", study="own", row=row, expect="below")
    assert judged(claim, Evidence(tmp_path), loaded).verdict == wanted
    vague = claim.model_copy(update={"row": {"quantity": "beta"}})
    assert judged(vague, Evidence(tmp_path), loaded).notes == ("2 rows of the study's probes fit, not one",)


def test_the_claims_of_both_reports_are_all_there_and_about_what_config_has():
    root = Path(__file__).parents[1]
    found = claims.load(root / "claims.yaml", config.load(root / "config.yaml"))
    assert [claim.id for claim in found] == list(range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contrast: {own/a: 1, own/z: -1}", "claim 1: own: 'z'; allowed: a, b, c"),
        ("contrast: {owm/a: 1}", "study: 'owm'; allowed: own; did you mean 'own'"),
        ("contrast: {prunings/q/a/magnitude/0: 1}", "prunings: 'q'; allowed: p"),
        ("contrast: {prunings/p/a: 1}", "allowed: prunings/<name>/<variant>/…, of five parts"),
        ("contrast: {}", "contrast"),
        ("contrast: {own/a: 1}, quantity: acuracy", "quantity: 'acuracy'; allowed: last, selected"),
        ("contrast: {own/a: 1}, expekt: above", "unknown key; allowed:"),
        ("contrast: {own/a: 1}, reported: .nan", "allowed: a finite number"),
    ],
)
def test_what_a_claim_names_wrongly_is_a_fault_with_its_path(text, message, loaded, tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(
        f"claims: [{{id: 1, report: A, statement: so, statistic: contrast, expect: above, {text}}}]"
    )
    with pytest.raises(ConfigError) as error:
        claims.load(path, loaded)
    assert message in str(error.value)


def test_an_id_given_twice_is_a_fault(loaded, tmp_path):
    one = "{id: 1, report: A, statement: so, statistic: unmeasured}"
    (tmp_path / "claims.yaml").write_text(f"claims: [{one}, {one}]")
    with pytest.raises(ConfigError, match="claim 1: its id is given twice"):
        claims.load(tmp_path / "claims.yaml", loaded)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contrast: {own: 1}", "'own'; allowed: <study>/<variant>, or a name of best_of"),
        ("contrast: {prunings/p/a/magnitudo/0: 1}", "prunings.p: 'magnitudo'; allowed: magnitude"),
        ("contrast: {prunings/p/a/magnitude/5: 1}", "prunings.p: '5'; allowed: 0, 50"),
        ("contrast: {own/a: 1}, best_of: {x: [own/a]}", "best_of: 'x'; allowed: own/a"),
        ("contrast: {x: 1}, best_of: {x: [own/z]}", "own: 'z'; allowed: a, b, c"),
        ("contrast: {own/a: 1}, quantity: support", "support_<layer>"),
        ("contrast: {own/a: 1}, also: [{statement: so, statistic: contrast}]", "also.0.contrast: is missing"),
        (
            "contrast: {own/a: 1}, also: [{statement: so, statistic: diverged, expect: all, cells: [own/z]}]",
            "claim 1: own: 'z'; allowed: a, b, c",
        ),
    ],
)
def test_faults_of_cells_best_choices_and_further_looks_are_told(text, message, loaded, tmp_path):
    test_what_a_claim_names_wrongly_is_a_fault_with_its_path(text, message, loaded, tmp_path)


def test_the_best_of_several_is_chosen_by_training_accuracy_and_never_by_the_test_set(loaded, tmp_path):
    evidence = plant(tmp_path, a=[90.0, 91.0], b=[50.0, 51.0], c=[40.0, 42.0])
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs["train"] = runs["variant"].map({"a": 60.0, "b": 70.0, "c": 0.0})
    runs.to_csv(path, index=False)
    claim = contrast(contrast={"best": 1, "own/c": -1}, best_of={"best": ["own/a", "own/b"]})
    found = judged(claim, Evidence(evidence.folder), loaded)
    assert found.values == {
        0: pytest.approx(10.0),
        1: pytest.approx(9.0),
    }  # b, of lower test accuracy
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
    assert "never in its epochs, counted as one more: 1 of own/a" in found.notes


def test_a_further_look_has_a_verdict_of_its_own_and_decides_nothing(loaded, tmp_path):
    look = contrast("below", statement="the other way round")
    found = judged(contrast(also=[look]), plant(tmp_path, a=UP, b=B), loaded)
    assert found.verdict == "reproduced" and [other.verdict for other in found.also] == ["reversed"]


def test_further_looks_count_in_holms_adjustment(loaded, tmp_path):
    evidence = plant(tmp_path, a=UP, b=B)
    alone = judged(contrast(), evidence, loaded).p
    assert judged(contrast(also=[contrast(), contrast()]), evidence, loaded).p == pytest.approx(3 * alone)


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
def test_mcnemars_test_stands_beside_a_variant_against_its_studys_reference(counts, p, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("title: Two", "title: Two\n    reference: b"))
    with_reference = config.load(tmp_path / "config.yaml")
    plant(tmp_path, a=UP[:1], b=B[:1])
    path = tmp_path / "studies" / "own" / "runs.csv"
    runs = pd.read_csv(path)
    runs.loc[runs["variant"] == "a", ["right_alone", "reference_right_alone"]] = counts
    runs.to_csv(path, index=False)
    note = f"McNemar, these very networks on the test images: p by seed {p}"
    assert note in judged(contrast(), Evidence(tmp_path), with_reference).notes
    other_way = contrast(contrast={"own/b": 1, "own/a": -1})  # a is not the reference
    assert not any("McNemar" in n for n in judged(other_way, Evidence(tmp_path), with_reference).notes)


def test_between_which_points_of_a_scale_the_best_lies_is_told(loaded, tmp_path):
    best = Best(**HEAD, statistic="best", study="own", variant="a", ordered=True)
    found = judged(best, plant(tmp_path, a=NOISY, b=B, c=[70.0] * 5), loaded)
    assert "95 % of bootstraps: a … b" in found.notes


def test_bootstraps_of_two_seeds_decide_nothing(loaded, tmp_path):
    best = Best(**HEAD, statistic="best", study="own", variant="a")
    assert judged(best, plant(tmp_path, a=UP[:2], b=B[:2]), loaded).verdict == "inconclusive"


def test_a_rank_correlation_says_how_likely_its_order_is_by_chance(loaded, tmp_path):
    plant(tmp_path, a=[1.0] * 3, b=[2.0] * 3, c=[3.0] * 3)
    path = tmp_path / "studies" / "own" / "runs.csv"
    table = pd.read_csv(path)
    table["parameters"] = table["variant"].map({"a": 1, "b": 2, "c": 3})
    table.to_csv(path, index=False)
    claim = RankCorrelation(**HEAD, statistic="rank_correlation", study="own")
    # one of the 3! orders is as good
    assert any("p 0.17" in note for note in judged(claim, Evidence(tmp_path), loaded).notes)


@pytest.mark.parametrize(("expect", "wanted"), [("above", "reproduced"), ("below", "reversed")])
def test_a_probed_cosine_is_judged_by_its_difference(expect, wanted, loaded, tmp_path):
    plant(tmp_path, a=UP)
    row = {
        "quantity": "ics_cosine",
        "layer": "conv2",
        "difference": 0.2,
        "difference_half_width": 0.1,
        "seeds": 2,
    }
    pd.DataFrame([row]).to_csv(tmp_path / "studies" / "own" / "probes_table.csv", index=False)
    row = {"quantity": "ics_cosine", "layer": "conv2"}
    found = judged(
        Probed(**HEAD, statistic="probed", study="own", row=row, expect=expect), Evidence(tmp_path), loaded
    )
    assert (found.verdict, found.low, found.high) == (wanted, pytest.approx(0.1), pytest.approx(0.3))
