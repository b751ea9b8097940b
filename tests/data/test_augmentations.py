"""mixup, Cutout, random erasing, colour jitter and normalisation by the training images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from pj.config.data import Data
from pj.data import store
from pj.data.batches import Normalise, TrainingBatches, splits
from pj.data.erasing import Cutout, Erasing
from pj.data.jitter import Jitter
from pj.data.mixing import CutMix
from pj.data.mixup import MixUp
from pj.data.policies import NAMES, SIGNED, RandAugment, TrivialAugment
from pj.data.store import DataError
from pj.randomness import generator
from pj.runs import finished
from pj.training import loop
from pj.training.device import configure

CPU = torch.device("cpu")
DIGITS = {"name": "digits", "train": 200, "validation": 60, "test": 100}
OPTIONS = {
    "mixup": {"alpha": 0.4},
    "cutout": {"side": 8},
    "erasing": {"p": 0.6},
    "jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "trivialaugment": {},
}


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=12, side=16, channels=3):
    return torch.randint(256, (count, side, side, channels), generator=draw(count), dtype=torch.uint8)


def loader(arrays, seed=0, **options):
    data = Data.model_validate({"name": "x", "crop": 2, "flip": True, **options})
    train = splits(store.checked(arrays, 3, "test"), data, CPU)["train"]
    return TrainingBatches(train, data, 8, Normalise(data, train), 3, seed)


@pytest.mark.parametrize("name", OPTIONS)
def test_batches_are_a_function_of_seed_epoch_and_step(name, arrays):
    def batch(seed, epoch, step):
        batches = loader(arrays, seed, **{name: OPTIONS[name]})
        batches.start_epoch(epoch)
        return batches[step][0]

    first = batch(0, 1, 2)
    assert torch.equal(first, batch(0, 1, 2)) and first.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(first, batch(0, 2, 2)) and not torch.equal(first, batch(1, 1, 2))


@pytest.mark.parametrize("name", OPTIONS)
def test_a_part_changes_no_draw_of_order_crops_flips_or_another_part(name, arrays):
    others = {key: value for key, value in OPTIONS.items() if key != name}
    found = []
    for options in (others, OPTIONS):
        batches = loader(arrays, **options)
        batches.start_epoch(3)
        drawn = {key: part.__dict__ for key, part in batches.parts.items() if key != name}
        found.append(repr((batches.order, batches.top, batches.left, batches.mirror, drawn)))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_part_draws_by_a_generator_of_its_own_name(name, arrays):
    batches = loader(arrays, seed=4, **{name: OPTIONS[name]})
    batches.start_epoch(3)
    drawn = repr(batches.parts[name].__dict__)
    batches.parts[name].start_epoch([8, 8, 8, 6], 8, generator(4, name, 3), CPU)
    assert repr(batches.parts[name].__dict__) == drawn


# mixup


def mixed(batches, **options):
    mixing = MixUp(num_classes=10, **options)
    mixing.start_epoch([10] * batches, 32, draw(), CPU)
    return mixing


@pytest.mark.parametrize("alpha", [1.0, 0.2])
def test_lambda_of_mixup_follows_its_beta_distribution(alpha):
    assert stats.kstest(mixed(5000, alpha=alpha).kept, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_every_image_of_a_batch_is_the_partner_of_exactly_one():
    mixing = mixed(3)
    for cut in (slice(0, 10), slice(10, 20), slice(20, 30)):
        assert sorted(mixing.partner[cut].tolist()) == list(range(10))


def test_for_the_same_lambda_and_pairs_it_is_torchvisions_mixup(monkeypatch):
    """torchvision pairs an image with its neighbour: that permutation here too."""
    images, labels = torch.rand(10, 3, 8, 8, generator=draw()), torch.arange(10)
    before, theirs, mixing = images.clone(), v2.MixUp(num_classes=10), mixed(20, alpha=0.5)
    for step in range(20):
        mixing.partner = torch.arange(10).roll(1).repeat(20)
        kept = mixing.kept[step]
        monkeypatch.setattr(theirs._dist, "sample", lambda shape, kept=kept: kept)
        wanted = theirs(images, labels)
        for ours, other in zip(mixing(step, slice(0, 10), images, labels), wanted, strict=True):
            torch.testing.assert_close(ours, other, rtol=0, atol=1e-6)
    assert torch.equal(images, before)


def test_a_loss_that_takes_no_probabilities_is_refused_with_mixup(spec):
    with pytest.raises(ValidationError, match=r"data\.mixup mixes labels, which the loss nll.*mixup: null"):
        spec(data=DIGITS | {"mixup": {}}, loss={"name": "nll"})


def test_mixup_and_cutmix_together_are_refused(spec):
    with pytest.raises(ValidationError, match="cutmix and mixup cannot be combined"):
        spec(data=DIGITS | {"mixup": {}, "cutmix": {}})


# Cutout and random erasing


def rectangles(part, count, side):
    part.start_epoch([count], side, draw(), CPU)
    return part


@pytest.mark.parametrize("part", [Cutout(7), Erasing(p=0.6)], ids=["cutout", "erasing"])
def test_the_same_rectangles_are_erased_as_by_torchvision(part):
    images = torch.rand(40, 3, 16, 16, generator=draw())
    rectangles(part, 60, 16)
    cut = slice(20, 60)
    wanted = []
    for image, (top, left, bottom, right) in zip(images, part.boxes[cut].tolist(), strict=True):
        wanted.append(F.erase(image, top, left, bottom - top, right - left, torch.zeros(3, 1, 1)))
    assert torch.equal(part(0, cut, images), torch.stack(wanted))


@pytest.mark.parametrize("side", [4, 7])
def test_cutouts_centre_is_uniform_and_the_edge_clips_its_square(side):
    """By hand: of 16 pixels the square covers `side`, from centre - side // 2 on, cut off at 0 and 16."""
    top, left, bottom, right = rectangles(Cutout(side), 16000, 16).boxes.T
    for low, high in ((top, bottom), (left, right)):
        wanted = [(max(0, c - side // 2), min(16, c - side // 2 + side)) for c in range(16)]
        found = torch.stack([low, high]).T.tolist()
        counts = [sum(pair == list(place) for pair in found) for place in wanted]
        assert sum(counts) == 16000 and stats.chisquare(counts).pvalue > 0.01


def test_rectangles_of_random_erasing_are_distributed_as_torchvisions():
    scale, ratio = [0.05, 0.9], [0.2, 4.0]  # often too large for the image
    theirs = v2.RandomErasing(p=1, scale=scale, ratio=ratio)
    torch.manual_seed(0)
    drawn = [theirs.make_params([torch.zeros(1, 32, 32)]) for _ in range(1500)]
    top, left, bottom, right = rectangles(Erasing(1.0, scale, ratio), 1500, 32).boxes.T.numpy()
    for ours, key in ((top, "i"), (left, "j"), (bottom - top, "h"), (right - left, "w")):
        assert stats.ks_2samp(ours, [found[key] for found in drawn]).pvalue > 0.01


def test_random_erasing_leaves_the_others_and_images_that_no_rectangle_fits():
    boxes = rectangles(Erasing(p=0.3), 10000, 32).boxes
    share = (boxes[:, 2] > boxes[:, 0]).float().mean().item()
    assert share == pytest.approx(0.3, abs=0.015)
    boxes = rectangles(Erasing(1.0, [1.0, 1.0], [1.0, 1.0]), 50, 32).boxes
    assert torch.equal(boxes[:, :2], boxes[:, 2:])


def test_a_ratio_of_random_erasing_is_height_over_width():
    """By hand: a tenth of 32 x 32 pixels is 102.4, 20.2 high and 5.1 wide."""
    top, left, bottom, right = rectangles(Erasing(1.0, [0.1, 0.1], [4.0, 4.0]), 200, 32).boxes.T
    assert set((bottom - top).tolist()) == {20} and set((right - left).tolist()) == {5}
    assert set(top.tolist()) == set(range(32 - 20 + 1)) and set(left.tolist()) == set(range(32 - 5 + 1))


def test_what_is_erased_is_the_mean(arrays):
    batches = loader(arrays, cutout={"side": 40}, mean="auto")
    batches.start_epoch(0)
    assert not batches[0][0].any()


# Colour jitter


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("change", "function"),
    [
        ("brightness", F.adjust_brightness),
        ("contrast", F.adjust_contrast),
        ("saturation", F.adjust_saturation),
        ("hue", F.adjust_hue),
    ],
)
def test_a_change_of_colour_is_torchvisions_with_the_same_factors(change, function, channels):
    images = pictures(40, channels=channels)
    images[0] = 77  # grey
    jitter = Jitter(**{change: 0.5})
    jitter.start_epoch([40], 16, draw(), CPU)
    factors = jitter.factors[["brightness", "contrast", "saturation", "hue"].index(change)].flatten().tolist()
    low, high = (-0.5, 0.5) if change == "hue" else (0.5, 1.5)
    assert stats.kstest(factors, stats.uniform(low, high - low).cdf).pvalue > 0.01
    found = jitter(0, slice(0, 40), images)
    wanted = [function(x.permute(2, 0, 1), f).permute(1, 2, 0) for x, f in zip(images, factors, strict=True)]
    difference = (found.int() - torch.stack(wanted).int()).abs()
    assert found.dtype == torch.uint8 and difference.max() <= 1  # where a product rounds to a whole number
    assert (difference > 0).float().mean() < 1e-3


def test_changes_follow_one_another_in_a_random_order_per_batch():
    jitter, orders = Jitter(0.4, 0.4, 0.0, 0.1), set()
    jitter.start_epoch([2] * 60, 16, draw(), CPU)
    images = pictures(2)
    functions = F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue
    for step, order in enumerate(jitter.orders):
        cut = slice(2 * step, 2 * step + 2)
        orders.add(tuple(order))
        wanted = images.permute(0, 3, 1, 2)
        for change in order:
            factors = jitter.factors[change, cut].flatten().tolist()
            wanted = torch.stack([functions[change](x, f) for x, f in zip(wanted, factors, strict=True)])
        difference = jitter(step, cut, images).permute(0, 3, 1, 2).int() - wanted.int()
        assert difference.abs().float().mean() < 0.01
    assert len(orders) == 6  # of three changes


# Normalisation by the training images


def test_mean_auto_is_of_the_training_images_of_the_run_alone(arrays):
    data = Data(name="x", train=20, validation=6, mean="auto")
    parts = splits(store.checked(arrays, 3, "test"), data, CPU)
    normalise = Normalise(data, parts["train"])
    pixels = arrays["x_train"][:20].reshape(-1, 3) / 255
    np.testing.assert_allclose(normalise.constants["mean"], pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(normalise.constants["std"], pixels.std(0), rtol=1e-12)
    shown = normalise(parts["train"].images)
    torch.testing.assert_close(shown.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(shown.std(dim=(0, 2, 3), correction=0), torch.ones(3))


def test_a_finished_run_is_normalised_as_it_was_trained(spec, digits, tmp_path):
    run = spec(data=DIGITS | {"mean": "auto"}, model={"name": "mlp", "width": 0.02}, epochs=1)
    loop.train(run, 0, digits, tmp_path / "run", device="cpu")
    trained = loop.Training(run, 0, store.load(digits), configure("cpu", "fp32", 1)).normalise
    found = finished.load(tmp_path / "run", digits, device="cpu")
    assert torch.equal(found.normalise.scale, trained.scale)
    assert torch.equal(found.normalise.shift, trained.shift)
    pixels = store.load(digits).x_train[:200] / 255
    np.testing.assert_allclose(trained.shift, -pixels.mean((0, 1, 2)) / pixels.std((0, 1, 2)), rtol=1e-5)


def test_auto_is_written_in_one_way_or_two_and_is_the_same_run(spec):
    runs = {spec(data=DIGITS | {"mean": "auto", **std}).run for std in ({}, {"std": None}, {"std": "auto"})}
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": "auto", "std": [0.5]}, "write auto for both, or numbers for both"),
        ({"mean": [0.5], "std": "auto"}, "write auto for both, or numbers for both"),
        ({"mean": "atuo"}, "'auto'"),
        ({"erasing": {"scale": [0.2, 1.2]}}, "at most 1"),
        ({"erasing": {"ratio": [3.0, 0.3]}}, r"allowed: \[least, largest\]"),
        ({"erasing": {"p": 0.0}}, "greater than 0"),
        ({"cutout": {}}, "side"),
        ({"cutout": {"side": 0}}, "greater than or equal to 1"),
        ({"mixup": {"alpha": 0.0}}, "greater than 0"),
        ({"jitter": {}}, "give brightness, contrast, saturation or hue"),
        ({"jitter": {"hue": 0.6}}, "less than or equal to 0.5"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Data.model_validate(DIGITS | options)


def test_a_constant_channel_has_no_deviation_to_divide_by(arrays):
    arrays["x_train"][..., 1] = 7
    with pytest.raises(DataError, match="needs channels that are not constant"):
        loader(arrays, mean="auto")


def test_a_run_without_new_options_has_the_name_that_it_had_before_there_were_any(spec):
    assert spec(data=DIGITS | {"crop": 2, "flip": True, "cutmix": {}}).run == "digits-resnet9-5965d95e"


# RandAugment and TrivialAugment


def as_torchvision(theirs, image, numbers, negative, monkeypatch):
    """Apply torchvision's policy to one image, with these draws for its own."""
    numbers, negative = iter(numbers), iter(negative)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randint", lambda *a, **k: torch.tensor(next(numbers)))
        patch.setattr(torch, "rand", lambda *a, **k: torch.tensor(0.5 if next(negative) else 0.6))
        return theirs(image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(TrivialAugment(), v2.TrivialAugmentWide()), (RandAugment(2, 23), v2.RandAugment(2, 23))],
    ids=["trivialaugment", "randaugment"],
)
def test_a_policy_does_what_torchvision_does_with_the_same_draws(ours, theirs, channels, monkeypatch):
    size, steps, side, seen = 140, 3, 16, set()
    images = pictures(size * steps, side, channels) // 3 + 40
    images[:5] = 77
    ours.start_epoch([size] * steps, side, draw(), CPU)
    found = torch.cat(
        [ours(k, slice(k * size, k * size + size), images[k * size :][:size]) for k in range(steps)]
    )
    for i, image in enumerate(images):
        numbers, negative = [], []
        for one in ours.rounds:
            name = NAMES[one.operation[i]]
            numbers.append(int(one.operation[i]))
            if isinstance(ours, TrivialAugment) and name not in ("identity", "autocontrast", "equalize"):
                numbers.append(int(one.level[i]))
            if name in SIGNED:
                negative.append(bool(one.negative[i]))
            seen.add(name)
        wanted = as_torchvision(theirs, image.permute(2, 0, 1), numbers, negative, monkeypatch)
        difference = (found[i].permute(2, 0, 1).int() - wanted.int()).abs()
        # one level where a product rounds to a whole number, which a second operation may enlarge
        assert (difference > 1).float().mean() < 0.02 and (difference > 0).float().mean() < 0.1, numbers
    assert seen == set(NAMES)


def test_operations_levels_and_signs_are_uniform():
    policy = TrivialAugment()
    policy.start_epoch([128] * 100, 32, draw(), CPU)
    (one,) = policy.rounds
    for drawn, count in ((one.operation, 14), (one.level, 31), (one.negative, 2)):
        assert stats.chisquare(drawn.long().bincount(minlength=count)).pvalue > 0.01


def test_a_factor_of_jitter_is_never_negative():
    jitter = Jitter(brightness=1.8)
    jitter.start_epoch([2000], 4, torch.Generator().manual_seed(0), CPU)
    factors = jitter.factors[0].flatten()
    assert 0 <= factors.min() < 0.05 and 2.75 < factors.max() <= 2.8


@pytest.mark.parametrize(
    ("policy", "rounds", "largest"),
    [(RandAugment(3, 4, 11), 3, 30.0), (RandAugment(1, 10, 11), 1, 30.0), (TrivialAugment(11), 1, 135.0)],
)
def test_a_strength_is_its_share_of_a_scale_of_as_many_bins_as_asked_for(policy, rounds, largest):
    """Seen in the angles of rotations: the strength k of 11 is k tenths of the largest one."""
    policy.start_epoch([500], 16, draw(), CPU)
    assert len(policy.rounds) == rounds
    for one in policy.rounds:
        rotated = one.operation == NAMES.index("rotate")
        levels = one.level[rotated]
        wanted = list(range(11)) if isinstance(policy, TrivialAugment) else [policy.magnitude]
        assert levels.unique().tolist() == wanted
        angles = torch.where(one.negative[rotated], -1, 1) * largest * levels / 10
        found = one.matrix[one.back][rotated]
        torch.testing.assert_close(found[:, 0, 0], torch.cos(torch.deg2rad(angles)))
        torch.testing.assert_close(found[:, 1, 0], torch.sin(torch.deg2rad(angles)))


@pytest.mark.parametrize(("policy", "mixing"), [("randaugment", "mixup"), ("trivialaugment", "cutmix")])
def test_parts_follow_one_another_as_the_documentation_says(policy, mixing, arrays, monkeypatch):
    called = []
    for kind in (RandAugment, TrivialAugment, Jitter, Normalise, Cutout, Erasing, MixUp, CutMix):

        def noted(self, *given, original=kind.__call__):
            called.append("mean" if isinstance(self, Normalise) else type(self).__name__.lower())
            return original(self, *given)

        monkeypatch.setattr(kind, "__call__", noted)
    options = {name: OPTIONS[name] for name in ("erasing", "cutout", "jitter")}
    batches = loader(arrays, **{mixing: {}, **options, policy: {}})
    batches.start_epoch(0)
    batches[0]
    page = (Path(__file__).parents[2] / "docs/how-to/augment-images.md").read_text()
    _, _, table = page.partition("They are applied in this order:")
    keys = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    told = [next(i for i, key in enumerate(keys) if f"`{name}`" in key) for name in called]
    assert told == sorted(told) and len(told) == 6
