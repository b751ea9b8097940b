"""A user's own code in training, and networks of torchvision."""

import re
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from helpers import own_code
from helpers.calls import call
from helpers.project import OWN as STUDY
from helpers.project import ROOT
from helpers.runs import assert_equal_runs, killed_after, take_epoch, train
from pj import cli, models, syntax
from pj import own as own_components
from pj.config.components import Source
from pj.config.types import Strict
from pj.data import sources, store
from pj.errors import UserError
from pj.interpret import maps
from pj.models import layer_names
from pj.runs.records import read_metrics
from pj.training import network
from pj.training.device import configure
from pj.training.run import Training

NET = {"class": "my_nets.py:TinyNet", "options": {"hidden": 4}}
OWN = {
    "model": NET,
    "loss": {"class": "my_nets.py:focal"},
    "optimizer": {"class": "my_nets.py:Lion", "options": {"lr": 0.01}},
    "schedule": {"class": "my_nets.py:halving", "options": {"every": 1}},
}
IMAGES = store.Shape(10, 3, 32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    with own_code.beside(tmp_path, monkeypatch):
        yield tmp_path


def test_a_run_of_ones_own_code_is_that_of_torch_and_killed_it_ends_in_the_same_bits(
    folder, spec, digits, tmp_path, monkeypatch
):
    run = spec(**OWN, data={"name": "digits", "train": 128, "test": 50}, batch_size=64)
    train(run, digits, tmp_path / "whole")
    killed_after(3, monkeypatch, run, digits, tmp_path / "cut", tmp_path / "resume", save_every=0)
    train(run, digits, tmp_path / "cut", resume=tmp_path / "resume")
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
    rates = (tmp_path / "whole" / "metrics.csv").read_text().splitlines()
    column = rates[0].split(",").index("lr")
    assert [float(row.split(",")[column]) for row in rates[1:]] == [0.01, 0.005]


LATE = """

class Late(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr)
        self.k, self.calls = 0, 0

    def step(self, closure=None):
        self.calls += 1
        if self.calls > 2:
            self.k = self.calls
        for group in self.param_groups:
            group["lr"] = 0.1 / (1 + self.k)
        return super().step(closure)


class LateLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls, self.scale = 0, torch.ones(())

    def forward(self, logits, target):
        self.calls += 1
        if self.calls > 2:
            self.scale = self.scale * 0.9
        return self.scale * nn.functional.cross_entropy(logits, target)
"""


def test_what_a_part_keeps_later_than_the_try_sees_is_in_the_resume_state(
    folder, spec, digits, tmp_path, monkeypatch
):
    with (folder / "my_nets.py").open("a") as file:
        file.write(LATE)
    parts = {
        "optimizer": {"class": "my_nets.py:Late", "options": {"lr": 0.1}},
        "loss": {"class": "my_nets.py:LateLoss"},
    }
    run = spec(**parts, data={"name": "digits", "train": 128, "test": 50}, batch_size=32, epochs=2)
    train(run, digits, tmp_path / "whole")
    own_components.forget_losses()  # as in another process
    killed_after(3, monkeypatch, run, digits, tmp_path / "cut", tmp_path / "resume", save_every=0)
    own_components.forget_losses()
    train(run, digits, tmp_path / "cut", resume=tmp_path / "resume")
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_a_loss_that_is_a_class_of_torch_is_that_of_pj(spec, digits, tmp_path):
    for name, loss in (
        ("own", {"class": "torch.nn:CrossEntropyLoss", "options": {"label_smoothing": 0.1}}),
        ("pj", {"name": "cross_entropy", "label_smoothing": 0.1}),
    ):
        run = spec(model={"name": "mlp", "width": 0.02}, loss=loss, epochs=1)
        train(run, digits, tmp_path / name)
    weights = [torch.load(tmp_path / name / "checkpoint.pt")["weights"] for name in ("own", "pj")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_a_network_is_described_with_the_layers_it_has(folder, spec):
    found = network.describe(spec(model=NET), IMAGES)
    assert found["layers"] == ["conv1", "conv2", "linear1"] and found["prunable"] == ["linear1"]
    # 15 x 15 places of two convolutions 3 x 3, and the linear layer
    assert found["macs"] == 15 * 15 * 9 * (3 * 4 + 4 * 4) + 4 * 10
    assert found["parameters"] == 4 * 27 + 4 + 4 * 36 + 4 + 4 * 10 + 10


CONVOLUTIONS = """
from torch import nn

class Net(nn.Module):
    CONSUMERS = {"conv1": ["conv2"]}

    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.head = nn.Linear(8, num_classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))
"""


@pytest.mark.parametrize(
    ("old", "new", "prunable"),
    [
        ("", "", True),
        ("nn.ReLU()", "nn.ReLU(), nn.Dropout(0.5)", True),
        ("nn.ReLU()", "nn.Softplus()", False),
        ("nn.BatchNorm2d(8), nn.ReLU()", "nn.ReLU(), nn.BatchNorm2d(8)", False),
        ('["conv2"]', '["linear1"]', False),
    ],
)
def test_a_layer_is_called_prunable_if_its_filters_can_be_removed(old, new, prunable, folder, spec, caplog):
    (folder / "convolutions.py").write_text(CONVOLUTIONS.replace(old, new))
    found = network.describe(spec(model={"class": "convolutions.py:Net"}), IMAGES)
    assert found["prunable"] == [*(["conv1"] if prunable else []), "linear1"]
    assert ("conv1 cannot be pruned: without the filters" in caplog.text) == (not prunable)


@pytest.mark.parametrize(
    "wide",
    [
        "class Wide(TinyNet):\n    def __init__(self, **more):\n        super().__init__(hidden=4, **more)\n",
        "def Wide(**more):\n    return TinyNet(hidden=4, **more)\n",
        "def Wide(**more):\n    return TinyNet(more['num_classes'], hidden=4)\n",
    ],
)
def test_a_network_is_given_the_number_of_classes_that_it_passes_on(folder, spec, wide):
    path = folder / "my_nets.py"
    path.write_text(path.read_text().replace("class Wide(TinyNet):\n    pass\n", wide))
    assert wide in path.read_text()
    syntax.parsed.cache_clear()
    own_components.own._content.cache_clear()
    run = spec(model={"class": "my_nets.py:Wide"})
    assert network.describe(run, store.Shape(7, 3, 32))["layers"] == ["conv1", "conv2", "linear1"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hidden, num_classes)", "hidden, 3)", r"gives \[2, 3\] for two images; needed: logits \[2, 10\]"),
        ("self.body(x).mean((2, 3))", "self.body(x).flatten(1)", 'fails on images .*my_nets.py", line 16'),
        ("return self.head", "return 1, self.head", "gives tuple for two images"),
        ("return self.head", "return (self.training, 1) if self.training else self.head", "gives tuple"),
        ("class TinyNet(nn.Module)", "class TinyNet(object)", "cannot be used"),
        ("super().__init__()", "super().__init__(); 1 / 0", "cannot be made with .*ZeroDivisionError"),
        (
            "from parts import block",
            "import nothing_of_this_name",
            "cannot be imported.*nothing_of_this_name",
        ),
    ],
)
def test_a_network_that_cannot_be_trained_is_one_message_with_its_own_traceback(
    old, new, message, folder, spec
):
    text = (folder / "my_nets.py").read_text()
    assert old in text
    (folder / "my_nets.py").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=rf"(?s){message}") as error:
        network.describe(spec(model=NET), IMAGES)
    files = set(re.findall(r'File "(.*)"', str(error.value)))
    assert all(Path(file).name == "my_nets.py" for file in files)


