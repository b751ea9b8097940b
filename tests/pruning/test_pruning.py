"""Pruning: orders, masks, the narrowed network, curves of finished runs."""

import json
from types import SimpleNamespace
from typing import ClassVar

import pandas as pd
import pytest
import torch
from torch import nn

from helpers.analyses import analysed, write_figures, write_table
from helpers.sources import source
from pj import models
from pj.config.analyses.pruning import Percents, Pruned
from pj.config.settings import PathView, Scale, Study, Variant
from pj.data import sources, store
from pj.errors import UserError
from pj.models.layer_names import layers
from pj.pruning import curve, networks
from pj.report.figures import paths
from pj.report.figures import pruning as pruning_figures
from pj.report.tables import analyses
from pj.runs import finished
from pj.training import loop

LENET = {"model": {"name": "lenet"}, "data": {"name": "digits", "train": 200, "test": 100}}
DESSILBI = {"name": "dessilbi", "lr": 0.1, "momentum": 0.9, "lambdas": {"conv": 0.02, "linear": 0.001}}


def filters(norms):
    """Return kernels [n, 1, 1, 1] of these norms."""
    return torch.tensor(norms).view(-1, 1, 1, 1)


def test_the_order_of_selection_is_epoch_then_gamma_then_weight():
    weight = filters([5.0, 4.0, 3.0, 2.0, 1.0])
    gamma = filters([0.0, 1.0, 2.0, 0.5, 0.0])
    selected = torch.tensor([-1.0, 3.0, 3.0, 1.0, -1.0])
    found = networks.order(weight, "path", gamma=gamma, selected=selected)
    assert found.tolist() == [3, 2, 1, 0, 4]


def test_the_order_of_magnitude_is_of_filter_norms_or_of_single_weights():
    assert networks.order(filters([1.0, -3.0, 2.0]), "magnitude").tolist() == [1, 2, 0]
    assert networks.order(torch.tensor([[1.0, -4.0], [3.0, 2.0]]), "magnitude").tolist() == [1, 2, 3, 0]


def test_the_norm_of_a_filter_is_the_root_of_the_sum_of_squares():
    """A filter of 3 and 4 has the norm 5 and goes before one of 6, though the sum of its values is larger."""
    weight = torch.tensor([[3.0, -4.0], [6.0, 0.0]]).view(2, 2, 1, 1)
    assert networks.unit_norms(weight).tolist() == [5.0, 6.0]
    assert networks.order(weight, "magnitude").tolist() == [1, 0]


def test_a_random_order_is_a_permutation_given_by_its_draw():
    found = [
        networks.order(filters([1.0] * 20), "random", draw=torch.Generator().manual_seed(s))
        for s in (0, 0, 1)
    ]
    assert sorted(found[0].tolist()) == list(range(20))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


@pytest.mark.parametrize(
    ("units", "percent", "wanted"), [(120, 20, 24), (120, 0, 0), (256, 5, 13), (10_080, 95, 9576), (3, 50, 2)]
)
def test_a_percentage_is_the_nearest_number_of_units(units, percent, wanted):
    assert networks.count(units, percent) == wanted


@pytest.mark.parametrize("percent", [-1, 100, 250])
def test_percentages_outside_the_range_are_refused(percent):
    with pytest.raises(ValueError, match="from 0 to less than 100"):
        networks.count(10, percent)


def test_something_is_left_however_few_units_there_are():
    assert [networks.count(4, percent) for percent in (60, 99)] == [2, 3]


@pytest.mark.parametrize(("layer", "units"), [("conv3", 120), ("linear2", 840)])
def test_pruning_everything_is_refused(layer, units):
    with pytest.raises(ValueError, match=f"all {units} units of {layer} are to be removed"):
        networks.masked(models.create("lenet", in_channels=1), {layer: torch.arange(units)})


def test_an_order_by_selection_needs_a_gamma():
    with pytest.raises(ValueError, match="needs a Γ, which only training with dessilbi has"):
        networks.order(filters([1.0]), "path")


