"""Looking inside a network: Grad-CAM against its definition and captum, and the tests that it has to pass."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import LayerGradCam
from scipy import stats
from torch import nn

from helpers.analyses import analysed, write_figures, write_table
from pj import models
from pj.config.analyses.interpret import POINTS, View
from pj.config.settings import Variant
from pj.config.spec import RunSpec
from pj.data import store
from pj.data.batches import Normalise, Split
from pj.errors import UserError
from pj.interpret import maps as looking
from pj.interpret import measure as interpretation
from pj.interpret import sanity
from pj.models import layer_names
from pj.randomness import generator
from pj.report.figures import interpret as interpretation_figures
from pj.report.tables import analyses
from pj.runs import analysis, finished
from pj.runs.records import CHECKPOINT
from pj.training import loop
from pj.training.device import Conditions, configure

VIEW = View(
    image=3,
    feature_maps=["conv1", "block1"],
    grad_cam=["block2", "features"],
    per_class=2,
    images=20,
    draws=2,
)
WRN = {"depth": 10, "widen_factor": 1}


def network(name="wide_resnet", **options):
    """A network in eval mode whose batch norm has seen images, and whose head is not zero."""
    torch.manual_seed(0)
    model = models.create(name, width=0.5, **(WRN if name == "wide_resnet" else {}), **options)
    nn.init.normal_(model.head.weight if hasattr(model, "head") else next(model.parameters()), std=0.3)
    for _ in range(3):
        model(torch.randn(32, 3, 32, 32))
    return model.eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(1))


# Grad-CAM


def test_not_rectified_it_keeps_what_speaks_against_the_class(images):
    model = network()
    signed = looking.class_maps(model, "block2", images, rectified=False)
    assert signed.min() < 0
    torch.testing.assert_close(signed.relu(), looking.class_maps(model, "block2", images))


def test_before_global_average_pooling_the_weights_are_those_of_the_head_over_the_places(images):
    model = network()
    maps = looking.feature_maps(model, "features", images)
    target = torch.tensor([0, 1, 2, 3, 4, 5])
    by_hand = torch.einsum("nc,nchw->nhw", model.head.weight[target], maps) / maps[0, 0].numel()
    torch.testing.assert_close(looking.class_maps(model, "features", images, target), by_hand.relu())


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        *(("wide_resnet", layer) for layer in ("conv1", "block1", "block2", "block3", "features")),
        *(("resnet9", layer) for layer in ("conv2", "block1", "block2", "features")),
    ],
)
def test_it_is_captums(name, layer, images):
    model = network(name)
    target = torch.tensor([3, 1, 4, 1, 5, 9])
    oracle = LayerGradCam(model, model.get_submodule(layer_names.maps(model)[layer]))
    wanted = oracle.attribute(images, target=target, relu_attributions=True)[:, 0].detach()
    found = looking.class_maps(model, layer, images, target)
    assert found.max() > 0
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * float(wanted.max()))


def test_without_a_target_it_is_of_the_predicted_class(images):
    model = network()
    predicted = model(images).argmax(dim=1)
    found = looking.class_maps(model, "block2", images)
    assert torch.equal(found, looking.class_maps(model, "block2", images, predicted))
    assert not torch.equal(found, looking.class_maps(model, "block2", images, (predicted + 1) % 10))


def test_for_display_it_has_the_images_size_and_reaches_one(images):
    found = looking.grad_cam(network(), "block3", images)
    assert found.shape == (6, 32, 32) and found.min() >= 0
    torch.testing.assert_close(found.amax(dim=(1, 2)), torch.ones(6))


def test_a_map_is_enlarged_between_the_centres_of_its_places():
    """By hand: of four pixels the middle ones lie a quarter of a place from the centres of their own."""
    maps = torch.tensor([[[0.0, 1.0], [0.0, 1.0]], [[2.0, 2.0], [0.0, 0.0]]])
    across, down = looking.enlarged(maps, torch.Size((4, 4)))
    assert across.tolist() == [[0.0, 0.25, 0.75, 1.0]] * 4
    assert down.tolist() == [[value] * 4 for value in (2.0, 1.5, 0.5, 0.0)]


def test_for_display_each_map_is_divided_by_its_own_maximum():
    maps = torch.tensor([[[0.5, 1.0]], [[2.0, 8.0]], [[0.0, 0.0]]])
    found = looking.displayed(maps, torch.Size((1, 2)))
    assert found[:, 0].tolist() == [[0.5, 1.0], [0.25, 1.0], [0.0, 0.0]]


class Twice(nn.Module):
    """Calls its convolution, which doubles, on the images and then on what it gave."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.head = nn.Linear(1, 2, bias=False)
        nn.init.constant_(self.conv.weight, 2.0)
        self.head.weight.data = torch.tensor([[3.0], [0.0]])

    def forward(self, x):
        return self.head(self.conv(self.conv(x)).mean(dim=(2, 3)))