@pytest.mark.parametrize("terminal", ["", "1"])
def test_what_a_network_prints_and_the_progress_are_not_in_the_table_of_networks(
    terminal, folder, capsys, monkeypatch
):
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    monkeypatch.setenv("FORCE_COLOR", terminal)
    text = (folder / "my_nets.py").read_text()
    (folder / "my_nets.py").write_text(text.replace("return self.head", "print('called'); return self.head"))
    study = STUDY.replace("{name: mlp, width: 0.02}", str(NET)).replace(
        "source: digits", "source: digits, channels: 3"
    )
    (folder / "config.yaml").write_text(study)
    cli.main(["models"])
    found = capsys.readouterr()
    assert found.out.splitlines()[1].split()[:2] == ["TinyNet", "digits"] and "called" in found.err
    assert "called" not in found.out and "building" not in found.out
    assert ("building" in found.err) == (terminal == "1")


def test_files_of_one_name_in_two_folders_are_two_modules(folder):
    for name, size in (("a", 1), ("b", 2)):
        (folder / name).mkdir()
        (folder / name / "sizes.py").write_text(f"SIZE = {size}\n")
        (folder / name / "net.py").write_text("from sizes import SIZE\n\n\ndef size():\n    return SIZE\n")
    assert [own_components.loaded(f"{name}/net.py:size", None)() for name in ("a", "b")] == [1, 2]
    sys.modules.pop("sizes"), sys.modules.pop("net")


