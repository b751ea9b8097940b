"""DessiLBI's recursion, and what it selects."""

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from pj import optim
from pj.optim.dessilbi import group_lasso, soft_threshold, support


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4)).double()


def gradients(model, step):
    """Set gradients that depend on the weights, so that an error in a step shows in the next."""
    draw = torch.Generator().manual_seed(step)
    for p in model.parameters():
        p.grad = 0.3 * p.detach() + torch.randn(p.shape, generator=draw, dtype=p.dtype)


def prox(v, threshold):
    if v.ndim == 4:
        out = np.zeros_like(v)
        for i, filter_ in enumerate(v):
            norm = np.sqrt((filter_**2).sum())
            if norm > threshold:
                out[i] = (1 - threshold / norm) * filter_
        return out
    return np.sign(v) * np.maximum(0, np.abs(v) - threshold)


def recursion(model, steps, lr, kappa, nu, momentum, lambdas):
    """The three lines in NumPy, old values on the right; V, Γ and W of every step's end."""
    model = copy.deepcopy(model)
    names = [name for name, _ in model.named_parameters()]
    w = {n: p.detach().numpy().copy() for n, p in model.named_parameters()}
    v, gamma, buffer = ({n: np.zeros_like(a) for n, a in w.items()} for _ in range(3))
    for step in range(steps):
        with torch.no_grad():
            for n, p in model.named_parameters():
                p.copy_(torch.from_numpy(w[n]))
        gradients(model, step)
        for n in names:
            buffer[n] = momentum * buffer[n] + model.get_parameter(n).grad.numpy()
            coupled = w[n].ndim > 1
            gap = w[n] - gamma[n] if coupled else 0.0
            w[n] = w[n] - kappa * lr * (buffer[n] + gap / nu)
            if coupled:
                v[n] = v[n] + lr / nu * gap
                gamma[n] = kappa * prox(v[n], lambdas["conv" if w[n].ndim == 4 else "linear"])
    return w, v, gamma


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("kappa", [1.0, 2.0])
def test_fifty_steps_are_the_three_line_recursion(momentum, kappa):
    model = network()
    lambdas = {"conv": 0.4, "linear": 0.2}
    settings = {"lr": 0.05, "kappa": kappa, "nu": 0.5, "momentum": momentum}
    w, v, gamma = recursion(model, 50, lambdas=lambdas, **settings)
    optimizer = optim.create("dessilbi", model.parameters(), lambdas=lambdas, **settings)
    for step in range(50):
        gradients(model, step)
        optimizer.step()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.detach().numpy(), w[name], rtol=1e-9, atol=1e-12)
        if p.ndim > 1:
            np.testing.assert_allclose(optimizer.state[p]["v"].numpy(), v[name], rtol=1e-9, atol=1e-12)
            found = optimizer.state[p]["gamma"].numpy()
            np.testing.assert_allclose(found, gamma[name], rtol=1e-9, atol=1e-12)
    sparse = [gamma[n] for n, p in model.named_parameters() if p.ndim > 1]
    assert all((g != 0).any() for g in sparse) and any((g == 0).any() for g in sparse)


@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_the_proximal_maps_minimise_what_they_stand_for(scale):
    """argmin over x of ½‖x - v‖² + λ·(norm of each filter, or of each weight)."""
    torch.manual_seed(1)
    threshold = 0.8
    kernel = scale * torch.randn(2, 1, 2, 2, dtype=torch.float64)
    matrix = scale * torch.randn(2, 3, dtype=torch.float64)
    cases = (
        (kernel, group_lasso, lambda x: np.linalg.norm(x.reshape(2, 4), axis=1).sum()),
        (matrix, soft_threshold, lambda x: np.abs(x).sum()),
    )
    for v, mapping, penalty in cases:
        flat, mapped = v.numpy().ravel(), mapping([v], threshold)[0].numpy().ravel()

        def objective(x, flat=flat, penalty=penalty):
            return 0.5 * ((x - flat) ** 2).sum() + threshold * penalty(x)

        # strictly convex, so whatever is as low as the lowest is the minimum
        tried = [minimize(objective, s * flat, method=m) for s in (1, 0.1) for m in ("Powell", "Nelder-Mead")]
        assert objective(mapped) <= min(result.fun for result in tried) + 1e-9
        assert objective(mapped) >= min(result.fun for result in tried) - 1e-2


