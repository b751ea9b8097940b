import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from pj import data
from pj.config.data import Data
from pj.data import store
from pj.data.batches import Normalise, Split, TrainingBatches
from pj.data.mixing import CutMix
from pj.losses.targets import label_mass
from pj.training import loop
from pj.training.device import configure

CPU = torch.device("cpu")
SAM = {"name": "sam", "lr": 0.05, "rho": 0.1, "adaptive": True, "momentum": 0.9}
MIXED = {"name": "digits", "train": 200, "validation": 60, "test": 100, "crop": 2, "flip": True, "cutmix": {}}


def constant_images(count=10, side=32):
    """Image k is k everywhere, and its label is k."""
    labels = torch.arange(count)
    return labels.float()[:, None, None, None].expand(count, 3, side, side).clone(), labels


def cuts(batches, side=32, **options):
    mixing = CutMix(num_classes=10, **options)
    mixing.start_epoch([10] * batches, side, torch.Generator().manual_seed(0), CPU)
    return mixing


def test_on_constant_images_the_label_mass_is_exactly_the_pixel_share():
    images, labels = constant_images()
    draw = torch.Generator().manual_seed(0)
    shares = set()
    for _ in range(200):
        mixed, probabilities = data.cutmix(images, labels, 10, draw)
        pixels = torch.stack([(mixed[:, 0] == k).float().mean(dim=(1, 2)) for k in range(10)], dim=1)
        assert torch.equal(probabilities, pixels)
        shares |= set(probabilities.diagonal().tolist())
    assert len(shares) > 100


def test_as_reported_the_label_mass_is_lambda_and_misses_what_the_edge_clips():
    images, labels = constant_images()
    draw = torch.Generator().manual_seed(0)
    differences = []
    for _ in range(200):
        mixed, probabilities = data.cutmix(images, labels, 10, draw, adjust_lambda=False)
        moved = (mixed[:, 0] != labels[:, None, None]).any(dim=2).any(dim=1).nonzero()[:, 0]
        if len(moved):
            kept = (mixed[moved[0], 0] == labels[moved[0]]).float().mean()
            differences.append(float(kept - probabilities[moved[0], moved[0]]))
    assert min(differences) > -1e-6  # a clipped or rounded rectangle never covers more than 1 - lambda
    assert np.mean(np.array(differences) > 0.05) > 0.3


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_lambda_follows_its_beta_distribution(alpha):
    drawn = cuts(5000, alpha=alpha, adjust_lambda=False).kept
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_the_centre_is_uniform_and_the_side_follows_lambda():
    mixing = cuts(5000, adjust_lambda=False, side=1000)
    top, left, bottom, right = mixing.boxes.T
    inside = (top > 0) & (left > 0) & (bottom < 1000) & (right < 1000)
    sides = (bottom - top)[inside] / 1000
    assert torch.equal((bottom - top)[inside], (right - left)[inside])
    torch.testing.assert_close(sides, (1 - mixing.kept[inside]).sqrt(), rtol=0, atol=0.0021)
    small = mixing.kept > 0.99  # whose rectangles are nearly their centres
    assert stats.kstest(((top + bottom) / 2000)[small], "uniform").pvalue > 0.01


def test_for_the_same_lambda_and_centre_it_is_torchvisions_cutmix(monkeypatch):
    """torchvision pairs an image with its neighbour: that permutation here too."""
    torch.manual_seed(0)
    images, labels = torch.rand(6, 3, 32, 32), torch.randint(10, (6,))
    theirs = v2.CutMix(num_classes=10)
    for _ in range(50):
        kept = torch.rand(1, dtype=torch.float64)
        centre = torch.randint(32, (2, 1))
        monkeypatch.setattr(theirs._dist, "sample", lambda shape, kept=kept: kept)
        drawn = iter([centre[1], centre[0]])  # torchvision draws x first
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randint", lambda *a, drawn=drawn, **k: next(drawn))
            wanted = theirs(images, labels)
        ours = CutMix(num_classes=10)
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda *a, kept=kept, **k: kept)
            patch.setattr(torch, "randint", lambda *a, centre=centre, **k: centre)
            patch.setattr(torch, "randperm", lambda n, **k: torch.arange(n).roll(1))
            ours.start_epoch([6], 32, torch.Generator(), CPU)
        mixed, probabilities = ours(0, slice(None), images, labels)
        assert torch.equal(mixed, wanted[0])
        torch.testing.assert_close(probabilities, wanted[1])


