"""What a training is made of, typed: data, model, loss, optimizer, schedule, probes.

Imports no torch: every cluster job parses this.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Width = Annotated[float, Field(gt=0, le=4)]
Activation = Literal["relu", "sigmoid", "tanh", "elu", "leaky_relu"]


class Strict(BaseModel):
    """Nothing unknown, nothing converted, no NaN, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class CutMix(Strict):
    """Rectangles pasted from image to image in every batch (`pj.data.cutmix`)."""

    alpha: Positive = 1.0  # lambda ~ Beta(alpha, alpha)
    adjust_lambda: bool = True  # False, as reported: labels by the lambda of the unclipped rectangle


class Data(Strict):
    """Which images, how many, how prepared. Splits go by position: ``train`` first, then ``validation``."""

    name: str
    train: Count | None = None  # None: all that validation leaves
    validation: Annotated[int, Field(ge=0)] = 0
    test: Count | None = None
    crop: Annotated[int, Field(ge=0, le=16)] = 0  # random crop after zero padding by so many pixels
    flip: bool = False
    cutmix: CutMix | None = None
    mean: list[float] | None = None  # of pixels in [0, 1], one a channel; None: pixels stay in [0, 1]
    std: list[Positive] | None = None

    @model_validator(mode="after")
    def _mean_and_std_together(self) -> Data:
        if (self.mean is None) != (self.std is None) or len(self.mean or []) != len(self.std or []):
            raise ValueError("mean and std are given together, one number a channel each")
        return self


# Models


class ConvNet(Strict):
    name: Literal["convnet"]
    width: Width = 1.0
    activation: Activation = "relu"
    dropout: Probability = 0.5


class ResNet9(Strict):
    name: Literal["resnet9", "plain9", "cbam_resnet9"]
    width: Width = 1.0


class FullConvNet(Strict):
    name: Literal["full_convnet", "res_full_convnet"]
    width: Width = 1.0
    dropout: Probability = 0.5


class WideResNet(Strict):
    name: Literal["wide_resnet"]
    width: Width = 1.0
    depth: Annotated[int, Field(ge=10)] = 16
    widen_factor: Count = 8

    @model_validator(mode="after")
    def _depth_is_6n_plus_4(self) -> WideResNet:
        if (self.depth - 4) % 6:
            raise ValueError(f"depth is 6n + 4 (10, 16, 22, 28, …), not {self.depth}")
        return self


class VGGA(Strict):
    name: Literal["vgg_a"]
    width: Width = 1.0
    batch_norm: bool = False


class LeNet(Strict):
    name: Literal["lenet"]
    width: Width = 1.0


class DessiVGG(Strict):
    name: Literal["dessi_vgg"]
    width: Width = 1.0
    dropout: Probability = 0.5


class MLP(Strict):
    name: Literal["mlp"]
    width: Width = 1.0
    batch_norm: bool = True
    dropout: Probability = 0.6


class CNN(Strict):
    name: Literal["cnn"]
    width: Width = 1.0
    batch_norm: bool = True
    dropout: Probability = 0.4
    dropout2d: bool = False


Model = Annotated[
    ConvNet | ResNet9 | FullConvNet | WideResNet | VGGA | LeNet | DessiVGG | MLP | CNN,
    Field(discriminator="name"),
]
# Convolutions and linear layers, which `pj.models.layer_names` names conv1, …; stated here because
# counting them would need torch.
LAYERS = {
    "convnet": (7, 3),
    "resnet9": (8, 1),
    "plain9": (8, 1),
    "cbam_resnet9": (14, 1),
    "full_convnet": (16, 0),
    "res_full_convnet": (17, 0),
    "vgg_a": (8, 3),
    "lenet": (3, 2),
    "dessi_vgg": (4, 3),
    "mlp": (0, 2),
    "cnn": (2, 1),
}
MAPS = {  # what a net names besides its convolutions, by `pj.models.layer_names.maps`
    "resnet9": ("block1", "block2", "features"),
    "plain9": ("block1", "block2", "features"),
    "cbam_resnet9": ("block1", "block2", "features"),
    "wide_resnet": ("block1", "block2", "block3", "features"),
}
PRUNABLE_CONVOLUTIONS = {"lenet": 3, "dessi_vgg": 3}  # the first ones: who reads them is known
WITHOUT_BATCH_NORM = {"lenet"}  # the other nets without a batch_norm option always have it


