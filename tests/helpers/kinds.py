"""Every kind of run: each network, loss and optimizer, and the other parts of a training."""

from helpers.runs import DATA, ERASED, JITTERED, OPTIONS, POLICY, PROBE, RECIPE
from pj import losses, models, optim

WIDTH = {"wide_resnet": 0.25, "mlp": 0.1, "cnn": 0.1, "lenet": 1.0}


def network(name, **options):
    return {"model": {"name": name, "width": WIDTH.get(name, 0.25), **options}}


KINDS = {name: network(name) for name in models.names()}
KINDS |= {f"loss {name}": {"loss": {"name": name}} for name in losses.names()}
KINDS |= {f"optimizer {name}": {"optimizer": {"name": name, **OPTIONS[name]}} for name in optim.names()}
KINDS |= {
    "schedule": {"schedule": {"name": "cosine"}},
    "recipe": RECIPE,
    "ema with sam": {"optimizer": {"name": "sam", **OPTIONS["sam"]}, "ema": {"decay": 0.9}, "clip_norm": 1.0},
    "cutmix": {"data": DATA | {"cutmix": {"alpha": 1.0}}, "loss": {"name": "kl_div"}},
    "mixup": {"data": DATA | {"mixup": {"alpha": 0.4}}},
    "erasing": {"data": DATA | ERASED},
    "jitter": {"data": DATA | JITTERED},
    "randaugment": {"data": DATA | POLICY},
    "probes": network("mlp", batch_norm=True) | {"probe": PROBE},
    "best validation": {"select": "best_validation"},
}