def test_while_nothing_is_selected_a_step_is_weight_decay_of_one_over_nu():
    model = network()
    rival = copy.deepcopy(model)
    optimizer = optim.create(
        "dessilbi", model.parameters(), lr=0.05, nu=20.0, lambdas={"conv": 1e9, "linear": 1e9}
    )
    weights = [p for p in rival.parameters() if p.ndim > 1]
    biases = [p for p in rival.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": 1 / 20}, {"params": biases}]
    sgd = torch.optim.SGD(groups, lr=0.05)
    for step in range(10):
        for m, o in ((model, optimizer), (rival, sgd)):
            gradients(m, step)
            o.step()
    for p, q in zip(model.parameters(), rival.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_with_an_infinite_nu_the_adam_form_is_adam():
    model = network()
    rival = copy.deepcopy(model)
    optimizer = optim.create("dessilbi", model.parameters(), lr=0.01, nu=1e300, inner="adam")
    adam = torch.optim.Adam(rival.parameters(), lr=0.01)
    for step in range(20):
        for m, o in ((model, optimizer), (rival, adam)):
            gradients(m, step)
            o.step()
    for p, q in zip(model.parameters(), rival.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_the_adam_form_replaces_the_gradient_and_nothing_else():
    """Its first direction is the gradient's sign, so that the first two steps are known."""
    model = network()
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer = optim.create("dessilbi", model.parameters(), lr=0.1, nu=2.0, inner="adam", eps=1e-30)
    gradients(model, 0)
    signs = {n: p.grad.sign() for n, p in model.named_parameters()}
    optimizer.step()
    for n, p in model.named_parameters():
        gap = start[n] / 2.0 if p.ndim > 1 else 0
        torch.testing.assert_close(p.detach(), start[n] - 0.1 * (signs[n] + gap))
        if p.ndim > 1:
            torch.testing.assert_close(optimizer.state[p]["v"], 0.05 * start[n])


def test_a_units_selection_is_noted_once_at_its_epoch():
    model = network()
    optimizer = optim.create("dessilbi", model.parameters(), lr=0.1)
    conv, linear = model[0].weight, model[2].weight
    optimizer.end_epoch(1, model)
    optimizer.state[conv]["gamma"][1] = 1.0
    optimizer.end_epoch(2, model)
    optimizer.state[conv]["gamma"][1] = 0.0  # given up again
    optimizer.state[linear]["gamma"][0, 3] = -1.0
    shares = optimizer.end_epoch(3, model)
    assert shares == {"conv1": 0.0, "linear1": pytest.approx(100 / 48)}
    assert optimizer.state[conv]["selected"].tolist() == [-1, 2, -1]
    assert optimizer.state[linear]["selected"][0].tolist() == [-1, -1, -1, 3] + [-1] * 8
    assert support(optimizer.state[conv]["gamma"]).tolist() == [False] * 3


def test_state_survives_saving_and_loading(tmp_path):
    model = network()
    settings = {"lr": 0.05, "nu": 0.5, "momentum": 0.9, "lambdas": {"conv": 0.1, "linear": 0.1}}
    optimizer = optim.create("dessilbi", model.parameters(), **settings)
    for step in range(5):
        gradients(model, step)
        optimizer.step()
    optimizer.end_epoch(1, model)
    other = copy.deepcopy(model)
    again = optim.create("dessilbi", other.parameters(), **settings)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for m, o in ((model, optimizer), (other, again)):
        for step in range(5, 10):
            gradients(m, step)
            o.step()
        o.end_epoch(2, m)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
        for name, value in optimizer.state[p].items():
            assert torch.equal(value, again.state[q][name])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kappa": 0.0}, "kappa > 0 and finite, not kappa=0.0"),
        ({"nu": -1.0}, "nu=-1.0"),
        ({"lr": float("nan")}, "lr > 0 and finite, not lr=nan"),
        ({"momentum": 1.5}, r"momentum in \[0, 1\), not momentum=1.5"),
        ({"betas": (0.9, 1.0)}, r"betas\[1\] in \[0, 1\), not betas\[1\]=1.0"),
        ({"lambdas": {"conv": float("nan")}}, "each 0 or more"),
        ({"inner": "adam", "momentum": 0.9}, "momentum is allowed with inner sgd only"),
        ({"inner": "rmsprop"}, "no inner 'rmsprop'; available: sgd, adam"),
        ({"lambdas": {"conv": -1.0}}, "each 0 or more"),
        ({"lambdas": {"bias": 1.0}}, "allowed: conv, linear"),
    ],
)
def test_settings_that_are_not_allowed_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        optim.create("dessilbi", network().parameters(), **{"lr": 0.1} | settings)


@pytest.mark.parametrize("inner", ["sgd", "adam"])
def test_a_parameter_without_a_gradient_rests(inner):
    model = network()
    model[0].requires_grad_(False)
    optimizer = optim.create("dessilbi", model.parameters(), lr=0.1, inner=inner)
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(2, 2, 4, 4, dtype=torch.float64)).sum().backward()
    optimizer.step()
    moved = [not torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True)]
    assert moved == [False, False, True, True]


