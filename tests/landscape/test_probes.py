import math

import pytest
import torch
from torch import nn

from pj import losses, models, optim
from pj.landscape import probes

GRID = [0.01, 0.05, 0.1, 0.2, 0.4]


class Quadratic(nn.Module):
    """Output w; with the loss 0.5 wᵀAw its gradient is Aw and its Hessian A."""

    def __init__(self, n=6):
        super().__init__()
        torch.manual_seed(0)
        root = torch.randn(n, n, dtype=torch.float64)
        self.register_buffer("hessian", root @ root.T)
        self.w = nn.Parameter(torch.randn(n, dtype=torch.float64))

    def forward(self, x):
        return 0.5 * self.w @ self.hessian @ self.w


def quadratic(steps=GRID, direction=None):
    model = Quadratic()
    batch = (torch.zeros(1), torch.zeros(1))
    found = probes.probe(model, lambda out, target: out, batch, steps, direction)
    w, a = model.w.detach(), model.hessian
    return found, w, a, a @ w


def test_on_a_quadratic_losses_distances_and_beta_are_exact():
    found, w, a, g = quadratic()
    for i, eta in enumerate(GRID):
        there = w - eta * g
        assert found.losses[i].item() == pytest.approx((0.5 * there @ a @ there).item())
        assert found.gradient_distances[i].item() == pytest.approx((eta * (a @ g).norm()).item())
    assert found.beta.item() == pytest.approx(((a @ g).norm() / g.norm()).item())
    assert found.lengths.tolist() == pytest.approx([eta * g.norm().item() for eta in GRID])


def test_another_direction_is_measured_along_that_direction():
    u = torch.arange(6, dtype=torch.float64)
    found, w, a, _ = quadratic([0.5, 1.0], {"w": u})
    assert found.losses[1].item() == pytest.approx((0.5 * (w + u) @ a @ (w + u)).item())
    assert found.beta.item() == pytest.approx(((a @ u).norm() / u.norm()).item())


def network(batch_norm=True, dtype=torch.float64):
    torch.manual_seed(0)
    model = models.create("vgg_a", width=0.05, batch_norm=batch_norm).to(dtype)
    batch = (torch.randn(8, 3, 32, 32, dtype=dtype), torch.randint(10, (8,)))
    return model, losses.create("cross_entropy"), batch


@pytest.mark.parametrize("batch_norm", [False, True])
def test_as_steps_vanish_the_distance_meets_a_hessian_vector_product(batch_norm):
    """With a smooth activation, since a ReLU's kinks have no second derivative."""
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(12) if batch_norm else nn.Identity()
    model = nn.Sequential(nn.Linear(5, 12), norm, nn.Tanh(), nn.Linear(12, 3)).double()
    loss, batch = losses.create("cross_entropy"), (torch.randn(9, 5).double(), torch.arange(9) % 3)
    eta = 1e-6
    found = probes.probe(model, loss, batch, [eta])
    params = list(model.parameters())
    g = torch.autograd.grad(loss(model(batch[0]), batch[1]), params, create_graph=True)
    flat = torch.cat([x.flatten() for x in g])
    hvp = torch.cat([h.flatten() for h in torch.autograd.grad(flat @ flat.detach(), params)])
    assert found.gradient_distances[0].item() == pytest.approx((eta * hvp.norm()).item(), rel=1e-3)
    assert found.beta.item() == pytest.approx((hvp.norm() / flat.norm()).item(), rel=1e-3)


def test_distances_by_layer_add_up_to_the_whole_but_for_batch_norm():
    model, loss, batch = network(batch_norm=False)
    found = probes.probe(model, loss, batch, GRID)
    assert len(found.by_layer) == 11  # eight convolutions and three linear layers
    squares = sum(distance.square() for distance in found.by_layer.values())
    torch.testing.assert_close(squares.sqrt(), found.gradient_distances)


def after_a_step(model, loss, batch):
    """Return the weights after one step of SGD, the model's own left alone."""
    gradient = torch.autograd.grad(loss(model(batch[0]), batch[1]), list(model.parameters()))
    named = zip(model.named_parameters(), gradient, strict=True)
    return {name: (p - 0.1 * g).detach() for (name, p), g in named}


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_first_layers_covariate_shift_is_exactly_zero_and_the_others_is_not(batch_norm):
    model, loss, batch = network(batch_norm)
    shifts = probes.ics(model, loss, batch, after_a_step(model, loss, batch))
    first, *others = shifts.values()
    assert first.norm == 0 and first.relative == 0
    assert first.cosine.item() == pytest.approx(1)
    assert all(shift.norm > 0 and shift.cosine < 1 for shift in others)


def test_covariate_shift_updates_the_layers_before_and_no_others():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    loss, batch = losses.create("mse"), (torch.randn(7, 4).double(), torch.arange(7) % 3)
    after = after_a_step(model, loss, batch)
    found = probes.ics(model, loss, batch, after, ["linear2"])["linear2"]

    def gradient():
        g = torch.autograd.grad(loss(model(batch[0]), batch[1]), list(model[2].parameters()))
        return torch.cat([x.flatten() for x in g])

    before = gradient()
    model[0].weight.data, model[0].bias.data = after["0.weight"], after["0.bias"]
    moved = gradient()
    assert found.norm.item() == pytest.approx((before - moved).norm().item())
    assert found.relative.item() == pytest.approx(((before - moved).norm() / before.norm()).item())


