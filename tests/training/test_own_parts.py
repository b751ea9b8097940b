"""A user's own parts, tried before their runs: each fault is one message, and what is right passes."""

import random
import re
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from helpers import own_code
from pj import own
from pj.config.spec import checks
from pj.data import store
from pj.errors import UserError
from pj.training import network, unsaved
from pj.training.device import configure
from pj.training.run import Training

CODE = '''
import collections

from torch.nn.functional import cross_entropy


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, logits, target):
        loss = cross_entropy(logits, target)
        self.mean.lerp_(loss.detach(), 0.1)
        return loss


class Called:
    def __init__(self):
        self.calls = 0

    def __call__(self, logits, target):
        self.calls += 1
        return cross_entropy(logits, target)


class Weighted(nn.Module):
    """Constant weights, and an attribute that is written and never read."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight), persistent=False)

    def forward(self, logits, target):
        self.last = cross_entropy(logits, target, self.weight)
        return self.last


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, logits, target):
        return cross_entropy(logits * self.scale, target)


class Without(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        return closure()


SEEN = []


def counting(logits, target):
    SEEN.append(1)
    return cross_entropy(logits, target) * len(SEEN)


def per_image(logits, target):
    return cross_entropy(logits, target, reduction="none")


def detached(logits, target):
    return cross_entropy(logits.detach(), target)


def transposed(logits, target):
    return logits @ target


class Refusing:
    def __init__(self):
        raise LookupError("no")


class Unsaved(TinyNet):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.seen += self.training
        return super().forward(x)


class Counted(TinyNet):
    steps = 0

    def forward(self, x):
        self.steps += self.training
        return super().forward(x)


class Shown(TinyNet):
    """Keeps maps to be looked at, which the next call replaces."""

    def forward(self, x):
        self.maps = self.body(x)
        return self.head(self.maps.mean((2, 3)))


class Extra(TinyNet):
    def get_extra_state(self):
        return {"a": 1}

    def set_extra_state(self, state):
        pass


class Replaced(TinyNet):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + self.training
        return super().forward(x)


class Attribute(Lion):
    t = 0

    def step(self, closure):
        self.t += 1
        return super().step(closure)


class Wrapping(torch.optim.Optimizer):
    """Keeps the state of its inner optimizer to itself."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        self.base = torch.optim.SGD(self.param_groups, lr=lr, momentum=0.9)

    def step(self, closure):
        loss = closure()
        self.base.step()
        return loss


class WithPath(Lion):
    """Has names that mean something in pj's own optimizers."""

    path = end_epoch = second_pass = None


class Queue(Lion):
    def step(self, closure):
        loss = super().step(closure)
        for p in self.param_groups[0]["params"]:
            self.state[p].setdefault("queue", collections.deque()).append(1)
        return loss


class Silent(Lion):
    def step(self, closure):
        super().step(closure)


class Idle(Lion):
    def step(self, closure=None):
        return None


class Failing(Lion):
    def step(self, closure):
        return {}["momentum"]


def below(progress, epochs):
    return 1 - progress


def none(progress, epochs):
    return float("nan")


def absent(progress, epochs):
    return {}["rate"]
'''
KEEPS = "keeps {} from step to step, which a run that is stopped and continued would lose"
NET = {"class": "my_nets.py:TinyNet"}


@pytest.fixture
def images(tmp_path, monkeypatch, digits):
    """Ten classes of 32x32 images, beside code of one's own."""
    with own_code.beside(tmp_path, monkeypatch):
        with (tmp_path / "my_nets.py").open("a") as file:
            file.write(CODE)
        yield store.load(digits)


def own_part(key, name, **options):
    options = {"lr": 0.01} if key == "optimizer" else options
    return {key: {"class": f"my_nets.py:{name}", "options": options}}


