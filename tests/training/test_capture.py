"""Which steps are replayed; that they have the same bits is tested on a GPU (test_cuda)."""

import pytest
import torch

from pj.training.capture import EAGER, Captured, obstacle


class Replays(Captured):
    """Captures nothing, so that it runs without a GPU: a replay calls the update with the kept images."""

    def _capture(self, images, labels):
        self.images, self.labels = images.clone(), labels.clone()
        self.loss = torch.zeros(())
        self.graph = self

    def replay(self):
        self.loss.copy_(self.update(self.images, self.labels) + 1000)


@pytest.fixture
def captured():
    """Return an update that returns the sum of its images, and 1000 more if it is replayed."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    return Replays(lambda images, labels: images.sum(), optimizer, batch_size=2)


def call(captured, value, count=2):
    return captured(torch.full((count,), float(value)), torch.zeros(count)).item()


def test_steps_are_replayed_on_their_own_images_after_the_first_ones(captured):
    assert [call(captured, value) for value in range(EAGER + 2)] == [
        *(2 * value for value in range(EAGER)),
        1000 + 2 * EAGER,
        1000 + 2 * (EAGER + 1),
    ]


def test_a_smaller_batch_is_computed_eagerly_and_replays_go_on_after_it(captured):
    for _ in range(EAGER + 1):
        call(captured, 1)
    assert [call(captured, 1, count=1), call(captured, 1)] == [1, 1002]


def test_a_changed_learning_rate_is_captured_anew(captured):
    for _ in range(EAGER + 1):
        call(captured, 1)
    captured.optimizer.param_groups[0]["lr"] = 0.2
    assert [call(captured, 1) for _ in range(EAGER + 1)] == [2] * EAGER + [1002]


def test_what_counts_outside_of_the_device_is_not_captured(spec):
    dessilbi = {"name": "dessilbi", "lr": 0.1}
    assert obstacle(spec()) is None
    assert obstacle(spec(optimizer=dessilbi)) is None
    assert "counts its steps" in obstacle(spec(optimizer=dessilbi | {"inner": "adam"}))
    assert "own code" in obstacle(spec(optimizer={"class": "torch.optim:NAdam", "options": {"lr": 0.01}}))