def test_a_kernel_scaled_before_batch_norm_leaves_the_loss_and_divides_its_gradient():
    model, loss, batch = network()
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    norm.eps = 1e-30  # which alone would break the symmetry
    name, scale = "features.0.0.weight", 3.0
    before = probes.point(model, loss, batch)
    weights = {
        k: p.detach() * (scale if k.startswith("features.0.0.") else 1) for k, p in model.named_parameters()
    }
    after = probes.point(model, loss, batch, weights)
    torch.testing.assert_close(after.loss, before.loss)
    torch.testing.assert_close(after.gradient[name], before.gradient[name] / scale)


def test_probes_change_nothing():
    """A training with a probe and an ICS before every step, and one without: every bit is the same."""

    def train(probing):
        torch.manual_seed(1)
        model = models.create("convnet", width=0.05)  # batch norm and dropout
        optimizer = optim.create("sgd", model.parameters(), lr=0.1, momentum=0.9)
        loss = losses.create("cross_entropy")
        for _ in range(4):
            batch = (torch.randn(6, 3, 32, 32), torch.randint(10, (6,)))
            if probing:
                probes.probe(model, loss, batch, GRID)
                probes.ics(model, loss, batch, {k: p + 0.1 for k, p in model.named_parameters()})
            optimizer.zero_grad()
            loss(model(batch[0]), batch[1]).backward()
            optimizer.step()
        momentum = [s["momentum_buffer"] for s in optimizer.state.values()]
        gradients = [p.grad for p in model.parameters()]
        return [*model.state_dict().values(), *momentum, *gradients, torch.get_rng_state()]

    assert all(torch.equal(a, b) for a, b in zip(train(True), train(False), strict=True))


def test_dropout_has_one_mask_along_the_line():
    """Without it, distances would not vanish with the step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 50), nn.Dropout(0.5), nn.Linear(50, 2)).double()
    batch = (torch.randn(4, 20).double(), torch.arange(4) % 2)
    found = probes.probe(model, losses.create("cross_entropy"), batch, [1e-9, 2e-9])
    assert found.gradient_distances[0] < 1e-6
    assert found.losses[0].item() == pytest.approx(found.losses[1].item(), abs=1e-6)


def test_a_diverging_step_is_recorded_as_such():
    model, _, batch = network(batch_norm=False, dtype=torch.float32)
    found = probes.probe(model, lambda out, y: out.square().sum() ** 4, batch, [1e-12, 1e30])
    assert torch.isfinite(found.losses[0])
    assert not torch.isfinite(found.losses[1])
    assert len(found.losses) == 2


@pytest.mark.parametrize("steps", [[], [0.0, 0.1], [-0.1], [0.2, 0.1], [0.1, 0.1]])
def test_step_sizes_that_make_no_sense_are_refused(steps):
    with pytest.raises(ValueError, match="at least one number, all above 0, increasing"):
        quadratic(steps)


def test_an_unknown_layer_is_refused_with_the_known_ones():
    model, loss, batch = network()
    with pytest.raises(ValueError, match=r"'conv9'.*conv1, .*conv8, linear1, linear2, linear3"):
        probes.ics(model, loss, batch, dict(model.named_parameters()), ["conv9"])


def test_covariate_shift_counts_batch_norms_parameters_among_the_layers_before():
    model, loss, batch = network()
    after = after_a_step(model, loss, batch)
    found = probes.ics(model, loss, batch, after, ["conv2"])["conv2"]
    names = list(after)
    for name in names[: names.index("features.2.0.weight")]:  # conv1 and its batch norm
        model.get_parameter(name).data = after[name]
    assert {n.split(".")[2] for n in names[: names.index("features.2.0.weight")]} == {"0", "1"}
    moved = probes.point(model, loss, batch).gradient
    before, _, _ = network()
    start = probes.point(before, loss, batch).gradient
    own = ["features.2.0.weight", "features.2.0.bias"]
    wanted = torch.cat([(moved[n] - start[n]).flatten() for n in own]).norm()
    assert found.norm.item() == pytest.approx(wanted.item())


def test_a_layer_without_a_gradient_has_no_relative_shift_and_no_cosine():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    nn.init.constant_(model[0].bias, -100.0)  # no unit is ever active
    batch = (torch.randn(4, 2).double(), torch.arange(4) % 2)
    loss = losses.create("cross_entropy")
    found = probes.ics(model, loss, batch, dict(model.named_parameters()), ["linear1"])["linear1"]
    assert found.norm == 0 and found.relative.isnan() and found.cosine.isnan()


class Cosine(nn.Module):
    """Output -cos w, whose gradient sin w turns back: the farthest step is not the steepest."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(math.pi / 2, dtype=torch.float64))

    def forward(self, x):
        return -self.w.cos()


def test_beta_is_of_the_steepest_step_wherever_it_lies_on_the_line():
    batch = (torch.zeros(1), torch.zeros(1))
    found = probes.probe(Cosine(), lambda out, target: out, batch, [0.1, 2.3, 6.0])
    by_hand = [abs(math.sin(math.pi / 2 - step) - 1) / step for step in found.steps]
    assert (found.gradient_distances / found.lengths).tolist() == pytest.approx(by_hand)
    assert found.beta.item() == pytest.approx(by_hand[1]) and by_hand[1] > max(by_hand[0], by_hand[2])