def tried(spec, images):
    for check in checks(spec).values():
        network.check(check, images)


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("loss", "Mean", KEEPS.format("mean")),
        ("loss", "Called", KEEPS.format("calls")),
        ("loss", "Learned", "Learned has parameters, which no optimizer trains"),
        ("loss", "counting", "counting: a training that is stopped and continued ends with other numbers"),
        ("loss", "per_image", r"gives \[4\]; needed: a tensor of one number"),
        ("loss", "detached", "gives no gradient"),
        (
            "loss",
            "transposed",
            r"fails on logits \[4, 10\] and class indices \[4\]:.*line \d+, in transposed",
        ),
        ("loss", "Refusing", "Refusing cannot be made with {}.*LookupError: no"),
        ("model", "Unsaved", KEEPS.format("seen")),
        ("model", "Counted", KEEPS.format("steps")),
        ("model", "Extra", "_extra_state in the state_dict of Extra is no tensor but dict"),
        ("optimizer", "Attribute", KEEPS.format("t")),
        ("optimizer", "Wrapping", KEEPS.format("base")),
        ("optimizer", "Queue", r"the state of my_nets.py:Queue holds collections\.deque"),
        ("optimizer", "Silent", "the step of my_nets.py:Silent returns NoneType"),
        ("optimizer", "Idle", "the step of my_nets.py:Idle does not call its closure"),
        ("optimizer", "Without", r"does not require grad.*with torch.enable_grad\(\): loss = closure"),
        ("optimizer", "Failing", "fails:.*line \\d+, in step.*KeyError: 'momentum'"),
        ("schedule", "below", r"step 6 of 8: my_nets.py:below gives -0.25 after 1.25 of 2 epochs"),
        ("schedule", "none", "step 1 of 8: my_nets.py:none gives nan after 0 of 2 epochs"),
        ("schedule", "absent", "absent fails after 0 epochs:.*KeyError: 'rate'"),
    ],
)
def test_a_fault_of_ones_own_part_is_one_message_before_its_runs(key, name, message, images, spec):
    known = {"model": {"name": "mlp", "width": 0.02}}
    with pytest.raises(UserError, match=f"(?s){message}") as error:
        tried(spec(**known | own_part(key, name)), images)
    assert all(Path(file).name == "my_nets.py" for file in re.findall(r'File "(.*?)"', str(error.value)))


def test_an_average_of_weights_needs_buffers_that_are_changed_in_place(images, spec):
    tried(spec(**own_part("model", "Replaced")), images)
    with pytest.raises(UserError, match=r"in the place of the buffer seen, .* by self\.seen\.copy_"):
        tried(spec(**own_part("model", "Replaced"), ema={}), images)
    tried(spec(model=NET, ema={}), images)


@pytest.mark.parametrize(
    "part",
    [
        own_part("model", "Shown"),
        own_part("loss", "Weighted", weight=[1.0, 2.0] * 5),
        own_part("optimizer", "Lion") | {"decay_norms_and_biases": None, "model": NET},
        own_part("optimizer", "WithPath"),
        {"optimizer": {"class": "torch.optim:NAdam", "options": {"lr": 0.01, "weight_decay": 0.1}}}
        | {"decay_norms_and_biases": False, "model": {"name": "mlp", "width": 0.02}},
        {"loss": {"class": "torch.nn:CrossEntropyLoss"}, "data": {"name": "digits", "mixup": {"alpha": 1.0}}},
    ],
)
def test_what_keeps_its_state_where_torch_does_passes(part, images, spec):
    tried(spec(**part), images)


def test_a_loss_for_class_indices_is_refused_mixed_labels(images, spec):
    mixed = {"name": "digits", "mixup": {"alpha": 1.0}}
    with pytest.raises(UserError, match=r"focal fails on logits \[4, 10\] and probabilities \[4, 10\]"):
        tried(spec(data=mixed, **own_part("loss", "focal")), images)


def test_an_unknown_layer_of_a_network_that_pj_does_not_know_is_named_with_the_nearest(images, spec):
    probe = {"every": 3, "ics": ["conv9"]}
    with pytest.raises(UserError, match=r"probe\.ics: unknown name 'conv9'. Allowed: conv1, conv2, linear1"):
        tried(spec(model=NET, probe=probe), images)


def test_runs_share_the_checks_of_what_they_share_and_runs_without_own_parts_have_none(images, spec):
    assert checks(spec()) == {}
    rates = [spec(optimizer={"name": "sgd", "lr": lr}, **own_part("loss", "focal")) for lr in (0.1, 0.2)]
    assert checks(rates[0]) == checks(rates[1]) and len(checks(rates[0])) == 1
    torchvision = spec(model={"name": "torchvision", "arch": "resnet18"})
    assert len(checks(torchvision)) == 1
    assert len(checks(spec(model=NET, **own_part("loss", "focal")))) == 2  # the network is tried first


def test_a_tensor_that_a_new_part_does_not_have_yet_is_restored_on_the_device():
    part = SimpleNamespace(scale=None, there=torch.zeros(2))
    unsaved.restore(part, {"scale": torch.ones(2), "there": torch.ones(2), "calls": 3}, torch.device("meta"))
    assert part.scale.device.type == "meta" and part.there.tolist() == [1.0, 1.0] and part.calls == 3


def test_the_constant_weights_of_a_loss_are_on_the_device_of_the_logits(images):
    made = [
        own.loss_object(torch.device(name), class_="my_nets.py:Weighted", options={"weight": [1.0] * 10})
        for name in ("cpu", "meta")
    ]
    assert [loss.weight.device.type for loss in made] == ["cpu", "meta"]
    found = own.loss(
        torch.zeros(4, 10, device="meta"),
        torch.zeros(4, dtype=torch.int64, device="meta"),
        class_="my_nets.py:Weighted",
        options={"weight": [1.0] * 10},
    )
    assert found.device.type == "meta"