def network(name, **options):
    """Return a network whose batch norms have statistics, scales and shifts of their own."""
    torch.manual_seed(0)
    channels = 1 if name == "lenet" else 3
    model = models.create(name, in_channels=channels, **options)
    side = 28 if name == "lenet" else 32
    model(torch.randn(32, channels, side, side))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model.eval(), torch.randn(5, channels, side, side)


CASES = [
    ("lenet", {}, ["conv1"]),
    ("lenet", {}, ["conv2", "conv3", "linear1"]),
    ("dessi_vgg", {"width": 0.1}, ["conv1", "conv2"]),
    ("dessi_vgg", {"width": 0.1}, ["conv3"]),
    ("dessi_vgg", {"width": 0.1}, ["conv2", "conv3", "linear2"]),
]


@pytest.mark.parametrize(("name", "options", "layers"), CASES)
@torch.no_grad()
def test_the_masked_network_equals_the_narrowed_one(name, options, layers):
    model, images = network(name, **options)
    units = networks.prunable(model)
    draw = torch.Generator().manual_seed(0)
    removed = {layer: torch.randperm(units[layer], generator=draw)[: units[layer] // 2] for layer in layers}
    before = model(images)
    masked, narrowed = networks.masked(model, removed), networks.narrowed(model, removed)
    torch.testing.assert_close(masked(images), narrowed(images), rtol=1e-5, atol=1e-5)
    assert torch.equal(model(images), before)  # the model itself is left alone
    assert not torch.allclose(masked(images), before)
    image = images[:1]
    assert networks.size(narrowed, image).parameters < networks.size(masked, image).parameters
    assert networks.size(narrowed, image).macs < networks.size(masked, image).macs


class Bumped(nn.Module):
    """A convolution whose removed filters count one each."""

    CONSUMERS: ClassVar = {"conv1": ["conv2"]}

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 3)

    def forward(self, x):
        return self.second(self.first(x) + 1).mean((2, 3))


def test_a_network_that_is_another_one_without_its_filters_is_not_measured():
    model, images = Bumped(), torch.randn(2, 1, 8, 8)
    with pytest.raises(ValueError, match="conv1 cannot be pruned: without the filters the network is not"):
        networks.checked(model, {"conv1": torch.tensor([1])}, images)
    whole = networks.checked(model, {"conv1": torch.tensor([], dtype=torch.long)}, images)
    torch.testing.assert_close(whole(images), model(images))


def test_a_run_whose_network_is_another_one_without_its_filters_has_no_curve(run, monkeypatch):
    monkeypatch.setattr(networks, "narrowed", lambda model, removed: model)
    with pytest.raises(UserError, match="conv1 cannot be pruned: without the filters"):
        curve.measure(run, Pruned(layers=["conv1"], percents=[50], methods=["magnitude"]))


def test_a_removed_filter_leaves_nothing_behind_not_even_batch_norms_constant():
    model, images = network("dessi_vgg", width=0.1)
    masked = networks.masked(model, {"conv1": torch.tensor([2])})
    seen = []
    masked.conv1.register_forward_hook(lambda module, inputs, output: seen.append(output))
    masked(images)
    assert not seen[0][:, 2].any()
    assert seen[0][:, 1].any()


def test_the_size_of_lenet_is_known():
    """By hand: 28² · 25 · 6 + 10² · 150 · 16 + 400 · 120 + 120 · 84 + 840."""
    model, images = network("lenet")
    found = networks.size(model, images[:1])
    assert found.parameters == 61_706
    assert found.macs == 28**2 * 25 * 6 + 10**2 * 150 * 16 + 400 * 120 + 120 * 84 + 84 * 10
    smaller = networks.size(networks.narrowed(model, {"conv3": torch.arange(60)}), images[:1])
    assert smaller.parameters == 61_706 - 60 * (400 + 1) - 60 * 84
    assert smaller.macs == found.macs - 60 * 400 - 60 * 84


@pytest.mark.parametrize("fast", [True, False])
def test_counting_operations_leaves_torchs_attention_as_it_was(fast):
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        networks.size(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.zeros(1, 1, 2, 2))
        assert torch.backends.mha.get_fastpath_enabled() == fast
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def test_weights_of_a_linear_layer_are_zeroed_one_by_one():
    model, images = network("lenet")
    masked = networks.masked(model, {"linear1": torch.tensor([0, 121])})
    changed = (masked.fc1.weight != model.fc1.weight).nonzero().tolist()
    assert changed == [[0, 0], [1, 1]]
    assert networks.size(masked, images[:1]).nonzero == networks.size(model, images[:1]).nonzero - 2


def test_an_unknown_layer_is_refused_with_the_prunable_ones():
    model, _ = network("dessi_vgg", width=0.1)
    with pytest.raises(ValueError, match=r"'conv4'; available: conv1, conv2, conv3, linear1, linear2"):
        networks.masked(model, {"conv4": torch.tensor([0])})


def measured_rows(run, percents, methods):
    return curve.measure(run, Pruned(**dict(percents), methods=methods))["rows"]


@pytest.fixture(scope="module")
def gray(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    store.save(sources.read(source("digits", image_size=28, channels=1)), path)
    return path


@pytest.fixture
def run(spec, gray, tmp_path):
    loop.train(spec(**LENET, optimizer=DESSILBI, epochs=3), 0, gray, tmp_path / "run")
    return finished.load(tmp_path / "run", gray)


def test_a_curve_begins_at_the_networks_own_accuracy_and_counts_what_it_removes(run):
    settings = Percents(layers=["conv3", "linear1"], percents=[0, 50], draws=2)
    rows = pd.DataFrame(measured_rows(run, settings, ["path", "magnitude", "random"]))
    assert len(rows) == (1 + 1 + 2) * 2
    whole = rows[rows["percent"] == 0]
    assert whole["accuracy"].nunique() == 1
    from pj.training.accuracy import loss_and_accuracy, predict

    logits = predict(run.model, run.splits["test"], run.normalise, run.conditions)
    assert whole["accuracy"].iloc[0] == loss_and_accuracy(logits, run.splits["test"], run.loss)["accuracy"]
    assert rows["removed"].tolist()[1] == {"conv3": 60, "linear1": 5040}
    assert [size["parameters"] for size in rows["size"][:2]] == [61_706, 61_706 - 60 * 401 - 60 * 84]
    draws = rows[(rows["method"] == "random") & (rows["percent"] == 50)]
    assert draws["loss"].nunique() == 2
    assert whole["outside_support"].isna().all()


def test_what_is_selected_last_goes_first_and_the_share_outside_the_support_is_reported(run):
    key = "conv3.weight"
    gamma = torch.zeros_like(run.checkpoint["gamma"][key])
    gamma[:30] = 1e-3  # the only ones selected
    run.checkpoint["gamma"][key] = gamma
    run.checkpoint["selected"][key] = torch.where(torch.arange(120) < 30, 1.0, -1.0)
    settings = Percents(layers=["conv3"], percents=[50, 80])
    rows = measured_rows(run, settings, ["path"])
    # 60 removed, all of the 90 never selected; 96 removed, of which 90 were never selected
    assert [row["outside_support"] for row in rows] == pytest.approx([100, 100 * 90 / 96])


@pytest.mark.parametrize(
    ("changes", "methods", "message"),
    [
        (
            {"layers": ["conv9"]},
            ["magnitude"],
            "'conv9'; available: conv1, conv2, conv3",
        ),
    ],
)
def test_what_cannot_be_pruned_is_one_message(run, changes, methods, message):
    settings = Percents(**{"layers": ["conv3"], "percents": [0]} | changes)
    with pytest.raises(UserError, match=message):
        measured_rows(run, settings, methods)


def test_a_run_without_gamma_cannot_be_pruned_by_selection(spec, gray, tmp_path):
    loop.train(spec(**LENET, epochs=1), 0, gray, tmp_path / "run")
    run = finished.load(tmp_path / "run", gray)
    with pytest.raises(UserError, match="needs a Γ"):
        measured_rows(run, Percents(layers=["conv3"], percents=[20]), ["path"])


def shown(spec, seeds=(0, 1)):
    frame = {"study": "s", "seeds": seeds, "scale": Scale(), "reported": {}}
    variants = [Variant(name=n, title=n, spec=spec(batch_size=8 + i), **frame) for i, n in enumerate("ab")]
    settings = Percents(layers=["conv3"], percents=[0, 50])
    methods = {"a": ["path", "random"], "b": ["magnitude"]}
    return analysed(
        "prunings",
        name="p", title="A pruning", report="A 3", methods=methods, settings=settings,
        reported=[98.94, None], variants=tuple(variants),
    )  # fmt: skip


def write_measured(folder, variant, seed, accuracies, outside=None, parameters=100):
    size = {"parameters": parameters, "nonzero": 90, "macs": 1000}
    rows = [
        {
            "method": m,
            "percent": p,
            "draw": d,
            "accuracy": a,
            "loss": 1.0,
            "outside_support": outside,
            "size": size,
        }
        for m, p, d, a in accuracies
    ]
    (folder / f"{variant.spec.run}-seed{seed}.json").write_text(
        json.dumps({"state": "complete", "rows": rows})
    )


def test_the_table_has_the_reports_numbers_and_averages_draws_within_a_seed(spec, tmp_path):
    p = shown(spec)
    a, b = p.variants
    for seed, add in ((0, 0.0), (1, 2.0)):
        random = [("random", 50, d, 60.0 + add + 10 * d) for d in (0, 1)]
        write_measured(tmp_path, a, seed, [("path", 0, 0, 98.0 + add), ("path", 50, 0, 90.0), *random])
    (tmp_path / f"{b.spec.run}-seed0.json").write_text(json.dumps({"state": "diverged"}))
    write_table("prunings", p, tmp_path)
    lines = (tmp_path / "table.md").read_text().splitlines()
    rows = {
        line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]]
        for line in lines
        if "|" in line
    }
    assert rows["paper"] == ["98.94", ""]
    assert rows["a, last selected first"][0].startswith("99.00 ± ")
    assert rows["a, at random"][1].startswith("66.00 ± ")  # the mean of 65 and 67
    assert rows["b, smallest first"] == ["", ""]
    assert rows["narrowed network: parameters"] == ["100", "100"]
    assert rows["narrowed network: non-zero parameters"] == ["90", "90"]
    assert "2 seeds" in lines[0] and "Diverged: b seed 0." in lines[0]
    write_figures("prunings", p, tmp_path)
    assert (tmp_path / "pruning.png").exists()