# Losses


class CrossEntropy(Strict):
    name: Literal["cross_entropy"]
    label_smoothing: Probability = 0.0


class PlainLoss(Strict):
    name: Literal["nll", "mse", "brier"]


class SmoothL1(Strict):
    name: Literal["smooth_l1"]
    beta: Positive = 1.0


class KLDiv(Strict):
    name: Literal["kl_div"]
    smoothing: Probability = 0.1


HARD_LABELS_ONLY = {"nll"}  # the other losses take probabilities too

Loss = Annotated[CrossEntropy | PlainLoss | SmoothL1 | KLDiv, Field(discriminator="name")]


# Optimizers


class SGD(Strict):
    name: Literal["sgd"]
    lr: Positive
    momentum: Probability = 0.0
    weight_decay: NonNegative = 0.0


class Adam(Strict):
    name: Literal["adam", "adamw"]
    lr: Positive
    betas: Annotated[list[Probability], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0


class RMSprop(Strict):
    name: Literal["rmsprop"]
    lr: Positive
    alpha: Probability = 0.99
    eps: Positive = 1e-8
    momentum: Probability = 0.0
    weight_decay: NonNegative = 0.0


class SAM(Strict):
    name: Literal["sam"]
    lr: Positive
    rho: NonNegative = 0.05
    adaptive: bool = False
    eta: NonNegative = 0.01
    base: Literal["sgd"] = "sgd"
    momentum: Probability = 0.0
    weight_decay: NonNegative = 0.0


class Lambdas(Strict):
    """Thresholds by kind of weight: of a filter's norm, and of a linear layer's single weights."""

    conv: NonNegative = 1.0
    linear: NonNegative = 1.0


class DessiLBI(Strict):
    name: Literal["dessilbi"]
    lr: Positive
    kappa: Positive = 1.0
    nu: Positive = 20.0
    inner: Literal["sgd", "adam"] = "sgd"
    momentum: Probability = 0.0
    betas: Annotated[list[Probability], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    eps: Positive = 1e-8
    lambdas: Lambdas = Lambdas()
    relative: bool = False  # lambdas in units of the run's sum of lr / nu, which bounds how far V can go

    @model_validator(mode="after")
    def _one_momentum(self) -> DessiLBI:
        if self.inner == "adam" and self.momentum:
            raise ValueError("momentum belongs to inner: sgd; adam has its own (betas)")
        return self


Optimizer = Annotated[SGD | Adam | RMSprop | SAM | DessiLBI, Field(discriminator="name")]


# Schedules


class SmoothSchedule(Strict):
    name: Literal["constant", "cosine"] = "constant"


class StepSchedule(Strict):
    name: Literal["step"]
    every: Count  # epochs
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1


Schedule = Annotated[SmoothSchedule | StepSchedule, Field(discriminator="name")]


# Probes


def increasing(steps: Sequence[float]) -> Sequence[float]:
    """Return step sizes as they are; ValueError unless there are some, all positive, in increasing order."""
    if not steps or steps[0] <= 0 or any(b <= a for a, b in pairwise(steps)):
        raise ValueError(f"{list(steps)}; allowed: at least one step size, all above 0, increasing")
    return steps


Grid = Annotated[list[float], AfterValidator(increasing)]


class Line(Strict):
    """Step sizes along a line from the weights: learning rates, and multiples of the run's own one."""

    absolute: Grid | None = None
    relative: Grid | None = None

    @model_validator(mode="after")
    def _some_step(self) -> Line:
        if self.absolute is None and self.relative is None:
            raise ValueError("no step sizes; give absolute, relative or both")
        return self


def distinct(names: list[str]) -> list[str]:
    """Return names as they are; ValueError if one is there twice."""
    if len(set(names)) < len(names):
        raise ValueError(f"{names}; allowed: each once")
    return names


class Probe(Strict):
    """What to measure around the weights along a run, which it does not change. Step losses always are."""

    every: Count = 30  # steps
    gradient: Line | None = None  # along the negative gradient
    update: Line | None = None  # along the optimizer's real update, divided by the learning rate
    ics: Annotated[
        list[str], AfterValidator(distinct)
    ] = []  # layers whose internal covariate shift is measured: conv1, conv2, …, linear1, …