def test_of_a_layer_that_is_called_twice_the_last_call_is_shown():
    images = torch.tensor([[[[1.0, 0.0], [0.0, 0.5]]]])
    assert torch.equal(looking.feature_maps(Twice(), "conv1", images), 4 * images)
    # the weight of the one channel is the mean over four places of the head's 3 / 4 at each
    found = looking.class_maps(Twice(), "conv1", images, torch.tensor([0]))
    torch.testing.assert_close(found, 3 / 4 * 4 * images[:, 0])


def test_a_map_of_nothing_stays_zero(images):
    model = network()
    nn.init.zeros_(model.head.weight)
    assert looking.grad_cam(model, "features", images).abs().max() == 0


def test_the_network_is_left_as_it_was(images):
    model = network().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    looking.grad_cam(model, "block1", images)
    looking.feature_maps(model, "block1", images)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters()) and model.training
    assert not any(m._forward_hooks for m in model.modules())


def test_the_last_features_are_what_the_head_pools(images):
    model = network()
    maps = looking.feature_maps(model, "features", images)
    assert maps.min() == 0  # after the ReLU
    torch.testing.assert_close(model.head(maps.mean(dim=(2, 3))), model(images))


def test_blocks_are_the_groups_and_conv1_the_stem(images):
    model = network()
    x = model.stem(images)
    torch.testing.assert_close(looking.feature_maps(model, "conv1", images), x)
    for k, group in enumerate(model.groups):
        x = group(x)
        torch.testing.assert_close(looking.feature_maps(model, f"block{k + 1}", images), x)


def test_an_unknown_layer_is_refused_with_the_known_ones(images):
    for layer in ("block4", "linear1"):
        with pytest.raises(ValueError, match=f"'{layer}' with feature maps; available: conv1, .*, features"):
            looking.grad_cam(network(), layer, images)


@pytest.mark.parametrize("target", [-1, 10])
def test_an_unknown_class_is_refused(target, images):
    with pytest.raises(ValueError, match="allowed: classes 0 to 9"):
        looking.grad_cam(network(), "block1", images, torch.full((6,), target))


# Deletion and randomised weights


def test_pixels_are_ranked_from_the_most_important_and_equals_at_random():
    maps = torch.tensor([[[0.1, 0.9], [0.5, 0.3]], [[0.0, 0.0], [0.0, 1.0]]])
    found = sanity.ranks(maps, torch.Generator().manual_seed(0))
    assert found[0].tolist() == [[3, 0], [1, 2]]
    assert found[1, 1, 1] == 0 and sorted(found[1].flatten().tolist()) == [0, 1, 2, 3]
    draws = {
        tuple(sanity.ranks(maps, torch.Generator().manual_seed(k))[1].flatten().tolist()) for k in range(60)
    }
    assert len(draws) == 6  # every order of the three equal ones