def test_every_image_of_a_batch_gives_to_exactly_one():
    images, labels = constant_images()
    mixed, _ = data.cutmix(images, labels, 10, torch.Generator().manual_seed(3))
    assert mixed[:, 0].unique().tolist() == list(range(10))
    mixing = cuts(3)
    for cut in (slice(0, 10), slice(10, 20), slice(20, 30)):
        assert sorted(mixing.partner[cut].tolist()) == list(range(10))


def test_the_callers_batch_is_not_modified():
    images, labels = constant_images()
    before = images.clone(), labels.clone()
    data.cutmix(images, labels, 10, torch.Generator().manual_seed(0))
    assert torch.equal(images, before[0]) and torch.equal(labels, before[1])


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_an_alpha_that_is_not_above_zero_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha > 0"):
        data.cutmix(*constant_images(), 10, torch.Generator(), alpha=alpha)


def training(spec, digits, seed=0, **changes):
    found = loop.Training(spec(data=MIXED, **changes), seed, store.load(digits), configure("cpu", "fp32", 1))
    found.batches.start_epoch(0)
    return found


def test_a_runs_mixtures_are_a_function_of_seed_epoch_and_step(spec, digits):
    def batch(seed, epoch, step):
        batches = training(spec, digits, seed).batches
        batches.start_epoch(epoch)
        return batches[step]

    again, first = batch(0, 1, 2), batch(0, 1, 2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    boxes = set()
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        batches = training(spec, digits, seed).batches
        batches.start_epoch(epoch)
        boxes |= {tuple(box.tolist()) for box in batches.mixing.boxes}
    assert len(boxes) == 12  # four steps each, all different


def test_in_every_batch_of_an_epoch_the_label_mass_is_the_pixel_share():
    """Constant images, so that every pixel says whose it is; the last batch is a short one."""
    count = 42
    classes = torch.arange(count) % 10
    values = (classes * 20).to(torch.uint8)[:, None, None, None].expand(count, 32, 32, 3).clone()
    spec = Data.model_validate({"name": "x", "flip": True, "cutmix": {}})
    split = Split(values, classes)
    batches = TrainingBatches(split, spec, 16, Normalise(spec, split), 10, seed=0)
    for epoch in range(3):
        batches.start_epoch(epoch)
        assert batches.steps == 3
        for step in range(batches.steps):
            images, probabilities = batches[step]
            owner = (images[:, 0] * 255 / 20).round()
            shares = torch.stack([(owner == k).float().mean(dim=(1, 2)) for k in range(10)], dim=1)
            torch.testing.assert_close(probabilities, shares, rtol=0, atol=1e-6)
            assert len(images) == (10 if step == 2 else 16)


def test_mixed_batches_keep_the_memory_order_that_convolutions_want(spec, digits):
    images, probabilities = training(spec, digits).batches[0]
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(64))


def test_both_passes_of_sam_see_the_same_mixture(spec, digits):
    run = training(spec, digits, optimizer=SAM)
    seen = []
    run.model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    run.train_step()
    assert len(seen) == 2 and torch.equal(*seen)


def test_with_sam_the_running_accuracy_is_of_the_first_pass(spec, digits):
    run = training(spec, digits, model={"name": "mlp"}, optimizer=SAM | {"adaptive": False, "rho": 50.0})
    outputs = []
    run.model.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach()))
    run.train_step()
    _, probabilities = run.batches[0]
    found = [float(label_mass(output, probabilities)) for output in outputs]
    assert found[0] != pytest.approx(found[1])
    assert float(run.correct) == pytest.approx(found[0], abs=1e-4)


def test_the_running_accuracy_counts_the_label_mass_of_the_predictions(spec, digits):
    run = training(spec, digits)
    outputs = []
    run.model.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach()))
    run.train_step()
    _, probabilities = run.batches[0]
    wanted = sum(float(p[o.argmax()]) for p, o in zip(probabilities, outputs[0], strict=True))
    assert float(run.correct) == pytest.approx(wanted, abs=1e-4)