def test_a_reduced_pruning_says_that_the_reports_numbers_are_of_another_scale(spec, tmp_path):
    p = shown(spec)
    small = tuple(v.model_copy(update={"scale": Scale(name="small", epochs=1)}) for v in p.variants)
    write_table("prunings", p.model_copy(update={"variants": small}), tmp_path)
    assert "small scale (epochs 1)** (not comparable with the paper)" in (tmp_path / "table.md").read_text()


def test_networks_of_different_size_have_rows_of_their_own(spec, tmp_path):
    p = shown(spec, seeds=(0,))
    for variant, parameters in zip(p.variants, (100, 300), strict=True):
        method = p.methods[variant.name][0]
        write_measured(tmp_path, variant, 0, [(method, q, 0, 90.0) for q in (0, 50)], parameters=parameters)
    write_table("prunings", p, tmp_path)
    text = (tmp_path / "table.md").read_text()
    for name, parameters in (("a", 100), ("b", 300)):
        assert f"| narrowed network ({name}): parameters" in text and f"| {parameters}" in text


def test_nothing_pruned_yet_is_a_table_and_a_figure_that_say_so(spec, tmp_path):
    write_table("prunings", shown(spec), tmp_path)
    assert "nothing measured yet" in (tmp_path / "table.md").read_text()
    write_figures("prunings", shown(spec), tmp_path)