def test_a_file_that_was_edited_after_its_run_was_planned_is_not_trained(folder, spec):
    planned = spec(model=NET)
    text = (folder / "my_nets.py").read_text()
    (folder / "my_nets.py").write_text(text.replace("stride=2", "stride=1"))
    from pj import syntax
    from pj.config import own

    syntax.parsed.cache_clear()  # another process has read nothing yet
    own._content.cache_clear()
    with pytest.raises(UserError, match="was edited since this run was planned; run the command again"):
        network.describe(planned, IMAGES)


TENSORS = """
import torch

def tensors():
    images = torch.arange(20 * 8 * 8 * 3).reshape(20, 8, 8, 3) % 256
    return {"x_train": images, "y_train": [0, 1] * 10, "x_test": images, "y_test": [1, 0] * 10}

def ragged():
    return tensors() | {"y_train": [[0], [1, 2]]}
"""


def test_ones_own_function_of_images_is_a_source(folder):
    class Settings(Strict):
        source: Source

    given = {"class": "my_nets.py:images", "options": {"count": 30}}
    dataset = sources.read(Settings.model_validate({"source": given}).source)
    assert dataset.x_train.shape == (30, 8, 8, 3) and dataset.names == ("0", "1")
    assert set(dataset.orders) == {"train", "test"}  # mixed
    (folder / "data.py").write_text(TENSORS)
    tensors = sources.read(Settings.model_validate({"source": {"class": "data.py:tensors"}}).source)
    assert tensors.x_train.shape == (20, 8, 8, 3) and tensors.names == ("0", "1")
    with pytest.raises(UserError, match=r"ragged returned what is no array"):
        sources.read(Settings.model_validate({"source": {"class": "data.py:ragged"}}).source)
    number = {"class": "my_nets.py:halving", "options": {"progress": 1.0, "epochs": 2, "every": 1}}
    with pytest.raises(UserError, match="halving returned float; needed: a dictionary of x_train, y_train"):
        sources.read(Settings.model_validate({"source": number}).source)


def torchvision(arch, channels=3, **options):
    return models.create(
        "torchvision", arch=arch, num_classes=10, in_channels=channels, image_size=32, **options
    ).eval()


