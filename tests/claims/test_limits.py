"""Claims at their limits: the level that looks leave, runs that are missing or diverged, one seed."""

from dataclasses import replace

import pandas as pd
import pytest

from helpers.claims import CONFIG, UP, B, Drawn, contrast, judged, plant
from pj.claims import verdicts
from pj.claims.evidence import Evidence
from pj.claims.results import result
from pj.claims.schema import Best, Diverged, RankCorrelation
from pj.config import loading

HEAD = {"id": 1, "report": "A", "statement": "so it is"}
BEST = Best(**HEAD, statistic="best", study="own", variant="a", among=["a", "b", "c"])
CORRELATED = RankCorrelation(**HEAD, statistic="rank_correlation", study="own")
nan = float("nan")


def test_a_claim_of_the_study_that_was_not_measured_counts_in_holms_adjustment(loaded, tmp_path):
    evidence = plant(tmp_path, a=UP, b=B)
    unmeasured = contrast(id=2, contrast={"own/c": 1, "own/b": -1})
    given = ([contrast()], [contrast(), unmeasured])
    alone, both = (verdicts.judge(claims, [evidence], loaded)[0].p for claims in given)
    assert both == pytest.approx(2 * alone)


@pytest.mark.parametrize(
    ("claim", "numbers"),
    [
        (BEST, {"value": 0.97, "rival": 0.02}),
        (CORRELATED, {"value": 0.8, "low": 0.5, "high": 1.0, "p": 0.02}),
        (contrast(), {"value": 1.0, "low": 0.2, "high": 1.8, "p": 0.02, "p_equivalent": 0.9}),
        (contrast("same"), {"value": 0.1, "low": -0.3, "high": 0.5, "p": 0.6, "p_equivalent": 0.02}),
    ],
    ids=["best", "correlation", "difference", "same"],
)
def test_every_kind_of_claim_is_tested_at_the_level_that_earlier_looks_leave(claim, numbers):
    found = verdicts.Judgement(claim=claim, seeds=10, level=0.04, **numbers)
    assert verdicts.decide(found) == "reproduced"
    assert verdicts.decide(replace(found, level=0.005)) == "inconclusive"


def test_a_certain_difference_within_the_margin_does_not_reverse_a_claim_of_sameness():
    numbers = {"value": 0.4, "low": 0.2, "high": 0.6, "p": 0.001, "p_equivalent": 0.1}
    found = verdicts.Judgement(claim=contrast("same", margin=0.5), seeds=5, level=0.04, **numbers)
    assert verdicts.decide(found) == "inconclusive"
    assert verdicts.decide(replace(found, value=0.6)) == "reversed"


@pytest.mark.parametrize("ordered", [False, True])
def test_a_rival_excludes_a_best_variant_at_the_level_that_earlier_looks_leave(ordered):
    """The rival is best in 99.1 % of bootstraps, all but those that draw its bad seed four times."""
    values = {"a": [0.0] * 6, "b": [1.0] * 5 + [-0.7], "c": [-9.0] * 6}
    claim = BEST.model_copy(update={"ordered": ordered})
    assert result(claim, Drawn(values, 6), 0.04).excluded
    assert not result(claim, Drawn(values, 6), 0.005).excluded


def test_runs_that_are_missing_are_no_runs_that_did_not_diverge(loaded, tmp_path):
    claim = Diverged(**HEAD, statistic="diverged", cells=["own/a", "own/b"], expect="all")
    found = judged(claim, plant(tmp_path, a=[nan, nan, None, None], b=[nan, nan, nan, None]), loaded)
    assert (found.verdict, found.value, found.seeds) == ("reproduced", 1.0, 3)
    assert "own/a: 2 of 2 runs diverged" in found.notes


def test_a_rank_correlation_has_no_p_value_of_one_seed_and_counts_no_seed_without_an_order(tmp_path):
    more = CONFIG.replace("      c: {", "      d: {optimizer: {lr: 0.4}}\n      c: {")
    (tmp_path / "c.yaml").write_text(more)
    config = loading.load(tmp_path / "c.yaml")

    def ranked(values):
        plant(tmp_path, **values)
        path = tmp_path / "studies" / "own" / "runs.csv"
        table = pd.read_csv(path)
        table["parameters"] = table["variant"].map({name: i for i, name in enumerate("abcd", 1)})
        table.to_csv(path, index=False)
        return judged(CORRELATED, Evidence(tmp_path), config)

    assert ranked({name: [float(i)] for i, name in enumerate("abcd")}).p is None
    found = ranked({name: [float(i), 7.0, i + 0.5] for i, name in enumerate("abcd")})
    assert found.seeds == 2 and found.p is not None


def test_some_runs_of_each_variant_that_never_reached_70_percent_are_compared_all_the_same(loaded, tmp_path):
    plant(tmp_path, a=[60.0, 61.0], b=[80.0, 81.0])
    path = tmp_path / "studies" / "own" / "runs.csv"
    pd.read_csv(path).assign(epochs=20, epochs_to_70=[None, 18.0, None, 6.0]).to_csv(path, index=False)
    found = judged(contrast(quantity="epochs_to_70"), Evidence(tmp_path), loaded)
    assert found.values == {0: pytest.approx(0.0), 1: pytest.approx(12.0)}


def test_a_diverged_run_of_an_analysis_is_counted(loaded, tmp_path):
    plant(tmp_path, a=UP, b=B)
    rows = [
        {"variant": "a", "seed": 0, "state": "complete", "method": "magnitude", "percent": p, "accuracy": v}
        for p, v in ((0.0, 90.0), (50.0, 80.0))
    ]
    rows.append({"variant": "a", "seed": 1, "state": "diverged"})
    (tmp_path / "prunings" / "p").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(tmp_path / "prunings" / "p" / "table.csv", index=False)
    cells = {"prunings/p/a/magnitude/50": 1, "prunings/p/a/magnitude/0": -1}
    found = judged(contrast(contrast=cells), Evidence(tmp_path), loaded)
    assert "diverged, excluded from means: 1 of prunings/p/a/magnitude/50" in found.notes