class Sum(nn.Module):
    """Two logits: the weighted sum of the pixels, and zero."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, x):
        first = (x[:, 0] * self.weights).sum(dim=(1, 2))
        return torch.stack([first, torch.zeros_like(first)], dim=1)


def test_deletion_is_the_probability_without_the_first_pixels():
    weights = torch.tensor([[4.0, 3.0], [2.0, 1.0]])
    ranks = torch.tensor([[[0, 1], [2, 3]]])
    shares = [0.0, 0.25, 0.5, 0.75, 1.0]
    curve = sanity.deletion(
        Sum(weights), torch.ones(1, 1, 2, 2), ranks, torch.tensor([0]), shares, torch.tensor([-0.5])
    )
    sums = torch.tensor([10.0, 4.0, -0.5, -3.5, -5.0])  # each removed pixel counts -0.5 instead of 1
    torch.testing.assert_close(curve[0], torch.sigmoid(sums))


def test_the_area_is_the_mean_by_trapezoids():
    curves = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert sanity.area(curves, [0.0, 0.5, 1.0]).tolist() == [0.25, 1.0]
    assert sanity.area(curves[:, :2], [0.0, 0.5]).tolist() == [0.5, 1.0]  # of a part of the shares


def test_layers_forget_from_the_last_to_the_first_and_keep_their_distribution():
    model = network()
    before = {
        name: model.get_parameter(f"{p}.weight").clone() for name, p in layer_names.layers(model).items()
    }
    forgotten = []
    for name, copied in sanity.randomised(model, generator(0, "check")):
        forgotten.append(name)
        for layer, path in layer_names.layers(copied).items():
            weight = copied.get_parameter(f"{path}.weight")
            assert torch.equal(weight, before[layer]) == (layer not in forgotten)
            assert torch.equal(weight.flatten().sort().values, before[layer].flatten().sort().values)
    assert forgotten == list(reversed(before))
    assert all(
        torch.equal(model.get_parameter(f"{p}.weight"), before[n])
        for n, p in layer_names.layers(model).items()
    )


def test_rank_correlations_are_spearmans_and_none_where_a_map_is_constant():
    draw = torch.Generator().manual_seed(0)
    a, b = torch.rand(3, 4, 4, generator=draw), torch.rand(3, 4, 4, generator=draw)
    b[1], b[2] = -a[1], 0.0
    found = sanity.rank_correlations(a, b)
    assert found[0] == pytest.approx(stats.spearmanr(a[0].flatten(), b[0].flatten()).statistic)
    assert found[1:] == [pytest.approx(-1), None]


# A finished run


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    content = {
        "data": {"name": "digits", "train": 400, "test": 100},
        "model": {"name": "resnet9", "width": 0.1},
        "loss": {"name": "cross_entropy"},
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "epochs": 4,
        "batch_size": 50,
        "precision": "fp32",
    }
    folder = tmp_path_factory.mktemp("run")
    loop.train(RunSpec.model_validate(content), 0, digits, folder)
    return folder


def test_a_finished_run_is_loaded_in_eval_mode_under_the_conditions_asked_for(run, digits):
    found = finished.load(run, digits, device="cpu", threads=2)
    assert not any(module.training for module in found.model.modules())
    assert found.conditions == Conditions(torch.device("cpu"), "fp32", 2)


def test_measuring_a_finished_run_leaves_it_unchanged(run, digits, tmp_path):
    before = (run / CHECKPOINT).read_bytes()
    analysis.measure("interpretations", VIEW, run, digits, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    loaded = finished.load(run, digits, precision="fp32")
    split = loaded.splits["test"]
    image = found["image"]
    assert image["index"] == 3 and image["label"] == int(split.labels[3])
    assert np.array_equal(image["pixels"], split.images[3])
    assert {k: np.shape(v) for k, v in image["feature_maps"].items()} == {
        "conv1": (3, 32, 32),
        "block1": (3, 16, 16),
    }
    assert {k: np.shape(v) for k, v in image["grad_cam"].items()} == {
        "block2": (32, 32),
        "features": (32, 32),
    }
    assert [i["label"] for i in found["sheet"]] == [k for k in range(10) for _ in range(2)]
    assert all(int(split.labels[i["index"]]) == i["label"] for i in found["sheet"])
    with torch.no_grad():
        logits = loaded.model(loaded.normalise(split.images[:20]))
    certain = float(logits.softmax(dim=1).max(dim=1).values.mean())
    for layer in ("block2", "features"):
        curves = found["deletion"]["layers"][layer]
        for name in ("grad_cam", "random"):
            assert curves[name]["curve"][0] == pytest.approx(certain, abs=1e-4)  # nothing is removed yet
            assert len(curves[name]["areas"]) == 20
        assert curves["grad_cam"]["curve"][-1] == pytest.approx(curves["random"]["curve"][-1], abs=1e-4)
        assert curves["grad_cam"]["curve"][-1] == pytest.approx(curves["other"]["curve"][-1], abs=1e-4)
    assert list(found["check"]["correlations"]) == list(reversed(layer_names.layers(loaded.model)))
    assert found["check"]["layer"] == "features"
    assert (run / CHECKPOINT).read_bytes() == before


class Brightness(nn.Module):
    """Logit 0 is three times the mean brightness, logit 1 is 0.2: bright images are of class 0.

    The maps of conv1 are 0.4 below the brightness, so that dim places speak against class 0. Two more
    classes, which are never predicted, are there for the head's weights to be shuffled with.
    """

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)
        self.head = nn.Linear(1, 4)
        nn.init.ones_(self.conv.weight)
        nn.init.constant_(self.conv.bias, -0.4)
        self.head.weight.data = torch.tensor([[3.0], [0.0], [-1.0], [-2.0]])
        self.head.bias.data = torch.tensor([1.2, 0.2, -99.0, -99.0])

    def forward(self, x):
        return self.head(self.conv(x).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def planted_run():
    """150 test images of 8x8 pixels, each with a bright patch of its own; label k is image k modulo 3."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 40, (150, 8, 8, 1), dtype=np.uint8)
    for k, (top, left) in enumerate(draw.integers(0, 6, (150, 2))):
        images[k, top : top + 3, left : left + 3] += np.uint8(200)
    split = Split(torch.from_numpy(images), torch.arange(150) % 3)
    spec = RunSpec.model_validate(PLANTED)
    return finished.FinishedRun(
        spec=spec,
        dataset=store.Dataset(
            images, np.arange(150) % 3, images, np.arange(150) % 3, names=("0", "1", "2"), sha256=""
        ),
        checkpoint={},
        model=Brightness().eval(),
        loss=nn.functional.cross_entropy,
        splits={"test": split},
        normalise=Normalise(spec.data, split),
        conditions=configure("cpu", "fp32", 1),
    )