def test_the_narrowed_network_is_exported_as_a_program_of_its_own(run, tmp_path, capsys, monkeypatch, gray):
    from pj import cli

    folder = tmp_path / "run"
    arguments = ["prune", str(folder), "--layers", "conv3", "linear1", "--percent", "50", "--order", "path"]
    output = tmp_path / "small.pt2"
    assert cli.main([*arguments, "--data", str(gray), "--output", str(output)]) == 0
    program = torch.export.load(output).module()
    images = run.normalise(run.splits["test"].images[:7])
    settings = Percents(layers=["conv3", "linear1"], percents=[50])
    wanted = networks.masked(run.model, curve._removed(run, settings, "path", 0, 50))
    with torch.no_grad():
        torch.testing.assert_close(program(images), wanted(images), rtol=1e-5, atol=1e-5)
    held = sum(p.numel() for p in program.parameters())
    assert held == 61_706 - 60 * (400 + 1) - 60 * 84
    printed = capsys.readouterr().out
    assert f"{held:,} of 61,706 parameters" in printed and "removed 60 of conv3, 5,040 of linear1;" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layers", "conv3", "--percent", "100"], "--percent 100; allowed: from 0 to less than 100"),
        (["--layers", "conv7", "--percent", "10"], "no prunable layer named 'conv7'; available: conv1"),
        (["--layers", "fc2", "conv3", "--percent", "10"], "no prunable layer named 'fc2'"),
        (
            ["--layers", "conv3", "conv3", "--percent", "10"],
            "--layers: conv3 is listed twice; list each once",
        ),
        (
            ["--layers", "conv3", "--percent", "10", "--output", "."],
            "allowed: a file whose name ends in .pt2",
        ),
    ],
)
def test_an_export_that_cannot_be_is_one_message(run, arguments, message, tmp_path, capsys, gray):
    from pj import cli

    output = tmp_path / "small.pt2"
    command = ["prune", str(tmp_path / "run"), "--data", str(gray), "--output", str(output), *arguments]
    assert cli.main(command) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not output.exists()


