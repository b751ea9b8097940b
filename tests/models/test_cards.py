"""What is known of a model without importing it, against the network itself."""

import types
import typing
from itertools import product

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from pj import losses, models, optim, syntax
from pj.config import cards, components
from pj.config.components import MODELS
from pj.data import sources
from pj.errors import UserError
from pj.models import layer_names
from pj.pruning import networks
from pj.training import schedule

INTEGERS = (1, 2, 3, 10, 16, 22)  # of options that are numbers, those that may be


KNOWN = [name for name, card in MODELS.items() if "LAYERS" in card.facts]  # the others are of anybody's


def allowed(name, option, value):
    try:
        MODELS[name].settings.model_validate({"name": name, option: value})
    except ValidationError:
        return False
    return True


def choices(name):
    """Return the values of an option that could change which layers there are."""
    kind = MODELS[name].settings.model_fields
    for option, field in kind.items():
        if field.annotation is bool:
            yield option, (False, True)
        elif field.annotation is int:
            yield option, [value for value in INTEGERS if allowed(name, option, value)][:3]
        elif typing.get_origin(field.annotation) is typing.Literal and option != "name":
            yield option, typing.get_args(field.annotation)
        elif option == "width":
            yield option, (0.05, 0.1, 0.5)


def combinations():
    for name in KNOWN:
        options, values = zip(*choices(name), strict=True)
        for chosen in product(*values):
            yield pytest.param(name, dict(zip(options, chosen, strict=True)), id=f"{name}-{chosen}")


@pytest.mark.parametrize(("name", "options"), list(combinations()))
def test_every_card_says_what_its_network_is(name, options, spec):
    size, channels = (28, 1) if name == "lenet" else (32, 3)
    model = models.create(name, in_channels=channels, image_size=size, **options).eval()
    known = spec(model={"name": name, **options})
    assert known.layers == list(layer_names.layers(model))
    assert known.maps == list(layer_names.maps(model))
    assert known.prunable == list(networks.prunable(model))
    normalised = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
    assert known.has_batch_norm == normalised
    seen = {}
    for place, path in layer_names.maps(model).items():
        model.get_submodule(path).register_forward_hook(lambda m, i, y, place=place: seen.update({place: y}))
    model(torch.zeros(2, channels, size, size))
    assert set(seen) == set(known.maps) and all(y.ndim == 4 for y in seen.values())
    images = torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(0))
    for layer in (layer for layer in known.prunable if layer.startswith("conv")):
        removed = {layer: torch.tensor([0])}  # those that read it are named rightly
        small, large = networks.narrowed(model, removed), networks.masked(model, removed)
        torch.testing.assert_close(small(images), large(images))


@pytest.mark.parametrize("name", KNOWN)
def test_a_networks_defaults_are_those_of_its_card(name):
    with torch.device("meta"):
        channels = 1 if name == "lenet" else 3
        plain = models.create(name, in_channels=channels)
        card = MODELS[name].settings.model_validate({"name": name}).model_dump(exclude={"name"})
        stated = models.create(name, in_channels=channels, **card)
    assert str(plain) == str(stated)


ALL = {
    "models": components.MODELS,
    "losses": components.LOSSES,
    "optimizers": components.OPTIMIZERS,
    "schedules": components.SCHEDULES,
    "sources": components.SOURCES,
}


@pytest.mark.parametrize("kind", ALL)
def test_every_option_of_every_component_has_a_description(kind):
    for name, card in ALL[kind].items():
        lacking = [option for option, field in card.settings.model_fields.items() if not field.description]
        assert not lacking, f"{kind}: {name}: no description of {', '.join(lacking)}"


@pytest.mark.parametrize(
    ("registry", "known"),
    [
        (models.REGISTRY, components.MODELS),
        (losses.REGISTRY, components.LOSSES),
        (optim.REGISTRY, components.OPTIMIZERS),
        (schedule.REGISTRY, components.SCHEDULES),
        (sources.REGISTRY, components.SOURCES),
    ],
)
def test_every_registered_component_has_a_card(registry, known):
    assert list(registry) == list(known)


NET = """
from pj.config.types import Count

class Net:
    \"""A net.

    Args:
        size: of something.

    \"""

    LAYERS: ClassVar = {"conv": 1, "linear": 0}

    def __init__(self, *, num_classes=10, size: Count = 3, ANOTHER) -> None: ...
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Write a module of a network that imports what is not there, which reading its card must not notice."""

    def write(argument, replaced=("", ""), registry='REGISTRY = {"net": "own_net:Net"}'):
        text = "import nothing_like_this\n" + NET.replace(", ANOTHER", f", {argument}" if argument else "")
        (tmp_path / "own_net.py").write_text(text.replace(*replaced))
        monkeypatch.syspath_prepend(tmp_path)
        syntax.parsed.cache_clear()
        cards._definitions.cache_clear()
        (tmp_path / "nets.py").write_text(registry)
        module = types.SimpleNamespace(__file__=str(tmp_path / "nets.py"), REGISTRY={"net": "own_net:Net"})
        return cards.read(module, "model", ("num_classes",), facts=("LAYERS",))["net"]

    return write


def test_a_card_is_read_without_importing_its_module(net):
    card = net("")
    assert card.settings.model_validate({"name": "net"}).model_dump() == {"name": "net", "size": 3}
    assert card.settings.model_fields["size"].description == "of something"
    assert card.facts == {"LAYERS": {"conv": 1, "linear": 0}}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("other=3", r"own_net.py, line 15: option other has no type annotation"),
        ("other: Amount = 3", r"option other: name 'Amount' is not defined; allowed: the types of"),
        ("other: int = min(1, 2)", r"option other: its default min\(1, 2\) must be a literal"),
    ],
)
def test_an_option_that_cannot_be_read_from_the_syntax_is_named(net, argument, message):
    with pytest.raises(UserError, match=message):
        net(argument)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{"conv": 1, "linear": 0}', "dict(conv=1)", r"own_net.py, line 13: LAYERS must be a literal"),
        ("LAYERS", "LAYRES", r"model 'net' \(own_net:Net\) lacks the class attribute LAYERS"),
        ("num_classes", "classes", r"option classes has no type annotation"),
        ("num_classes=10, ", "", r"model 'net' .* does not take num_classes; needed: num_classes"),
        ("class Net:", "class Other:", r"own_net.py has no class or function Net, which"),
        (
            "def __init__",
            "def create",
            r"Net has no constructor in this file; its options",
        ),
        ("-> None", "->", r"own_net.py, line 15: "),
    ],
)
def test_a_model_that_cannot_be_read_from_the_syntax_is_one_clear_error(net, old, new, message):
    with pytest.raises(UserError, match=message):
        net("", (old, new))


def test_two_models_of_one_name_are_one_clear_error(net):
    twice = 'REGISTRY = {"net": "own_net:Net", "net": "other:Net"}'
    with pytest.raises(UserError, match=r"nets.py: two components are named 'net'; give each its own name"):
        net("", registry=twice)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            {"conv": "dept + 1", "linear": 1},
            "model 'wide_resnet': LAYERS: conv: 'dept \\+ 1': name 'dept' is not defined",
        ),
        ({"conv": "1 +", "linear": 1}, "model 'wide_resnet': LAYERS: conv: '1 \\+': invalid syntax"),
    ],
)
def test_layers_that_cannot_be_counted_name_the_model(monkeypatch, spec, layers, message):
    monkeypatch.setitem(MODELS["wide_resnet"].facts, "LAYERS", layers)
    with pytest.raises(UserError, match=message):
        spec(model={"name": "wide_resnet"}).layers  # noqa: B018