PLANTED = {
    "data": {"name": "digits"},
    "model": {"name": "lenet"},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "epochs": 1,
    "batch_size": 10,
}
BRIGHT = View(feature_maps=["conv1"], grad_cam=["conv1"], images=150, draws=3, per_class=2, image=7)


def test_of_a_network_that_adds_up_brightness_the_brightest_pixels_go_first(planted_run):
    """The whole of the deletion test against a computation by hand, on more images than fit at once."""
    found = interpretation.measure(planted_run, BRIGHT)["deletion"]["layers"]["conv1"]
    images = planted_run.splits["test"].images[..., 0].double() / 255
    fill = images.mean()
    curves = []
    for image in images:
        logits = planted_run.model(image[None, None].float())[0]
        target = int(logits.argmax())
        pixels = image.flatten().sort(descending=target == 0).values  # for class 1 the map is zero: any order
        row = []
        for share in interpretation.SHARES:
            count = int(np.ceil(share * 64))
            mean = (count * fill + pixels[count:].sum()) / 64
            logits = torch.tensor([3 * mean, 0.2])  # the others are at -99
            row.append(torch.softmax(logits, 0)[target].item())
        curves.append((target, row))
    chosen = [i for i, (target, _) in enumerate(curves) if target == 0]
    assert len(chosen) > 100
    areas = np.array(found["grad_cam"]["areas"])
    by_hand = np.array([np.trapezoid(row, interpretation.SHARES) for _, row in curves])
    np.testing.assert_allclose(areas[chosen], by_hand[chosen], atol=1e-3)
    for rival in ("other", "random"):
        assert np.mean(np.array(found[rival]["areas"])[chosen] - areas[chosen]) > 0.01
    assert len(found["random"]["areas"]) == len(found["other"]["areas"]) == 150
    assert found["other"] != found["random"]


