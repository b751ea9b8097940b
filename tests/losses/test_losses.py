import math

import pytest
import torch
import torch.nn.functional as F

from pj import losses
from pj.losses.targets import label_mass

torch.manual_seed(0)
LOGITS = torch.randn(6, 10, dtype=torch.float64)
LABELS = torch.tensor([0, 3, 9, 9, 1, 5])
SOFT = torch.softmax(torch.randn(6, 10, dtype=torch.float64), dim=1)


def test_nll_of_log_softmax_is_cross_entropy():
    torch.testing.assert_close(
        losses.create("nll")(LOGITS, LABELS), losses.create("cross_entropy")(LOGITS, LABELS)
    )


def test_cross_entropy_is_minus_the_log_probability_of_the_label():
    p = torch.softmax(LOGITS, dim=1)
    by_hand = -sum(math.log(p[i, y]) for i, y in enumerate(LABELS)) / 6
    assert losses.create("cross_entropy")(LOGITS, LABELS).item() == pytest.approx(by_hand)


def test_mse_compares_raw_logits_with_the_one_hot_target():
    by_hand = sum((LOGITS[i, k] - float(k == y)) ** 2 for i, y in enumerate(LABELS) for k in range(10)) / 60
    torch.testing.assert_close(losses.create("mse")(LOGITS, LABELS), by_hand)


def test_brier_compares_probabilities_with_the_one_hot_target():
    p = torch.softmax(LOGITS, dim=1)
    by_hand = sum((p[i, k] - float(k == y)) ** 2 for i, y in enumerate(LABELS) for k in range(10)) / 6
    torch.testing.assert_close(losses.create("brier")(LOGITS, LABELS), by_hand)


def test_smooth_l1_is_quadratic_below_beta_and_linear_above():
    logits = torch.tensor([[0.5, 3.0]], dtype=torch.float64)
    by_hand = (0.5 * 0.5**2 + (3.0 - 0.5)) / 2  # targets 1 and 0: errors 0.5 and 3
    assert losses.create("smooth_l1")(logits, torch.tensor([0])).item() == pytest.approx(by_hand)


def test_kl_div_has_the_gradient_of_cross_entropy_smoothed_by_a_ninth():
    gradients = []
    for loss in (
        losses.create("kl_div", smoothing=0.1),
        losses.create("cross_entropy", label_smoothing=1 / 9),
    ):
        logits = LOGITS.clone().requires_grad_()
        loss(logits, LABELS).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_kl_div_is_zero_at_the_smoothed_target():
    target = torch.full((1, 10), 0.1 / 9, dtype=torch.float64)
    target[0, 4] = 0.9
    assert losses.create("kl_div")(target.log(), torch.tensor([4])).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", [n for n in losses.names() if n != "nll"])
def test_one_hot_probabilities_mean_the_same_as_class_indices(name):
    loss = losses.create(name)
    torch.testing.assert_close(loss(LOGITS, F.one_hot(LABELS, 10).double()), loss(LOGITS, LABELS))


@pytest.mark.parametrize("name", ["cross_entropy", "kl_div"])
def test_soft_targets_weigh_the_classes(name):
    """Both losses are linear in the target up to the target's own entropy, so their gradient is."""
    loss = losses.create(name)

    def gradient(target):
        logits = LOGITS.clone().requires_grad_()
        loss(logits, target).backward()
        return logits.grad

    by_class = sum(SOFT[:, k : k + 1] * gradient(torch.full((6,), k, dtype=torch.int64)) for k in range(10))
    torch.testing.assert_close(gradient(SOFT), by_class)


def test_nll_refuses_soft_targets():
    with pytest.raises(ValueError, match="class indices only"):
        losses.create("nll")(LOGITS, SOFT)


def test_an_unknown_loss_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"'ce'.*cross_entropy"):
        losses.create("ce")


def test_a_mixed_image_counts_as_right_by_the_share_of_the_predicted_class():
    logits = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 5.0]])
    mixed = torch.tensor([[0.7, 0.3, 0.0], [0.6, 0.4, 0.0], [0.5, 0.5, 0.0]])
    assert label_mass(logits, mixed).item() == pytest.approx(1.1)
    assert label_mass(logits, torch.tensor([0, 0, 2])).item() == 2


def test_smooth_l1_turns_linear_at_the_beta_that_is_asked_for():
    logits = torch.tensor([[0.9, 3.0]], dtype=torch.float64)
    by_hand = (0.5 * 0.1**2 / 0.5 + (3.0 - 0.25)) / 2  # targets 1 and 0: errors 0.1 and 3
    loss = losses.create("smooth_l1", beta=0.5)
    assert loss(logits, torch.tensor([0])).item() == pytest.approx(by_hand)


def test_kl_div_spreads_the_share_that_is_asked_for():
    target = torch.full((1, 10), 0.3 / 9, dtype=torch.float64)
    target[0, 4] = 0.7
    loss = losses.create("kl_div", smoothing=0.3)
    assert loss(target.log(), torch.tensor([4])).item() == pytest.approx(0, abs=1e-12)
