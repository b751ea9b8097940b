"""What a class or function takes, read from its source: as Python says when it is called."""

import inspect
import sys
from importlib import import_module

import pytest

from pj.config import libraries, modules, own, signatures

SOURCE = """
import dataclasses, functools
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar
from base import Base, Base as Other, changed, make
import base as there


class Plain:
    def __init__(self, hidden, depth=2, *, act="relu"): ...
class Empty: ...
class Inherited(Plain): ...
class FromElsewhere(Base): ...
class Dotted(there.Base): ...
class Renamed(Other): ...
class Beside:
    def __init__(self, other=1): ...
class Mixin: ...
class MixedIn(Mixin, Plain): ...
class Left(Base): ...
class Right(Base):
    def __init__(self, right=1): ...
class Diamond(Left, Right): ...
class PassesOn(Plain):
    def __init__(self, extra=1, **more): super().__init__(hidden=3, **more)
class PassesTwice(PassesOn):
    def __init__(self, **more): super().__init__(4, **more)
class Reads:
    def __init__(self, **more):
        self.width = more.get("hidden", 2) + more.pop("depth", 1)
        if more:
            raise TypeError(more)
@dataclass
class Data:
    hidden: int
    depth: int = 2
    K: ClassVar[int] = 3
    made: int = field(init=False, default=1)
    act: list = field(default_factory=list)
@dataclasses.dataclass(repr=False)
class More(Data):
    other: int = 4
class OfData(More): ...
@dataclass
class WithConstructor:
    hidden: int = 1
    def __init__(self, depth=2): ...
@functools.lru_cache
def cached(hidden=1): ...
def function(hidden, depth=1): ...
def calls(extra=1, **more): return function(hidden=1, **more)
def makes(**more): return make(**more)
def swallows(hidden=1, **more): ...
@changed
def decorated(hidden=1): ...
@changed
class Decorated:
    def __init__(self, hidden=1): ...
class ChangedConstructor:
    @changed
    def __init__(self, hidden=1): ...
class Made:
    def __new__(cls, *args, **more): return object()
    def __init__(self, hidden=1): ...
class Twice:
    def __init__(self, hidden=1): ...
class Twice:
    def __init__(self, depth=1): ...
bound = functools.partial(Plain, 3)
def back(**more): return forth(**more)
def forth(**more): return back(**more)
def keeps(**more): return dict(more)
class FromNowhere(functools.partial): ...
"""
BASE = """
def changed(thing):
    return lambda **options: thing(hidden=options.pop("act", 1))
class Base:
    def __init__(self, base=1): ...
def make(act=1): ...
"""
KNOWN = (
    "Plain Empty Inherited FromElsewhere Dotted Renamed Beside MixedIn Diamond PassesOn PassesTwice Data "
    "More OfData WithConstructor cached function calls makes"
)
UNKNOWN = "decorated Decorated ChangedConstructor Made Twice bound keeps FromNowhere Reads back"
OPTIONS = ("hidden", "depth", "act", "base", "other", "right", "extra", "made", "K", "nothing")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "code_of_mine.py").write_text(SOURCE)
    (tmp_path / "base.py").write_text(BASE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("code_of_mine", "base"):
        sys.modules.pop(name, None)


def refused(call, options):
    try:
        call(**options)
    except TypeError:
        return True
    return False


@pytest.mark.parametrize("name", KNOWN.split())
def test_what_is_taken_is_what_python_takes(folder, name):
    called = getattr(import_module("code_of_mine"), name)
    found = signatures.of(modules.find(folder / "code_of_mine.py", name))
    needed = dict.fromkeys(found.needed, 1)
    assert not refused(called, needed)
    assert all(refused(called, {k: v for k, v in needed.items() if k != one}) for one in needed)
    for option in OPTIONS:
        assert refused(called, needed | {option: 1}) == (option not in found.named), option
    assert not found.any_name


@pytest.mark.parametrize("name", UNKNOWN.split())
def test_nothing_is_said_of_what_only_running_the_code_can_tell(folder, name):
    found = modules.find(folder / "code_of_mine.py", name)
    known = signatures.of(found) if found else None
    assert known is None or known.any_name


def test_an_option_that_nothing_reads_is_none(folder):
    """Python takes it and the network ignores it: a setting without effect."""
    with pytest.raises(own.UserError, match=r"has no option 'hiden'. It has: hidden. Did you mean 'hidden'?"):
        own.check_options("code_of_mine.py:swallows", {"hiden": 3}, own.Given(()))


def test_the_constructor_of_a_network_is_the_first_in_pythons_order(folder):
    """As torch has it: nn.Module's, before a class that comes after it, takes no option."""
    (folder / "nets.py").write_text(
        "from torch import nn\n"
        "class Sized:\n    def __init__(self, size): ...\n"
        "class First(nn.Module, Sized): ...\n"
        "class Last(Sized, nn.Module): ...\n"
        "class More(nn.Module):\n    def __init__(self, size=1, **more): super().__init__(**more)\n"
    )
    assert own.named("nets.py:First") == ()
    assert own.named("nets.py:Last") == ("size",)
    with pytest.raises(own.UserError, match=r"has no option 'sizes'. It has: size"):
        own.check_options("nets.py:More", {"sizes": 1}, own.Given(()))


def test_arguments_that_are_read_from_kwargs_are_passed(folder):
    assert own.named("code_of_mine.py:Reads") == ("hidden", "depth")
    assert own.named("code_of_mine:PassesTwice") == ("depth", "act")


def test_what_torch_takes_is_read_without_importing_it():
    for module in ("torch.optim", "torch.nn"):
        things = vars(import_module(module))
        names = [
            n
            for n, thing in things.items()
            if isinstance(thing, type) and n.endswith(("Loss", "m", "x", "D"))
        ]
        assert len(names) > 3
        for name in names:
            taken = inspect.signature(things[name]).parameters
            assert own._signature(f"{module}:{name}").named == tuple(taken), name


@pytest.mark.parametrize("arch", ["resnet18", "densenet121", "vgg11", "mobilenet_v3_small", "convnext_tiny"])
def test_options_of_torchvisions_networks_are_what_their_builders_take(arch):
    import torch
    from torchvision import models

    named = signatures.of(libraries.classifiers()[arch]).named
    for option in ("dropout", "drop_rate", "zero_init_residual", "init_weights", "stochastic_depth_prob"):
        with torch.device("meta"):
            taken = not refused(lambda **options: models.get_model(arch, **options), {option: 0})
        if arch in ("mobilenet_v3_small", "convnext_tiny") and option not in named:
            assert taken  # its constructor ignores what it does not know
        else:
            assert taken == (option in named), option