def test_the_rival_maps_of_other_images_are_the_networks_own_for_another_image(planted_run):
    """Were all images one image, another's map would be as good as the own."""
    same = planted_run.splits["test"].images[:1].expand(150, -1, -1, -1).clone()
    run = replace(planted_run, splits={"test": Split(same, planted_run.splits["test"].labels)})
    found = interpretation.measure(run, BRIGHT)["deletion"]["layers"]["conv1"]
    np.testing.assert_allclose(found["other"]["areas"], found["grad_cam"]["areas"], atol=1e-3)
    assert np.mean(np.array(found["random"]["areas"]) - found["grad_cam"]["areas"]) > 0.01


def test_the_time_of_a_deletion_curve_is_that_of_its_points():
    assert len(interpretation.SHARES) == POINTS


def test_a_map_without_content_does_no_better_than_its_rivals(planted_run, monkeypatch):
    def nothing(model, layer, images, target=None, rectified=True, check=True):
        return torch.zeros(len(images), 8, 8)

    monkeypatch.setattr(interpretation, "class_maps", nothing)
    found = interpretation._deletion(planted_run, BRIGHT)["layers"]["conv1"]
    difference = np.array(found["grad_cam"]["areas"]) - found["random"]["areas"]
    assert abs(difference.mean()) < 2.6 * difference.std(ddof=1) / 150**0.5


def test_the_check_compares_the_maps_of_the_trained_and_the_randomised_network(planted_run):
    """A map is brightness times the predicted class's weight, so its rank correlation is a sign."""
    correlations = interpretation.measure(planted_run, BRIGHT)["check"]["correlations"]
    assert list(correlations) == ["linear1", "conv1"]
    images = planted_run.normalise(planted_run.splits["test"].images)
    predicted = planted_run.model(images).argmax(dim=1)
    before = planted_run.model.head.weight[:, 0]
    name, forgetful = next(sanity.randomised(planted_run.model, generator(0, "check")))
    after = forgetful.head.weight[:, 0]
    assert name == "linear1" and not torch.equal(before, after)
    signs = (before * after).sign()[predicted].tolist()
    wanted = [None if sign == 0 else pytest.approx(sign) for sign in signs]
    assert len(set(signs)) > 1 or set(signs) != {1.0}
    for values in correlations.values():  # a shuffle of conv1's one weight changes nothing more
        assert values == wanted


def test_the_sheet_has_the_first_images_of_each_class_with_the_map_of_what_was_predicted(planted_run):
    found = interpretation.measure(planted_run, BRIGHT)
    assert [image["index"] for image in found["sheet"]] == [0, 3, 1, 4, 2, 5]
    split = planted_run.splits["test"]
    for image in found["sheet"]:
        pixels = planted_run.normalise(split.images[image["index"]][None])
        wanted = looking.grad_cam(planted_run.model, "conv1", pixels)[0]
        np.testing.assert_allclose(image["grad_cam"]["conv1"], wanted, atol=1e-4)
        assert image["predicted"] == int(planted_run.model(pixels).argmax())
    np.testing.assert_allclose(
        found["image"]["feature_maps"]["conv1"][0], split.images[7, ..., 0] / 255 - 0.4, atol=1e-4
    )


def test_the_sheet_of_many_classes_shows_the_first_ones_and_says_so(planted_run, monkeypatch, spec, tmp_path):
    monkeypatch.setattr(interpretation, "MOST", 2)
    found = interpretation.measure(planted_run, BRIGHT)
    assert [image["index"] for image in found["sheet"]] == [0, 3, 1, 4]
    shown = planted(tmp_path, spec, "a")
    run = {"state": "complete", **found}
    view = shown.model_copy(update={"view": BRIGHT})
    sheet = interpretation_figures.draw_sheet(view, {"a": {0: run}})
    (part,) = sheet.subfigs
    assert "the first 2 of 3 classes" in " ".join(part.get_suptitle().split())


