"""Schedules step by step against torch.optim.lr_scheduler's, and what the configuration refuses."""

import pytest
import torch
from pydantic import ValidationError
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from helpers.runs import train
from helpers.sources import source
from pj.config.scaling import at_scale
from pj.config.settings import Scale
from pj.data import store
from pj.runs.records import read_metrics
from pj.training.device import configure
from pj.training.run import Training
from pj.training.schedule import factor

EPOCHS, STEPS = 6, 7  # a run has 42 steps


def ours(spec, **schedule):
    found = spec(schedule=schedule, epochs=EPOCHS).schedule
    return [factor(found, step / STEPS, EPOCHS) for step in range(EPOCHS * STEPS)]


def torchs(make):
    """Return the learning rate of every step of an optimizer with the rate 1."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(EPOCHS * STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def warmed(steps, make):
    def scheduler(optimizer):
        rise = LinearLR(optimizer, start_factor=0.01, total_iters=steps)
        return SequentialLR(optimizer, [rise, make(optimizer)], milestones=[steps])

    return scheduler


@pytest.mark.parametrize(
    ("schedule", "reference"),
    [
        (
            {"name": "multi_step", "milestones": [2, 5], "gamma": 0.2},
            lambda o: MultiStepLR(o, [2 * STEPS, 5 * STEPS], gamma=0.2),
        ),
        ({"name": "multi_step", "milestones": [1 / 7, 4 / 7]}, lambda o: MultiStepLR(o, [1, 4])),
        ({"name": "polynomial"}, lambda o: PolynomialLR(o, EPOCHS * STEPS)),
        ({"name": "polynomial", "power": 0.9}, lambda o: PolynomialLR(o, EPOCHS * STEPS, power=0.9)),
        (
            {"name": "cosine", "warmup": 2},
            warmed(2 * STEPS, lambda o: CosineAnnealingLR(o, 4 * STEPS)),
        ),
        (
            {"name": "cosine", "warmup": 5 / 7},
            warmed(5, lambda o: CosineAnnealingLR(o, 6 * STEPS - 5)),
        ),
        (
            {"name": "step", "every": 2, "warmup": 1, "gamma": 0.5},
            warmed(STEPS, lambda o: StepLR(o, 2 * STEPS, gamma=0.5)),
        ),
        (
            {"name": "multi_step", "milestones": [2, 4], "warmup": 1},
            warmed(STEPS, lambda o: MultiStepLR(o, [2 * STEPS, 4 * STEPS])),
        ),
        (
            {"name": "polynomial", "power": 2.0, "warmup": 1.0},
            warmed(STEPS, lambda o: PolynomialLR(o, 5 * STEPS, power=2.0)),
        ),
        ({"name": "constant", "warmup": 3}, lambda o: LinearLR(o, 0.01, total_iters=3 * STEPS)),
    ],
)
def test_a_schedule_is_torchs_in_every_step(schedule, reference, spec):
    assert ours(spec, **schedule) == pytest.approx(torchs(reference), rel=1e-9)


@pytest.mark.parametrize("given", [{}, {"pct_start": 0.1, "div_factor": 10.0, "final_div_factor": 100.0}])
def test_one_cycle_is_torchs_whose_last_step_comes_after_the_runs_last(given, spec):
    """Torch counts the steps from the first to the last: one less than there are."""
    total = EPOCHS * STEPS
    share = (given.get("pct_start", 0.3) * total + 1) / (total + 1)

    def reference(optimizer):
        options = given | {"pct_start": share}
        return OneCycleLR(optimizer, 1.0, total_steps=total + 1, cycle_momentum=False, **options)

    assert ours(spec, name="one_cycle", **given) == pytest.approx(torchs(reference), rel=1e-9)


def test_a_warm_up_begins_above_zero_and_one_of_no_epochs_is_absence(spec):
    assert ours(spec, name="cosine", warmup=2)[0] == 0.01
    assert spec(schedule={"name": "cosine", "warmup": 0}).run == spec(schedule={"name": "cosine"}).run


def test_a_run_follows_its_warm_up(spec, digits, tmp_path):
    schedule = {"name": "polynomial", "warmup": 1}
    train(spec(model={"name": "mlp", "width": 0.02}, schedule=schedule, epochs=3), digits, tmp_path)
    rates = [row["lr"] / 0.05 for row in read_metrics(tmp_path)]  # of the last of four steps
    assert rates == pytest.approx([0.01 + 0.99 * 3 / 4, 1 - 3 / 8, 1 - 7 / 8])


def test_dessilbis_relative_thresholds_count_the_rates_that_the_run_takes(spec, digits):
    """Its reach is the sum of lr / nu over all steps, the warm-up's too."""
    optimizer = {"name": "dessilbi", "lr": 0.05, "nu": 5.0, "relative": True, "lambdas": {"linear": 0.1}}
    schedule = {"name": "multi_step", "milestones": [1.5], "warmup": 1}
    run = spec(model={"name": "mlp", "width": 0.02}, optimizer=optimizer, schedule=schedule, epochs=3)
    training = Training(run, 0, store.load(digits), configure("cpu", "fp32", 1))
    rates = []
    for training.epoch in range(3):
        for training.step in range(4):
            rates.append(training.lr(training.steps_done))
    wanted = {0.1 * sum(rates) / 5.0, 0.0}
    assert {group["threshold"] for group in training.optimizer.param_groups} == wanted
    assert sum(rates) == pytest.approx(0.05 * (0.01 * 4 + 0.99 * 6 / 4 + 6 + 2 * 0.1))


def test_milestones_and_warm_up_keep_their_share_of_a_shorter_run(spec):
    schedule = {"name": "multi_step", "milestones": [10, 30], "warmup": 5}
    run = spec(schedule=schedule, epochs=40)
    small = at_scale(run, Scale(name="small", epochs=4), source("digits"), None).schedule
    assert (small.milestones, small.warmup) == ([1.0, 3.0], 0.5)
    assert at_scale(run, Scale(), source("digits"), None) == run


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"name": "multi_step"}, "milestones\n  Field required"),
        ({"name": "multi_step", "milestones": []}, "at least one number, all above 0, increasing"),
        ({"name": "multi_step", "milestones": [3, 2]}, "at least one number, all above 0, increasing"),
        (
            {"name": "multi_step", "milestones": [2, 6]},
            "schedule.milestones: 6; allowed: less than the 6 epochs",
        ),
        ({"name": "multi_step", "milestones": [5], "warmup": 1}, "6 epochs without the warm-up's 1"),
        ({"name": "cosine", "warmup": 6}, "schedule.warmup: 6; allowed: less than the 6 epochs"),
        ({"name": "cosine", "warmup": -1}, "greater than or equal to 0"),
        ({"name": "one_cycle", "warmup": 1}, "one_cycle begins with a rise of its own; leave warmup out"),
        ({"name": "one_cycle", "pct_start": 1.0}, "less than 1"),
        ({"name": "polynomial", "power": 0.0}, "greater than 0"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_a_fault(schedule, message, spec):
    with pytest.raises(ValidationError, match=message):
        spec(schedule=schedule, epochs=EPOCHS)


def test_a_milestone_counted_from_the_end_of_a_warm_up_is_passed_in_its_step(spec):
    schedule = spec(schedule={"name": "multi_step", "milestones": [0.3], "warmup": 2}, epochs=4).schedule
    factors = [factor(schedule, step / 10, 4) for step in (22, 23)]
    assert factors == [1.0, pytest.approx(0.1)]
