"""Statistics with known answers, by simulation where the answer is a rate."""

import numpy as np
import pytest
from scipy import stats

from pj.statistics import (
    bootstrap_best,
    central,
    compare,
    estimate,
    holm,
    mcnemar,
    p_of_interval,
    p_of_one_more,
    prediction_interval,
)

SIMULATIONS = 2000


@pytest.mark.parametrize("seeds", [2, 5])
def test_the_95_percent_interval_covers_the_mean_95_times_of_100(seeds):
    draw = np.random.default_rng(0)
    found = [estimate(draw.normal(3.0, 2.0, seeds).tolist()) for _ in range(SIMULATIONS)]
    covered = np.mean([abs(e.mean - 3.0) <= e.half_width for e in found])
    assert 0.94 <= covered <= 0.96


@pytest.mark.parametrize("true", [0.5, -0.5])
def test_a_difference_of_the_margin_is_called_equivalent_at_most_5_times_of_100(true):
    draw = np.random.default_rng(1)
    passed = [compare(draw.normal(true, 0.2, 5).tolist(), 0.5).equivalent < 0.05 for _ in range(SIMULATIONS)]
    assert np.mean(passed) <= 0.05 + 2 * (0.05 * 0.95 / SIMULATIONS) ** 0.5


def test_no_difference_is_called_one_5_times_of_100():
    draw = np.random.default_rng(2)
    found = [compare(draw.normal(0.0, 1.0, 5).tolist(), 0.5).different < 0.05 for _ in range(SIMULATIONS)]
    assert abs(np.mean(found) - 0.05) < 2.5 * (0.05 * 0.95 / SIMULATIONS) ** 0.5


def test_a_small_difference_is_found_equivalent_and_a_large_one_different():
    near, far = compare([0.1, -0.1, 0.05, 0.0], 0.5), compare([2.0, 2.2, 1.9, 2.1], 0.5)
    assert near.equivalent < 0.01 and near.different > 0.5
    assert far.equivalent > 0.99 and far.different < 0.01


def test_the_two_one_sided_tests_are_a_90_percent_interval_inside_the_margin():
    draw = np.random.default_rng(3)
    for _ in range(200):
        values = draw.normal(draw.uniform(-0.6, 0.6), 0.3, 4)
        half = stats.t.ppf(0.95, 3) * values.std(ddof=1) / 2
        inside = abs(values.mean()) + half < 0.5
        assert (compare(values.tolist(), 0.5).equivalent < 0.05) == inside


@pytest.mark.parametrize("pairs", [(98.94, 98.24), (89.67, 88.97), (71.2, 70.5)])
def test_differences_that_are_equal_but_for_rounding_have_no_spread(pairs):
    """Of accuracies with two decimals, whose differences are not exact in binary."""
    above, below = ([round(number + k, 2) for k in (0, -7.11, -40.3, -64.5, -20.2)] for number in pairs)
    values = [a - b for a, b in zip(above, below, strict=True)]
    assert len(set(values)) > 1
    found = estimate(values)
    assert found.half_width == 0 and compare(values, 0.5) == compare([found.mean] * 5, 0.5)
    low, high = prediction_interval(values)
    assert low == high


def test_equal_differences_are_exact():
    assert compare([0.0, 0.0, 0.0], 0.5).equivalent == 0 and compare([0.0, 0.0], 0.5).different == 1
    assert compare([2.0] * 3, 0.5).equivalent == 1 and compare([2.0] * 3, 0.5).different == 0
    assert compare([2.0, 2.0], 0.5).different is None  # two that are equal by chance say nothing


def test_what_rounding_leaves_of_an_equality_is_equal():
    found = compare([80.3 - 80.0 - 0.3] * 3, 0.5)
    assert (found.estimate.mean, found.different, found.equivalent) == (0, 1, 0)


def test_the_p_value_of_an_interval_is_that_of_the_t_test():
    values = np.random.default_rng(6).normal(0.4, 1.0, 6).tolist()
    found = estimate(values)
    p = p_of_interval(found.mean, found.half_width, len(values))
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert p_of_interval(0.0, 0.0, 3) == 1 and p_of_interval(1.0, 0.0, 3) == 0
    assert p_of_interval(1.0, 0.0, 2) is compare([1.0, 1.0], 0.5).different is None


@pytest.mark.parametrize("seed", range(20))
def test_differences_are_tested_by_students_t_tests(seed):
    draw = np.random.default_rng(seed)
    values = draw.normal(draw.normal(0, 2), draw.random() + 0.01, draw.integers(2, 9))
    margin = draw.random() + 0.01
    found = compare(values.tolist(), margin)
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    assert found.equivalent == pytest.approx(max(above, below), rel=1e-9)
    assert found.different == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-9)