def test_an_image_that_is_not_there_is_refused(run, digits):
    loaded = finished.load(run, digits)
    for wrong in ({"image": 100}, {"images": 101}):
        with pytest.raises(UserError, match=r"test images are needed, and it has 100"):
            interpretation.measure(loaded, VIEW.model_copy(update=wrong))


def test_a_layer_that_is_not_there_is_refused_with_the_known_ones(run, digits):
    with pytest.raises(UserError, match="'block9' with feature maps; available: conv1"):
        interpretation.measure(
            finished.load(run, digits, precision="fp32"), VIEW.model_copy(update={"grad_cam": ["block9"]})
        )


def test_a_diverged_run_shows_nothing_and_says_so(spec, digits, tmp_path):
    loop.train(spec(optimizer={"name": "sgd", "lr": 1e30}), 0, digits, tmp_path / "run")
    analysis.measure("interpretations", VIEW, tmp_path / "run", digits, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["state"] == "diverged"


# Tables and figures


def planted(folder, spec, *names, seeds=(0, 1)):
    variants = [
        Variant(study="s", name=n, title=n, spec=spec(batch_size=8 + i), seeds=seeds, scale={}, reported={})
        for i, n in enumerate(names)
    ]
    return analysed("interpretations", name="i", title="A & B", view=VIEW, variants=tuple(variants))


def write_planted(folder, variant, seed, shift=0.0, state="complete"):
    """Two images: Grad-CAM's areas are 0.3 and 0.5, those of random maps ``0.2 + shift`` above."""
    shares = [0.0, 0.5, 1.0]
    areas, above = np.array([0.3, 0.5]), np.array([0.2, 0.4]) + shift
    layers = {
        layer: {
            "grad_cam": {"curve": [0.9, 0.4, 0.1], "areas": areas.tolist()},
            "random": {"curve": [0.9, 0.7, 0.1], "areas": (areas + above).tolist()},
            "other": {"curve": [0.9, 0.6, 0.1], "areas": (areas + 0.1).tolist()},
        }
        for layer in VIEW.grad_cam
    }
    pixels = np.zeros((4, 4, 3), dtype=int).tolist()
    heat = {layer: np.eye(4).tolist() for layer in VIEW.grad_cam}
    image = {"index": 3, "label": 1, "predicted": 0, "probability": 0.5, "pixels": pixels, "grad_cam": heat}
    content = {
        "state": state,
        "image": image | {"feature_maps": {n: np.zeros((3, 2, 2)).tolist() for n in VIEW.feature_maps}},
        "sheet": [image | {"label": k} for k in range(3)],
        "deletion": {"images": 2, "shares": shares, "layers": layers},
        "check": {
            "layer": "features",
            "correlations": {"linear1": [0.4, None], "conv1": [0.1, -0.1]},
        },
    }
    text = json.dumps(content if state == "complete" else {"state": state})
    (folder / f"{variant.spec.run}-seed{seed}.json").write_text(text)


def test_the_table_sets_grad_cam_beside_random_maps_and_names_what_diverged(spec, tmp_path):
    shown = planted(tmp_path, spec, "a", "b", "c")
    a, b, _ = shown.variants
    write_planted(tmp_path, a, 0)
    write_planted(tmp_path, a, 1, shift=0.2)
    write_planted(tmp_path, b, 0, state="diverged")
    write_table("interpretations", shown, tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")
    own = table[(table["variant"] == "a") & (table["layer"] == "features")].set_index("seed")
    assert own["minus_random"].tolist() == pytest.approx([-0.3, -0.5])
    assert own["minus_other"].tolist() == pytest.approx([-0.1, -0.1])
    half = stats.t.ppf(0.975, 1) * np.std([-0.2, -0.4], ddof=1) / np.sqrt(2)
    assert own["minus_random_half_width"].tolist() == pytest.approx([half, half])
    assert own["first_randomised"].tolist() == pytest.approx([0.4, 0.4])
    assert own["all_randomised"].tolist() == pytest.approx([0.0, 0.0])
    assert table.loc[table["layer"] == "block2", "all_randomised"].isna().all()
    page = (tmp_path / "table.md").read_text()
    assert "on the first 2 test images" in page and "Diverged: b seed 0." in page
    rows = [
        [c.strip() for c in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| a")
    ]
    # over images: each counts with the mean of its seeds, -0.3 and -0.5
    assert rows[1][:3] == ["a", "features", "2"]
    assert rows[1][6:8] == ["−0.100 ± 0.000", f"−0.400 ± {half:.3f}"]  # two images, whatever the seeds
    assert rows[1][8:] == ["0.40 (2 of 4 maps constant)", "0.00"] and rows[0][8:] == ["", ""]


def test_a_table_of_nothing_measured_yet_says_so(spec, tmp_path):
    shown = planted(tmp_path, spec, "a")
    write_table("interpretations", shown, tmp_path)
    write_figures("interpretations", shown, tmp_path)
    assert "nothing measured yet" in (tmp_path / "table.md").read_text()


def test_the_figures_show_every_layer_image_and_curve(spec, tmp_path):
    shown = planted(tmp_path, spec, "a", "b")
    for variant in shown.variants:
        write_planted(tmp_path, variant, 0)
    found = analyses.collect(shown.variants, tmp_path)
    image = interpretation_figures.draw_image(shown, found)
    pictures = [len(axes.images) for part in image.subfigs for axes in part.axes]
    # two layers of three channels, the image, and two Grad-CAMs, each over the image
    assert sum(pictures) == 2 * (2 * 3 + 1 + 2 * 2)
    sheet = interpretation_figures.draw_sheet(shown, found)
    assert sum(len(axes.images) for part in sheet.subfigs for axes in part.axes) == 2 * 3 * (1 + 2)
    deleted, checked = interpretation_figures.draw_tests(shown, found).axes
    assert len(deleted.get_lines()) == 2 * 2 * 3
    medians = checked.get_lines()[0].get_ydata()
    assert list(medians) == pytest.approx([0.4, 0.0])
    write_figures("interpretations", shown, tmp_path)
    assert {path.name for path in tmp_path.glob("*.[ps][nv]g")} == {
        f"{name}.{kind}" for name in ("image", "sheet", "tests") for kind in ("png", "svg")
    }
    for name in ("image.png", "sheet.png", "tests.png", "image.svg", "sheet.svg", "tests.svg"):
        assert (tmp_path / name).stat().st_size > 0


def test_each_area_stands_under_its_own_heading_and_each_layer_in_its_own_row(spec, tmp_path):
    shown = planted(tmp_path, spec, "a")
    (a,) = shown.variants
    write_planted(tmp_path, a, 0)
    path = tmp_path / f"{a.spec.run}-seed0.json"
    content = json.loads(path.read_text())
    for curve, areas in (("grad_cam", [0.1, 0.1]), ("other", [0.15, 0.15]), ("random", [0.8, 0.8])):
        content["deletion"]["layers"]["features"][curve]["areas"] = areas
    path.write_text(json.dumps(content))
    write_table("interpretations", shown, tmp_path)
    table = pd.read_csv(tmp_path / "table.csv").set_index("layer")
    areas = ["grad_cam", "other", "random"]
    assert table.loc["block2", areas].tolist() == pytest.approx([0.4, 0.5, 0.7])
    assert table.loc["features", areas].tolist() == pytest.approx([0.1, 0.15, 0.8])
    lines = [
        line.strip("|").split("|")
        for line in (tmp_path / "table.md").read_text().splitlines()
        if line[:1] == "|"
    ]
    head, _, *rows = [[cell.strip() for cell in line] for line in lines]
    rows = [dict(zip(head, row, strict=True)) for row in rows]
    wanted = (
        ("block2", "0.400", "0.500", "0.700", "−0.100", "−0.300"),
        ("features", "0.100", "0.150", "0.800", "−0.050", "−0.700"),
    )
    for row, (layer, own, other, random, minus_other, minus_random) in zip(rows, wanted, strict=True):
        assert row["Grad-CAM at"] == layer
        assert row["area below the deletion curve, Grad-CAM"] == own
        assert row["area, maps of other images"] == other
        assert row["area, random maps"] == random
        assert row["Grad-CAM minus maps of other images (over images)"].startswith(minus_other)
        assert row["Grad-CAM minus random maps (over images)"].startswith(minus_random)


def test_each_image_of_the_sheet_has_the_probability_of_its_own_prediction(planted_run):
    found = interpretation.measure(planted_run, BRIGHT)
    split = planted_run.splits["test"]
    for image in [found["image"], *found["sheet"]]:
        logits = planted_run.model(planted_run.normalise(split.images[image["index"]][None]))
        assert image["probability"] == pytest.approx(logits.softmax(dim=1).max().item(), abs=1e-4)
    assert len({image["probability"] for image in found["sheet"]}) > 1


def test_the_random_rival_is_the_mean_over_all_of_its_draws(planted_run, monkeypatch):
    """Draws that differ: of two, each image's area lies half-way between those of either."""
    seeds = []

    def counted(seed, *keys):
        seeds.append((seed, *keys))
        return generator(seed, *keys)

    monkeypatch.setattr(interpretation, "generator", counted)

    def areas(draws):
        view = BRIGHT.model_copy(update={"draws": draws})
        return np.array(interpretation._deletion(planted_run, view)["layers"]["conv1"]["random"]["areas"])

    one, two, three = (areas(draws) for draws in (1, 2, 3))
    second, third = 2 * two - one, 3 * three - 2 * two  # of the second and of the third draw alone
    for other in (second, third):
        assert np.std(other - one) > 0.01
    assert np.std(third - second) > 0.01
    assert {key[0] for key in seeds if "random" in key} == {0, 1, 2}


def test_a_removed_pixel_has_the_mean_colour_of_the_images(planted_run):
    """Of each channel its own mean: with all pixels removed the probability is that of the mean image."""

    class First(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 1, bias=False)
            self.head = torch.nn.Linear(3, 2, bias=False)
            self.conv.weight.data = torch.eye(3)[..., None, None]
            self.head.weight.data = torch.tensor([[4.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

        def forward(self, x):
            return self.head(self.conv(x).mean(dim=(2, 3)))

    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (8, 8, 8, 3), generator=draw, dtype=torch.uint8)
    pixels[..., 1] //= 4
    pixels[..., 2] //= 16
    run = replace(
        planted_run,
        model=First().eval(),
        splits={"test": Split(pixels, torch.arange(8) % 3)},
        normalise=lambda images: images.permute(0, 3, 1, 2).float() / 255,
    )
    view = BRIGHT.model_copy(update={"images": 8, "image": 0})
    found = interpretation._deletion(run, view)["layers"]["conv1"]["grad_cam"]["curve"][-1]
    means = pixels.float().mean(dim=(0, 1, 2)) / 255
    wanted = torch.softmax(torch.stack([4 * means[0], means[1]]), 0)
    predicted = run.model(run.normalise(pixels)).argmax(dim=1)
    assert found == pytest.approx(wanted[predicted].mean().item(), abs=1e-4)


def test_the_check_ranks_places_that_speak_against_the_class_too(planted_run, monkeypatch):
    """A negated head gives the negative of a map: of maps cut at zero nothing would correlate."""
    negated = Brightness()
    negated.head.weight.data *= -1
    monkeypatch.setattr(interpretation, "randomised", lambda model, draw: iter([("linear1", negated.eval())]))
    found = interpretation.measure(planted_run, BRIGHT)["check"]["correlations"]["linear1"]
    predicted = planted_run.model(planted_run.normalise(planted_run.splits["test"].images)).argmax(dim=1)
    assert found == [pytest.approx(-1) if k == 0 else None for k in predicted.tolist()]
    assert found.count(None) < 50
