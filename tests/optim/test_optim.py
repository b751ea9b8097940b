import subprocess
import sys

import pytest
import torch
from torch import nn

from pj import optim
from pj.errors import UserError
from pj.training.batch_norm import frozen_running_statistics

BUILTIN = [
    ("sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}),
    ("sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}),
    ("adam", torch.optim.Adam, {"lr": 0.01, "weight_decay": 5e-4}),
    ("adamw", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.01, "weight_decay": 5e-4}),
    ("adam", torch.optim.Adam, {"lr": 0.01, "betas": (0.5, 0.8), "eps": 0.1}),
    ("adamw", torch.optim.AdamW, {"lr": 0.01, "betas": (0.5, 0.8), "eps": 0.1, "weight_decay": 0.1}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.5, "eps": 0.1, "momentum": 0.9}),
]


def network(normalise=nn.BatchNorm1d):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), normalise(16), nn.ReLU(), nn.Linear(16, 3))


def steps(model, optimizer, count=5):
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        x, y = torch.randn(12, 8, generator=draw), torch.randint(3, (12,), generator=draw)

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(("name", "reference", "options"), BUILTIN)
def test_a_named_optimizer_is_torchs_own(name, reference, options):
    # without batch norm, before which a bias has no gradient but rounding, which Adam would blow up
    ours, theirs = network(nn.Identity), network(nn.Identity)
    a = steps(ours, optim.create(name, ours.parameters(), **options))
    b = steps(theirs, reference(theirs.parameters(), **options))
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_a_training_that_compiles_nothing_does_not_load_the_compiler():
    """It takes torch two seconds, in every job."""
    code = (
        "import sys, torch, pj.training.loop; from pj import optim\n"
        "p = torch.nn.Parameter(torch.ones(2))\n"
        "for name in optim.names():\n"
        "    o = optim.create(name, [p], lr=0.1)\n"
        "    def closure():\n"
        "        o.zero_grad(); loss = p.square().sum(); loss.backward(); return loss\n"
        "    o.step(closure); o.load_state_dict(o.state_dict())\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("nesterov", [None, True])
def test_sam_of_radius_zero_is_its_base_bit_for_bit(nesterov, adaptive):
    ours, theirs = network(), network()
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": nesterov}
    a = steps(ours, optim.create("sam", ours.parameters(), rho=0.0, adaptive=adaptive, **options))
    b = steps(theirs, optim.create("sgd", theirs.parameters(), **options))
    assert torch.equal(a, b)


def perturbation(adaptive, eta=0.01):
    """Return w, g and eps of a SAM step on an elementwise quadratic, seen from its second closure call."""
    torch.manual_seed(0)
    w = nn.Parameter(torch.randn(20, dtype=torch.float64))
    curvature = torch.rand(20, dtype=torch.float64) + 0.5
    seen = []
    sam = optim.create("sam", [w], rho=0.3, adaptive=adaptive, eta=eta, lr=0.1)

    def closure():
        sam.zero_grad()
        seen.append(w.detach().clone())
        loss = 0.5 * (curvature * w.square()).sum()
        loss.backward()
        return loss

    loss = sam.step(closure)
    return seen, curvature, w.detach(), loss.item()


def test_sams_perturbation_has_length_rho_along_the_gradient():
    (start, perturbed), curvature, _, _ = perturbation(adaptive=False)
    eps, gradient = perturbed - start, curvature * start
    assert eps.norm().item() == pytest.approx(0.3)
    assert torch.cosine_similarity(eps, gradient, dim=0).item() == pytest.approx(1)


@pytest.mark.parametrize("eta", [0.0, 0.01])
def test_asams_perturbation_is_rho_t_squared_g_over_the_norm_of_t_g(eta):
    (start, perturbed), curvature, _, _ = perturbation(adaptive=True, eta=eta)
    t, gradient = start.abs() + eta, curvature * start
    torch.testing.assert_close(perturbed - start, 0.3 * t**2 * gradient / (t * gradient).norm())


def test_sam_steps_from_w_with_the_gradient_at_the_perturbed_point():
    (start, perturbed), curvature, end, loss = perturbation(adaptive=False)
    torch.testing.assert_close(end, start - 0.1 * curvature * perturbed)
    assert loss == pytest.approx(0.5 * (curvature * start.square()).sum().item())  # the loss at w


def test_sams_weight_decay_sees_w_and_not_the_perturbed_point():
    w = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    sam = optim.create("sam", [w], rho=0.5, lr=0.1, weight_decay=0.3)

    def closure():
        sam.zero_grad()
        loss = w.sum()  # its gradient is 1 everywhere
        loss.backward()
        return loss

    sam.step(closure)
    assert w.item() == pytest.approx(2.0 - 0.1 * (1 + 0.3 * 2.0))


def test_batch_norm_moves_once_in_a_sam_step():
    once, model = network(), network()
    sam = optim.create("sam", model.parameters(), rho=0.1, lr=0.1)
    sam.second_pass = lambda: frozen_running_statistics(model)
    steps(model, sam, count=1)
    steps(once, optim.create("sgd", once.parameters(), lr=0.1), count=1)
    assert model[1].num_batches_tracked == 1
    torch.testing.assert_close(model[1].running_mean, once[1].running_mean)
    torch.testing.assert_close(model[1].running_var, once[1].running_var)


def test_any_running_statistics_move_once_in_a_sam_step():
    found = []
    for name in ("sam", "sgd"):
        torch.manual_seed(0)
        norm = nn.InstanceNorm1d(3, track_running_stats=True)
        before, after = nn.Sequential(nn.Unflatten(1, (1, 8)), nn.Conv1d(1, 3, 2)), nn.Linear(21, 3)
        model = nn.Sequential(before, norm, nn.Flatten(), after)
        optimizer = optim.create(name, model.parameters(), lr=0.1)
        if name == "sam":
            optimizer.second_pass = lambda network=model: frozen_running_statistics(network)
        steps(model, optimizer, count=1)
        found.append(norm.running_mean)
    torch.testing.assert_close(*found)


def test_running_statistics_are_those_of_before_though_the_second_pass_fails():
    model = network()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with pytest.raises(LookupError), frozen_running_statistics(model):
        model(torch.randn(12, 8))
        raise LookupError
    assert all(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())


@pytest.mark.parametrize("wrong", [{"rho": -0.1}, {"eta": -1.0}, {"base": "sam"}])
def test_sam_refuses_what_makes_no_sense(wrong):
    with pytest.raises(ValueError, match="SAM"):
        optim.create("sam", [nn.Parameter(torch.ones(1))], lr=0.1, **wrong)


def test_sam_has_a_public_name():
    assert isinstance(optim.create("sam", [nn.Parameter(torch.ones(1))], lr=0.1), optim.SAM)


def test_an_unknown_optimizer_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"'momentum'.*sgd"):
        optim.create("momentum", [])


def test_dessilbi_refuses_a_layer_whose_weight_is_computed_before_it_trains():
    plain = nn.Sequential(nn.Linear(2, 2))
    optim.DessiLBI.check(plain)
    with pytest.raises(UserError, match=r"that of linear1 .* is computed from others"):
        optim.DessiLBI.check(nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))))


def test_sam_of_radius_zero_evaluates_the_gradient_once():
    model, calls = nn.Linear(3, 1), []
    sam = optim.create("sam", model.parameters(), rho=0.0, lr=0.1)

    def closure():
        calls.append(1)
        sam.zero_grad()
        loss = model(torch.ones(2, 3)).square().mean()
        loss.backward()
        return loss

    sam.step(closure)
    assert len(calls) == 1


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_leaves_parameters_without_a_gradient_as_they_are(adaptive):
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    sam = optim.create("sam", [used, unused], rho=0.1, lr=0.1, adaptive=adaptive)

    def closure():
        sam.zero_grad()
        loss = used.square().sum()
        loss.backward()
        return loss

    sam.step(closure)
    assert unused.tolist() == [1, 1] and used[0] < 1
