"""Code as users have it, beside their config.yaml: copied into a folder as my_nets.py and parts.py."""

import sys
from contextlib import contextmanager

from pj import own, syntax
from pj.config import own as read

NETS = '''
import torch
from torch import nn
from parts import block


class TinyNet(nn.Module):
    """Tiny."""

    def __init__(self, num_classes, hidden=8, depth=1):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, hidden, 3, stride=2), *[block(hidden) for _ in range(depth)])
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


class Wide(TinyNet):
    pass


def focal(logits, target, gamma=2.0):
    logp = torch.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
    return (-((1 - logp.exp()) ** gamma) * logp).mean()


def halving(progress, epochs, *, every):
    return 0.5 ** (progress // every)


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, beta=0.9):
        super().__init__(params, {"lr": lr, "beta": beta})

    def step(self, closure):
        with torch.enable_grad():
            loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                    mean.lerp_(p.grad, 1 - group["beta"])
                    p.sub_(mean.sign(), alpha=group["lr"])
        return loss


def images(count=40, classes=2):
    draw = torch.Generator().manual_seed(0)
    made = {}
    for part in ("train", "test"):
        made[f"x_{part}"] = torch.randint(256, (count, 8, 8, 3), generator=draw, dtype=torch.uint8).numpy()
        made[f"y_{part}"] = (torch.arange(count) % classes).numpy()
    return made
'''
PARTS = """
from torch import nn


def block(channels):
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
"""


def forget_sources():
    """Forget what was read of source files, as in another process."""
    syntax.parsed.cache_clear()
    read._content.cache_clear()


def write(folder):
    forget_sources()
    (folder / "my_nets.py").write_text(NETS)
    (folder / "parts.py").write_text(PARTS)


@contextmanager
def beside(folder, monkeypatch):
    """Work in a folder that holds the code, and forget it afterwards."""
    write(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("my_nets", "parts"):
        sys.modules.pop(name, None)
    own.forget_losses()
    own._function.cache_clear()