def test_one_seed_has_an_estimate_and_no_tests():
    found = compare([1.5], 0.5)
    assert found.estimate.mean == 1.5
    assert (found.estimate.half_width, found.different, found.equivalent) == (None, None, None)
    assert compare([], 0.5) is None and compare([float("nan")], 0.5) is None


def test_what_is_not_finite_enters_no_test():
    assert compare([1.0, float("nan"), 3.0, float("inf")], 0.5) == compare([1.0, 3.0], 0.5)


def test_holms_adjustment_is_that_of_his_paper():
    """Worked by hand: 0.01·4, 0.02·3, max(0.03·2, 0.06), max(0.04·1, 0.06)."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([None, 0.3, 0.6]) == [None, pytest.approx(0.6), pytest.approx(0.6)]
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def test_one_more_run_lies_in_the_prediction_interval_95_times_of_100():
    draw = np.random.default_rng(4)
    inside = []
    for _ in range(SIMULATIONS):
        *runs, one_more = draw.normal(90.0, 0.3, 6)
        low, high = prediction_interval(runs)
        inside.append(low <= one_more <= high)
    assert 0.94 <= np.mean(inside) <= 0.96
    assert prediction_interval([1.0]) is None


def test_bootstraps_find_the_best_and_share_between_equals():
    apart = np.array([[1.0, 5.0, 2.0], [1.5, 5.5, 2.5], [0.5, 4.5, 2.2]])
    assert bootstrap_best(apart).tolist() == [0, 1, 0]
    assert bootstrap_best(np.ones((4, 2))).tolist() == [0.5, 0.5]
    # of two seeds, each won by another: a tie unless the same seed is drawn twice
    assert bootstrap_best(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx([0.5, 0.5], abs=0.02)


def test_mcnemar_is_the_binomial_test_of_the_disagreements():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 * 0.5**6)
    assert mcnemar(17, 31) == mcnemar(31, 17) == pytest.approx(stats.binomtest(17, 48).pvalue)


def test_the_central_part_leaves_out_as_much_on_either_side():
    assert central(np.array([0.02, 0.48, 0.48, 0.02])) == (1, 2)
    assert central(np.array([0.03, 0.94, 0.03])) == (0, 2)
    assert central(np.array([0.0, 1.0, 0.0])) == (1, 1)
    draws = np.random.default_rng(5).normal(0, 1, 200_000)
    shares, edges = np.histogram(draws, bins=np.arange(-4, 4.1, 0.1), density=True)
    low, high = central(shares * 0.1)
    assert edges[low] == pytest.approx(-1.96, abs=0.11) and edges[high + 1] == pytest.approx(1.96, abs=0.11)


@pytest.mark.parametrize("seed", range(20))
def test_one_more_run_has_a_p_value_below_5_percent_outside_of_the_prediction_interval_alone(seed):
    draw = np.random.default_rng(seed)
    values, one = draw.normal(90, 0.3, 5).tolist(), draw.normal(90, 0.9)
    low, high = prediction_interval(values)
    assert (p_of_one_more(values, one) < 0.05) == (not low <= one <= high)
    assert p_of_one_more(values, low) == pytest.approx(0.05)


def test_large_values_that_are_equal_but_for_rounding_have_no_spread():
    values = [1e9 * 0.7, 7e8 + 1e-6, 7e8]
    assert len(set(values)) > 1 and estimate(values).half_width == 0
    assert p_of_one_more([7e8] * 3, 7e8 + 1e-6) == 1


def test_equal_differences_of_exactly_the_margin_are_not_equivalent():
    assert compare([0.5] * 3, 0.5).equivalent == 1 and compare([-0.5] * 3, 0.5).equivalent == 1


def test_two_equal_differences_of_zero_have_a_p_value_by_interval_too():
    assert p_of_interval(0.0, 0.0, 2) == compare([0.0, 0.0], 0.5).different == 1


def test_a_difference_in_the_fourth_decimal_is_no_tie():
    assert bootstrap_best(np.array([[0.5, 0.5005], [0.4, 0.4005]])).tolist() == [0, 1]


def test_the_central_part_is_that_of_the_mirror_image_although_sums_are_rounded():
    shares = np.array([0.025, 0.2087, 0.1828, 0.0789, 0.0769, 0.4027, 0.025])
    assert central(shares) == (1, 5)
    low, high = central(shares[::-1])
    assert (6 - high, 6 - low) == (1, 5)