@pytest.mark.parametrize(("name", "message"), [("run.json", "is a file"), ("nowhere", "does not exist")])
def test_what_is_not_a_runs_folder_is_reported_as_such(name, message, tmp_path, capsys):
    from pj import cli

    (tmp_path / "run.json").write_text("{}")
    arguments = ["--layers", "conv3", "--percent", "10", "--output", str(tmp_path / "small.pt2")]
    assert cli.main(["prune", str(tmp_path / name), *arguments]) == 1
    assert f"{name} {message}; needed: a run's folder" in capsys.readouterr().err


def test_a_run_with_dessilbi_keeps_gamma_and_when_each_unit_was_selected(run):
    gamma, selected = run.checkpoint["gamma"], run.checkpoint["selected"]
    assert gamma.keys() == selected.keys()
    assert {run.checkpoint["layers"][f"conv{i}"] for i in (1, 2, 3)} < gamma.keys()
    for key, epochs in selected.items():
        there = networks.unit_norms(gamma[key]) > 0
        assert (epochs.flatten()[there] >= 1).all()  # what is in the support was selected
        assert set(epochs.unique().tolist()) <= {-1.0, 1.0, 2.0, 3.0}


def test_the_support_of_every_layer_is_in_the_learning_curve(spec, gray, tmp_path):
    loop.train(spec(**LENET, optimizer=DESSILBI, epochs=3), 0, gray, tmp_path / "run")
    run = finished.load(tmp_path / "run", gray)
    last = pd.read_csv(tmp_path / "run" / "metrics.csv").iloc[-1]
    for layer, key in run.checkpoint["layers"].items():
        share = (networks.unit_norms(run.checkpoint["gamma"][key]) > 0).double().mean().item()
        assert last[f"support_{layer}"] == pytest.approx(100 * share)