def drawn_by(made, draw):
    """Return a generator of random numbers that has drawn one."""
    draw(made)
    return made


def long(value):
    """Return an array of which a representation leaves out the middle."""
    found = np.full(5000, np.nan)
    found[2500] = value
    return found


def objects(*values):
    """Return an array of these objects and of itself."""
    found = np.empty(len(values) + 1, object)
    found[:] = [*values, None]
    found[-1] = found
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: torch.tensor([1.0, np.nan]), lambda: torch.tensor([2.0, np.nan])),
        (lambda: torch.ones(2), lambda: torch.ones(2, 1)),
        (lambda: np.array([1.0, np.nan]), lambda: np.array([1.0, 2.0])),
        (lambda: long(1.0), lambda: long(2.0)),
        (lambda: np.array([1.0]), lambda: np.array([1])),
        (lambda: objects(np.ones(2), torch.ones(2)), lambda: objects(np.ones(2), torch.zeros(2))),
        (lambda: np.array([(1, 2.0)], "i4,f8"), lambda: np.array([(1, 3.0)], "i4,f8")),
        (lambda: np.zeros(1, [("a", "f8")]), lambda: np.zeros(1, [("b", "f8")])),
        (lambda: np.float32("nan"), lambda: np.float32(0)),
        (lambda: float("nan"), lambda: 0.0),
        (lambda: {"a": [1.0, {"b": float("nan")}]}, lambda: {"a": [1.0, {"b": 2.0}]}),
        (lambda: [1], lambda: [1, 2]),
        (lambda: [1], lambda: (1,)),
        (lambda: True, lambda: 1),
        (lambda: deque([1, 2]), lambda: deque([1, 3])),
        (lambda: {1, 2}, lambda: {1, 3}),
        (lambda: SimpleNamespace(a=SimpleNamespace(b=1)), lambda: SimpleNamespace(a=SimpleNamespace(b=2))),
        (torch.Generator, lambda: drawn_by(torch.Generator(), lambda made: torch.rand(1, generator=made))),
        (lambda: random.Random(0), lambda: drawn_by(random.Random(0), lambda made: made.random())),
        (lambda: np.random.default_rng(0), lambda: drawn_by(np.random.default_rng(0), lambda m: m.random())),
        (
            lambda: np.random.RandomState(0),
            lambda: drawn_by(np.random.RandomState(0), lambda made: made.random_sample()),
        ),
    ],
)
def test_two_values_are_equal_if_and_only_if_all_that_they_hold_is(one, other):
    for same in (one, other):
        assert unsaved.equal(same(), same())
    assert not unsaved.equal(one(), other()) and not unsaved.equal(other(), one())


def test_what_only_one_of_two_parts_keeps_is_a_difference():
    first, second = {"a": 1, "same": 2.0}, {"b": 1, "same": 2.0}
    assert list(unsaved.differing(first, second)) == ["a", "b"]


class Keeping(nn.Module):
    """Keeps something of every kind, itself and in a part of it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("saved", torch.zeros(2))
        self.register_buffer("lost", torch.ones(2), persistent=False)
        self.weight = nn.Parameter(torch.ones(1))
        self.inner = nn.Linear(1, 1)
        self.inner.calls, self.inner.share = 3, 0.5
        self.on, self.name, self.best = True, "a", None
        self.path, self.history = Path("x"), [1.0]


@pytest.mark.parametrize(("saved", "buffers"), [(True, {"lost"}), (False, {"lost", "saved"})])
def test_what_a_resume_state_keeps_of_a_part_are_its_numbers_texts_and_tensors(saved, buffers):
    """Of a loss, whose state_dict is not in it, all buffers; of a network those that are not persistent."""
    found = unsaved.simple(Keeping(), saved=saved)
    tensors = {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}
    assert tensors.keys() == buffers and tensors["lost"].tolist() == [1.0, 1.0]
    others = {name: value for name, value in found.items() if name not in tensors}
    # options of torch's own layers are among them, too
    wanted = {"inner.calls": 3, "inner.share": 0.5, "on": True, "name": "a", "best": None}
    assert wanted.items() <= others.items()
    assert not {"path", "history", "weight", "inner.weight"} & found.keys()
    part = Keeping()
    part.inner.calls, part.inner.share, part.on, part.name, part.best = 0, 0.0, False, "b", 1.0
    part.lost.zero_()
    unsaved.restore(part, found, torch.device("cpu"))
    assert unsaved.equal(unsaved.simple(part, saved=saved), found)


def test_the_resume_state_holds_the_buffers_of_a_loss_and_those_of_a_network_once(images, spec):
    parts = own_part("loss", "Mean") | own_part("model", "Replaced")
    training = Training(spec(**parts), 0, images, configure("cpu", "fp32", 1))
    state = training.state_dict()
    assert "mean" in state["own"]["loss"]
    assert "seen" in state["model"] and "seen" not in state["own"]["model"]