def test_a_network_of_torchvision_is_that_network_and_the_stem_for_cifar_keeps_the_images_size():
    from torchvision.models import resnet18

    torch.manual_seed(0)
    ours = torchvision("resnet18")
    torch.manual_seed(0)
    theirs = resnet18(num_classes=10)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    small = torchvision("resnet18", cifar_stem=True)
    assert sum(p.numel() for p in small.parameters()) == 11_173_962  # of ResNet-18 for CIFAR-10, as published
    images = torch.randn(1, 3, 32, 32)
    assert maps.feature_maps(small, "layer1", images).shape == (1, 64, 32, 32)
    assert maps.feature_maps(ours, "layer1", images).shape == (1, 64, 8, 8)
    assert (
        maps.feature_maps(torchvision("densenet121", cifar_stem=True), "features.denseblock1", images).shape[
            2
        ]
        == 32
    )
    assert torchvision("resnet18", channels=1)(torch.randn(2, 1, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    "arch",
    ["alexnet", "convnext_tiny", "mobilenet_v2", "resnet18", "squeezenet1_1", "swin_t", "vgg11", "vgg11_bn"],
)
def test_a_network_of_torchvision_is_known_to_have_batch_norm_or_not_without_being_built(arch, spec):
    with torch.device("meta"):
        network = torchvision(arch)
    normalised = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    model = {"name": "torchvision", "arch": arch}
    assert spec(model=model).has_batch_norm == normalised
    if normalised:
        with pytest.raises(ValueError, match="batch_size 1 leaves batch norm one image"):
            spec(model=model, batch_size=1)
    else:
        assert spec(model=model, batch_size=1).batch_size == 1


def test_grad_cam_of_a_layer_whose_output_the_next_one_changes_in_place_is_that_of_its_output():
    vgg = torchvision("vgg11")
    images = torch.randn(2, 3, 32, 32)
    before = maps.feature_maps(vgg, "conv1", images)
    assert before.min() < 0  # before the ReLU, which changes it in place
    torch.testing.assert_close(before, vgg.features[0](images))
    assert maps.class_maps(vgg, "features.0", images).shape == before[:, 0].shape
    with pytest.raises(ValueError, match=r"'classifier.0' gives \[2, 4096\], no maps"):
        maps.feature_maps(vgg, "classifier.0", images)
    assert list(layer_names.layers(vgg))[:2] == ["conv1", "conv2"]


def test_a_network_of_torchvision_that_does_not_fit_the_images_is_one_message():
    with pytest.raises(UserError, match=r"torchvision's vit_b_16 with .*'image_size': 28.*patch size"):
        models.create("torchvision", arch="vit_b_16", num_classes=10, in_channels=3, image_size=28)


OPTIMIZERS = """

class Layered(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        first, *rest = params
        super().__init__([{"params": [first]}, {"params": rest, "lr": lr / 10}], lr=lr)


class Tensor(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=torch.tensor(lr), foreach=False)


class Nesterov(torch.optim.SGD):
    def __init__(self, params, lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.01):
        super().__init__(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


def drops(progress, epochs, *, milestones):
    return 0.1 if progress > 1 else 1.0
"""


def own_optimizer(folder, name, **options):
    with (folder / "my_nets.py").open("a") as file:
        file.write(OPTIMIZERS)
    return {"class": f"my_nets.py:{name}", "options": {"lr": 0.1, **options}}


def test_an_own_optimizers_learning_rates_by_group_keep_their_ratio(folder, spec, digits):
    step = {"name": "step", "every": 1, "gamma": 0.5}
    run = spec(
        model={"name": "mlp", "width": 0.02}, optimizer=own_optimizer(folder, "Layered"), schedule=step
    )
    training = Training(run, 0, store.load(digits), configure("cpu", "fp32", 1))
    for epoch in range(2):
        take_epoch(training, epoch)
        rates = [group["lr"] for group in training.optimizer.param_groups]
        assert rates == pytest.approx([0.1 * 0.5**epoch, 0.01 * 0.5**epoch])
        training.end_epoch()


def test_a_learning_rate_that_is_a_tensor_is_a_number_in_the_metrics(folder, spec, digits, tmp_path):
    run = spec(model={"name": "mlp", "width": 0.02}, optimizer=own_optimizer(folder, "Tensor"))
    train(run, digits, tmp_path / "run")
    assert [row["lr"] for row in read_metrics(tmp_path / "run")] == pytest.approx([0.1, 0.1])


def test_options_of_an_own_part_are_not_those_of_pj(folder, spec):
    """Nesterov's momentum and a weight decay may be defaults of the class; milestones may be of any form."""
    nesterov = own_optimizer(folder, "Nesterov", nesterov=True)
    drops = {"class": "my_nets.py:drops", "options": {"milestones": [100, 200]}}
    assert spec(optimizer=nesterov, schedule=drops, decay_norms_and_biases=False).epochs == 2


@pytest.mark.workflow
def test_an_option_of_an_own_source_is_not_the_place_of_official_archives(folder):
    study = {"title": "S", "variants": {"a": {}}}
    study["base"] = {"data": {"name": "mine"}, "model": {"name": "mlp"}, "loss": {"name": "mse"}, "epochs": 1}
    study["base"] |= {"optimizer": {"name": "sgd", "lr": 0.1}, "batch_size": 10}
    mine = {"class": "my_nets.py:images", "options": {"folder": 40}}
    content = {"standalone": True, "seeds": [0], "datasets": {"mine": mine}, "studies": {"s": study}}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    text = (folder / "my_nets.py").read_text()
    (folder / "my_nets.py").write_text(text.replace("count=40,", "folder,").replace("count", "folder"))
    options = ("-s", str(ROOT / "Snakefile"), "--directory", str(folder))
    status, output = call(folder, ROOT / "src", "--cores", "1", *options, "--", "results/data/mine.npz")
    assert status == 0 and (folder / "results" / "data" / "mine.npz").is_file(), output