def test_the_best_epochs_weights_come_with_the_gamma_of_that_epoch(spec, gray, tmp_path):
    data = LENET["data"] | {"validation": 50}
    changes = {"select": "best_validation", "optimizer": DESSILBI, "epochs": 5, "data": data}
    loop.train(spec(model=LENET["model"], **changes), 0, gray, tmp_path / "run")
    run = finished.load(tmp_path / "run", gray)
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv").set_index("epoch")
    key = run.checkpoint["layers"]["linear1"]
    share = (run.checkpoint["gamma"][key] != 0).double().mean().item()
    assert metrics.loc[run.checkpoint["epoch"], "support_linear1"] == pytest.approx(100 * share)


def test_relative_thresholds_are_shares_of_how_far_v_can_go(spec, gray):
    from pj.data import store
    from pj.training.device import configure
    from pj.training.run import Training

    schedule = {"name": "step", "every": 2, "gamma": 0.1}
    optimizer = DESSILBI | {"relative": True, "lambdas": {"conv": 0.5, "linear": 0.01}, "nu": 4.0}
    changed = spec(**LENET, optimizer=optimizer, schedule=schedule, epochs=3)
    training = Training(changed, 0, store.load(gray), configure("cpu", "fp32", 1))
    reach = (4 + 4 + 0.4) * 0.1 / 4.0  # four steps an epoch
    thresholds = {group["kind"]: group["threshold"] for group in training.optimizer.param_groups}
    assert thresholds == {
        "conv": pytest.approx(0.5 * reach),
        "linear": pytest.approx(0.01 * reach),
        "plain": 0,
    }


