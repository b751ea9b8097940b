"""The landscape of a finished network: slices, curvature, and what they refuse."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.analyses import analysed, write_figures, write_table
from pj import losses, models
from pj.config.analyses.landscape import Slices
from pj.config.settings import Variant
from pj.data.batches import Split
from pj.data.store import DataError, checked, save
from pj.errors import UserError
from pj.landscape import surface
from pj.landscape.surface import filter_normalised, largest_eigenvalue, slice_losses
from pj.randomness import generator
from pj.report.figures import landscape as landscape_figures
from pj.report.tables import analyses
from pj.runs import analysis, finished
from pj.runs.records import CHECKPOINT
from pj.training import loop

SLICES = Slices(images=20, points=5, side=3)


def write(folder, data, output):
    analysis.measure("landscapes", SLICES, folder, data, output)


class Quadratic(nn.Module):
    """Output 0.5 wᵀAw + 1, whatever the input: its Hessian is A."""

    def __init__(self, hessian):
        super().__init__()
        self.hessian = hessian
        self.w = nn.Parameter(torch.arange(1.0, 1 + len(hessian), dtype=hessian.dtype))

    def forward(self, x):
        return 0.5 * self.w @ self.hessian @ self.w + 1 + 0 * x.sum()


def quadratic(*eigenvalues):
    torch.manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), dtype=torch.float64))
    return Quadratic(basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T)


def value(output, targets):
    return output


BATCHES = [(torch.ones(3, 1), torch.zeros(3)), (torch.ones(1, 1), torch.zeros(1))]


def test_along_a_direction_a_quadratic_is_a_parabola():
    model = quadratic(1.0, 2.0, 3.0)
    d = {"w": torch.tensor([1.0, -1.0, 2.0], dtype=torch.float64)}
    e = {"w": torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)}
    found = slice_losses(model, value, BATCHES, [d, e], [[-1.0, 0.0, 0.5], [0.0, 2.0]])
    assert found.shape == (3, 2)
    for i, a in enumerate((-1.0, 0.0, 0.5)):
        for j, b in enumerate((0.0, 2.0)):
            w = model.w.detach() + a * d["w"] + b * e["w"]
            assert found[i, j].item() == pytest.approx((0.5 * w @ model.hessian @ w + 1).item())


def test_the_loss_is_the_mean_over_images_however_they_are_batched():
    model = models.create("lenet", in_channels=1).eval()
    x, y = torch.randn(10, 1, 28, 28), torch.arange(10)
    loss = losses.create("cross_entropy")
    whole = slice_losses(model, loss, [(x, y)], [], [])
    parts = slice_losses(model, loss, [(x[:7], y[:7]), (x[7:], y[7:])], [], [])
    assert whole.item() == pytest.approx(parts.item(), rel=1e-5)
    assert whole.item() == pytest.approx(loss(model(x), y).item(), rel=1e-5)


def test_directions_have_every_filters_norm_and_leave_biases_and_batch_norm_alone():
    weights = dict(models.create("vgg_a", width=0.05, batch_norm=True).named_parameters())
    direction = filter_normalised(weights, generator(0))
    for name, w in weights.items():
        if w.ndim == 1:
            assert not direction[name].any()
        else:
            torch.testing.assert_close(direction[name].flatten(1).norm(dim=1), w.flatten(1).norm(dim=1))
    plain = dict(models.create("vgg_a", width=0.05).named_parameters())
    same_draw = filter_normalised(plain, generator(0))
    # with and without batch norm one draw, scaled to either's filters
    for (name, w), (other, v) in zip(
        [(n, w) for n, w in weights.items() if w.ndim > 1],
        [(n, w) for n, w in plain.items() if w.ndim > 1],
        strict=True,
    ):
        a, b = direction[name].flatten(1), same_draw[other].flatten(1)
        lengths = [t.flatten(1).norm(dim=1, keepdim=True) for t in (w, v)]
        torch.testing.assert_close(a / lengths[0], b / lengths[1])
    again = filter_normalised(weights, generator(0))
    assert all(torch.equal(direction[name], again[name]) for name in weights)


@pytest.mark.parametrize(
    ("eigenvalues", "largest"),
    [
        ((1.0, 4.0, 9.0), 9.0),
        ((-9.0, 1.0, 4.0), 4.0),
        ((-9.0, -5.0, -1.0), -1.0),
        ((10.0, -9.9, 3.0, 1.0), 10.0),
        ((0.0, 0.0), 0.0),
        ((-2.0, -2.0), -2.0),
    ],
)
def test_the_largest_eigenvalue_is_found_even_if_a_negative_one_is_larger(eigenvalues, largest):
    found = largest_eigenvalue(quadratic(*eigenvalues), value, BATCHES, generator(0))
    assert found.converged
    assert found.eigenvalue == pytest.approx(largest, rel=5e-3, abs=1e-9)


class Unused(Quadratic):
    """The same with a parameter that the output does not depend on."""

    def __init__(self, hessian):
        super().__init__(hessian)
        self.spare = nn.Parameter(torch.ones(2, dtype=hessian.dtype))


@pytest.mark.parametrize(
    ("hessian", "largest"), [(torch.diag(torch.tensor([2.0, 5.0])), 5.0), (torch.zeros(2, 2), 0)]
)
def test_parameters_that_a_network_does_not_use_add_eigenvalues_of_zero(hessian, largest):
    found = largest_eigenvalue(Unused(hessian.double()), value, BATCHES, generator(0))
    assert found.converged and found.eigenvalue == pytest.approx(largest, rel=5e-3)


def test_a_loss_that_depends_on_no_parameter_is_flat():
    found = largest_eigenvalue(
        quadratic(1.0), lambda output, _: output.detach().requires_grad_(), BATCHES, generator(0)
    )
    assert found.eigenvalue == 0


def test_between_equal_and_opposite_eigenvalues_nothing_is_claimed():
    assert not largest_eigenvalue(quadratic(4.0, -4.0, 1.0), value, BATCHES, generator(0)).converged


def test_both_iterations_must_converge(monkeypatch):
    """Of two, the second on the shifted Hessian may be the slow one, or the first."""
    for eigenvalues, most in (((-9.0, 1.0, 2.0), 8), ((-9.0, 8.99, 1.0), 20)):
        monkeypatch.setattr(surface, "MOST_ITERATIONS", most)
        assert not largest_eigenvalue(quadratic(*eigenvalues), value, BATCHES, generator(0)).converged


def test_the_largest_eigenvalue_of_a_network_is_that_of_its_full_hessian():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)).double().eval()
    x, y = torch.randn(12, 4, dtype=torch.float64), torch.arange(12) % 3
    loss = losses.create("cross_entropy")
    names = [name for name, _ in model.named_parameters()]

    def at(*parameters):
        there = dict(zip(names, parameters, strict=True))
        return loss(torch.func.functional_call(model, there, (x,)), y)

    blocks = torch.autograd.functional.hessian(at, tuple(model.parameters()))
    sizes = [p.numel() for p in model.parameters()]
    rows = [
        [b.reshape(m, n) for b, n in zip(row, sizes, strict=True)]
        for row, m in zip(blocks, sizes, strict=True)
    ]
    hessian = torch.cat([torch.cat(row, dim=1) for row in rows])
    wanted = torch.linalg.eigvalsh(hessian)[-1].item()
    found = largest_eigenvalue(model, loss, [(x[:5], y[:5]), (x[5:], y[5:])], generator(0))
    assert found.eigenvalue == pytest.approx(wanted, rel=0.01)


def test_an_iteration_that_does_not_converge_says_so(monkeypatch):
    monkeypatch.setattr(surface, "MOST_ITERATIONS", 2)
    assert not largest_eigenvalue(quadratic(1.0, 4.0, 9.0), value, BATCHES, generator(0)).converged


@pytest.fixture
def run(spec, digits, tmp_path):
    loop.train(spec(epochs=1), 0, digits, tmp_path / "run")
    return tmp_path / "run"


def test_a_finished_run_is_measured_and_left_as_it_was(run, digits, tmp_path):
    before = (run / CHECKPOINT).read_bytes()
    write(run, digits, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["state"] == "complete" and found["images"] == 20
    assert found["line"]["offsets"] == [-1.0, -0.5, 0.0, 0.5, 1.0]
    # the middle of line and plane is the network itself
    assert found["line"]["loss"][2] == pytest.approx(found["loss"])
    assert found["plane"]["loss"][1][1] == pytest.approx(found["loss"])
    # the plane's middle column is the line, and its middle row another one
    assert found["plane"]["loss"][1] != pytest.approx([row[1] for row in found["plane"]["loss"]])
    assert [row[1] for row in found["plane"]["loss"]] == pytest.approx(found["line"]["loss"][::2])
    assert (run / CHECKPOINT).read_bytes() == before


def test_the_loss_is_of_the_first_training_images_in_eval_mode(run, digits, tmp_path):
    loaded = finished.load(run, digits, precision="fp32")
    images, labels = loaded.splits["train"].images[:20], loaded.splits["train"].labels[:20]
    with torch.no_grad():
        wanted = loaded.loss(loaded.model(loaded.normalise(images)), labels).item()
    assert surface.measure(loaded, SLICES)["loss"] == pytest.approx(wanted, rel=1e-5)


def test_a_diverged_run_has_no_landscape_and_says_so(spec, digits, tmp_path):
    diverged = spec(optimizer={"name": "sgd", "lr": 1e30}, model={"name": "vgg_a", "width": 0.05})
    loop.train(diverged, 0, digits, tmp_path / "run")
    with pytest.raises(UserError, match="diverged at step"):
        finished.load(tmp_path / "run", digits)
    write(tmp_path / "run", digits, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["state"] == "diverged"


def test_other_data_than_the_run_was_trained_on_are_refused(run, arrays, tmp_path):
    save(checked(arrays, 3, "other"), tmp_path / "other.npz")
    with pytest.raises(DataError, match="is not the data that"):
        write(run, tmp_path / "other.npz", tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def landscape(spec, *names, seeds=(0, 1)):
    variants = []
    for i, name in enumerate(names):
        changed = spec(batch_size=8 + i)
        variants.append({"study": "s", "name": name, "title": name, "spec": changed, "seeds": seeds})
    variants = [Variant(**v, scale={}, reported={}) for v in variants]
    return analysed("landscapes", name="l", title="A landscape", slices=SLICES, variants=tuple(variants))


def write_measured(folder, variant, seed, eigenvalue, state="complete", ends=3.0):
    line = {"offsets": [-1, 0, 1], "loss": [ends, 0.5, 5.0]}
    plane = {"offsets": [-1, 0, 1], "loss": [[3.0, 2.0, None], [2.0, 0.5, 2.0], [4.0, 3.0, 4.0]]}
    content = {"state": state, "images": 20, "epoch": 1, "loss": 0.5, "line": line, "plane": plane}
    content["curvature"] = {"eigenvalue": eigenvalue, "iterations": 9, "converged": eigenvalue < 50}
    folder.mkdir(exist_ok=True)
    text = json.dumps(content if state == "complete" else {"state": state})
    (folder / f"{variant.spec.run}-seed{seed}.json").write_text(text)


def test_the_table_of_landscapes_has_means_and_names_what_is_missing_in_them(spec, tmp_path):
    shown = landscape(spec, "a", "b", "c")
    a, b, _ = shown.variants
    for seed, eigenvalue in ((0, 10.0), (1, 20.0)):
        write_measured(tmp_path, a, seed, eigenvalue)
    write_measured(tmp_path, b, 0, 60.0, ends=None)  # null: not finite
    write_measured(tmp_path, b, 1, 0.0, state="diverged")
    write_table("landscapes", shown, tmp_path)
    rows = {
        line.split("|")[1].strip(): line
        for line in (tmp_path / "table.md").read_text().splitlines()
        if "|" in line
    }
    assert "15 ± " in rows["a"] and "| 4 ± 0 " in rows["a"]
    assert "| ∞ " in rows["b"]
    assert "diverged: seed 1; power iteration not converged" in rows["b"]
    assert rows["c"].split("|")[2].strip() == "0"
    table = pd.read_csv(tmp_path / "table.csv")
    assert table["eigenvalue"].tolist()[:3] == [10.0, 20.0, 60.0]


def test_one_seed_whose_eigenvalue_did_not_converge_is_enough_for_a_note(spec, tmp_path):
    shown = landscape(spec, "a")
    for seed, eigenvalue in ((0, 10.0), (1, 60.0)):
        write_measured(tmp_path, shown.variants[0], seed, eigenvalue)
    write_table("landscapes", shown, tmp_path)
    assert "power iteration not converged" in (tmp_path / "table.md").read_text()


def test_the_figure_of_landscapes_has_a_line_a_seed_and_a_plane_a_variant(spec, tmp_path):
    shown = landscape(spec, "a", "b")
    for variant in shown.variants:
        for seed in variant.seeds:
            write_measured(tmp_path, variant, seed, 10.0)
    figure = landscape_figures.draw(shown, analyses.collect(shown.variants, tmp_path))
    assert [len(axes.get_lines()) for axes in figure.axes] == [4, 1, 1]
    write_figures("landscapes", shown, tmp_path)
    assert (tmp_path / "landscape.png").exists() and (tmp_path / "landscape.svg").exists()


def test_a_landscape_of_nothing_measured_yet_is_drawn_empty(spec, tmp_path):
    shown = landscape(spec, "a")
    write_table("landscapes", shown, tmp_path)
    write_figures("landscapes", shown, tmp_path)
    assert "on nothing yet" in (tmp_path / "table.md").read_text()


def test_a_run_in_bf16_is_measured_in_fp32(spec, digits, tmp_path):
    loop.train(spec(epochs=1, precision="bf16"), 0, digits, tmp_path / "run")
    write(tmp_path / "run", digits, tmp_path / "out.json")
    loaded = finished.load(tmp_path / "run", digits, precision="fp32")
    assert loaded.conditions.precision == "fp32"
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["loss"] == pytest.approx(surface.measure(loaded, SLICES)["loss"], rel=1e-6)


def test_a_plane_is_drawn_with_its_first_direction_upwards(spec, tmp_path, monkeypatch):
    drawn = []
    shown = landscape(spec, "a", seeds=(0,))
    write_measured(tmp_path, shown.variants[0], 0, 10.0)
    monkeypatch.setattr("matplotlib.axes.Axes.contourf", lambda self, x, y, z, *a, **k: drawn.append(z))
    landscape_figures.draw(shown, analyses.collect(shown.variants, tmp_path))
    assert drawn[0].filled(0).tolist() == [[3.0, 2.0, 0], [2.0, 0.5, 2.0], [4.0, 3.0, 4.0]]  # rows go upwards


def test_the_directions_of_a_landscape_are_given_by_its_seed():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
    split = Split(torch.rand(6, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1, 2]))
    run = SimpleNamespace(model=model, loss=F.cross_entropy, splits={"train": split}, normalise=lambda x: x)
    slices = Slices(images=6, points=3, side=3)
    lines = [surface.measure(run, slices.model_copy(update={"seed": s}))["line"]["loss"] for s in (0, 0, 1)]
    assert lines[0] == lines[1] != lines[2]