def test_without_a_threshold_nothing_shrinks_and_a_zero_filter_stays_zero():
    kernel = torch.randn(3, 2, 1, 1)
    kernel[1] = 0
    torch.testing.assert_close(group_lasso([kernel], 0.0)[0], kernel)
    assert not group_lasso([kernel], 0.5)[0][1].any()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_while_nothing_is_selected_it_rests_where_decay_of_one_minus_momentum_over_nu_does(momentum):
    """On a quadratic: torch decays inside of momentum, DessiLBI outside."""
    nu, out_of_reach = 20.0, {"conv": 1e9, "linear": 1e9}
    rest = []
    for name, settings in (
        ("dessilbi", {"nu": nu, "lambdas": out_of_reach}),
        ("sgd", {"weight_decay": (1 - momentum) / nu}),
    ):
        w = nn.Parameter(torch.full((1, 1), 3.0, dtype=torch.float64))
        optimizer = optim.create(name, [w], lr=0.1, momentum=momentum, **settings)
        for _ in range(3000):
            w.grad = 0.05 * (w.detach() - 1.0)
            optimizer.step()
        rest.append(w.item())
    assert rest[0] == pytest.approx(rest[1], rel=1e-6)
    assert rest[0] < 0.99  # decayed


def test_while_nothing_is_selected_the_adam_form_is_adamw():
    model = network()
    rival = copy.deepcopy(model)
    settings = {"nu": 20.0, "inner": "adam", "lambdas": {"conv": 1e9, "linear": 1e9}}
    optimizer = optim.create("dessilbi", model.parameters(), lr=0.01, **settings)
    groups = [{"params": [p for p in rival.parameters() if p.ndim > 1], "weight_decay": 1 / 20}]
    groups += [{"params": [p for p in rival.parameters() if p.ndim == 1], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=0.01)
    for step in range(20):
        for m, o in ((model, optimizer), (rival, adamw)):
            gradients(m, step)
            o.step()
    for p, q in zip(model.parameters(), rival.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_the_epoch_of_a_unit_is_the_first_of_those_in_the_support():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4))
    optimizer = optim.create("dessilbi", model.parameters(), lr=0.1)
    state = optimizer.state[model[0].weight]
    state["gamma"][0] = 1.0
    optimizer.end_epoch(1, model)
    state["gamma"][0], state["gamma"][1] = 0.0, 1.0
    optimizer.end_epoch(2, model)
    state["gamma"][0] = 1.0
    shares = optimizer.end_epoch(3, model)
    assert state["selected"].tolist() == [1, 2, -1]
    assert next(iter(shares.values())) == pytest.approx(200 / 3)