@pytest.mark.parametrize("name", models.names())
@torch.no_grad()
def test_every_layer_that_is_called_prunable_is(name, spec):
    options = {} if name == "lenet" else {"width": 0.05}
    model, images = network(name, **options)
    units = networks.prunable(model)
    assert list(units) == spec(model={"name": name, **options}).prunable
    for layer, count in units.items():
        removed = {layer: torch.arange(count // 2)}
        masked, narrowed = networks.masked(model, removed), networks.narrowed(model, removed)
        torch.testing.assert_close(masked(images), narrowed(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("outside", "note"),
    [
        (100.0, "a: no removed unit had been selected; the order is by ‖W‖ alone."),
        (0.0, "a: every removed unit was in the support; the order is by epoch, then ‖Γ‖."),
        (40.0, None),
    ],
)
def test_the_table_says_where_the_order_of_selection_is_none(outside, note, spec, tmp_path):
    p = shown(spec, seeds=(0,))
    write_measured(tmp_path, p.variants[0], 0, [("path", 50, 0, 90.0)], outside)
    write_table("prunings", p, tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert f"| a: share of removed units outside the support (%) | | {outside:.2f} |" in " ".join(
        text.split()
    )
    notes = [line for line in text.splitlines() if line.startswith("a: ")]
    assert notes == ([note] if note else [])


def test_a_pruning_for_which_the_report_has_no_number_is_drawn(spec, tmp_path):
    p = shown(spec, seeds=(0,)).model_copy(update={"reported": [None, None]})
    write_measured(tmp_path, p.variants[0], 0, [("path", 50, 0, 90.0)])
    (axes,) = pruning_figures.draw(p, analyses.collect(p.variants, tmp_path)).axes
    assert len(axes.get_lines()) == 4  # three orders and the report


def test_an_order_that_was_not_run_is_named_so(spec, tmp_path):
    p = shown(spec, seeds=(0,))
    write_measured(tmp_path, p.variants[0], 0, [("path", 50, 0, 90.0)])
    (axes,) = pruning_figures.draw(p, analyses.collect(p.variants, tmp_path)).axes
    labels = [line.get_label() for line in axes.get_lines()]
    assert labels[0] == "a, last selected first" and "a, at random (not run)" in labels


def test_a_variant_whose_runs_diverged_is_not_called_one_that_was_not_run(spec, tmp_path):
    p = shown(spec, seeds=(0,))
    content = json.dumps({"state": "diverged", "seed": 0})
    (tmp_path / f"{p.variants[0].spec.run}-seed0.json").write_text(content)
    (axes,) = pruning_figures.draw(p, analyses.collect(p.variants, tmp_path)).axes
    assert "a, at random (diverged)" in [line.get_label() for line in axes.get_lines()]


def path_study(spec, gray, tmp_path):
    frame = {"study": "s", "seeds": (0, 1), "scale": Scale(), "reported": {}}
    specs = {"a": spec(**LENET, optimizer=DESSILBI), "b": spec(**LENET)}
    variants = tuple(Variant(name=n, title=n, spec=s, **frame) for n, s in specs.items())
    for variant in variants:
        for seed in variant.seeds:
            loop.train(variant.spec, seed, gray, tmp_path / variant.spec.run / f"seed{seed}")
    frame = {"name": "s", "title": "A study", "report": "A 3", "compare": "selected", "reference": None}
    return Study(**frame, path=PathView(weights_of="conv3"), variants=variants)


def test_a_path_has_a_line_a_layer_and_weights_a_picture_a_variant(spec, gray, tmp_path):
    study = path_study(spec, gray, tmp_path)
    (axes,) = paths.draw_path(study, tmp_path).axes  # the rival has no path
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(lines) == ["conv1", "conv2", "conv3", "linear1", "linear2"]
    run = tmp_path / study.variants[0].spec.run
    tables = [pd.read_csv(run / f"seed{seed}" / "metrics.csv") for seed in (0, 1)]
    mean = sum(table["support_linear1"] for table in tables) / 2
    assert lines["linear1"].tolist() == pytest.approx(mean.tolist())
    pictures = [axes for axes in paths.draw_weights(study, tmp_path, "conv3").axes if axes.images]
    assert [axes.get_title().splitlines()[0] for axes in pictures] == ["a", "a: Γ", "b"]
    weights = torch.load(run / "seed0" / "checkpoint.pt", weights_only=True)["weights"]["conv3.weight"]
    drawn = sorted(pictures[0].images[0].get_array().ravel())
    assert drawn == pytest.approx(sorted(weights.abs().flatten().tolist()))


def test_a_random_order_of_one_layer_says_nothing_of_anothers():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 4))
    keys = {name: f"{path}.weight" for name, path in layers(model).items()}
    run = SimpleNamespace(model=model, checkpoint={"layers": keys})
    one, other = (curve._order(run, name, "random", 0).tolist() for name in keys)
    assert one != other and sorted(one) == sorted(other)
    assert one != curve._order(run, "linear1", "random", 1).tolist()


def test_the_order_of_selection_of_a_finished_run_begins_with_its_epochs():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    (path,) = layers(model).values()
    key = f"{path}.weight"
    gamma = {key: torch.tensor([[4.0, 3.0], [2.0, 0.0]])}
    selected = {key: torch.tensor([[3.0, 1.0], [2.0, -1.0]])}
    run = SimpleNamespace(
        model=model, checkpoint={"layers": {"linear1": key}, "gamma": gamma, "selected": selected}
    )
    assert curve._order(run, "linear1", "path", 0).tolist() == [1, 2, 0, 3]


def test_the_share_outside_the_support_is_of_all_removed_units_alike():
    """Three of a layer, all outside, and one of another, inside: 75 percent, not the mean of 100 and 0."""
    keys = {"linear1": "a.weight", "linear2": "b.weight"}
    gamma = {"a.weight": torch.zeros(1, 3), "b.weight": torch.ones(1, 2)}
    run = SimpleNamespace(checkpoint={"layers": keys, "gamma": gamma})
    removed = {"linear1": torch.tensor([0, 1, 2]), "linear2": torch.tensor([1])}
    assert curve._outside_support(run, removed) == 75
