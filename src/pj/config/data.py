"""The data of a run: which images, how many, how they are augmented and normalised. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from pj.config.types import Count, Fraction, Index, NonNegative, Positive, Strict


class CutMix(Strict):
    """Rectangles pasted from image to image in every batch (`pj.data.cutmix`)."""

    alpha: Positive = Field(1.0, description="lambda ~ Beta(alpha, alpha)")
    adjust_lambda: bool = Field(
        True, description="labels mixed by the clipped rectangle's area; false: by the lambda that was drawn"
    )


class MixUp(Strict):
    """Weighted means of pairs of images and of their labels in every batch (Zhang et al. 2018)."""

    alpha: Positive = Field(1.0, description="lambda ~ Beta(alpha, alpha), one per batch")


class Cutout(Strict):
    """A square of every image set to `mean`, or to black (DeVries & Taylor 2017)."""

    side: Count = Field(
        description="of the square in pixels; its centre is uniform, and the image's edge clips it"
    )


def _range(limits: list[float]) -> list[float]:
    if len(limits) != 2 or not 0 < limits[0] <= limits[1]:
        raise ValueError(f"{limits}; allowed: [least, largest], both above 0")
    return limits


def _share(limits: list[float]) -> list[float]:
    if limits[1] > 1:
        raise ValueError(f"{limits}; allowed: shares of the image's area, at most 1")
    return limits


Range = Annotated[list[float], AfterValidator(_range)]


class Erasing(Strict):
    """Random erasing: a rectangle of some images set to `mean`, or to black (Zhong et al. 2020)."""

    p: Fraction = Field(0.5, description="share of images that lose a rectangle")
    scale: Annotated[Range, AfterValidator(_share)] = Field(
        [0.02, 0.33], description="least and largest area of the rectangle, as a share of the image's"
    )
    ratio: Range = Field(
        [0.3, 3.3], description="least and largest height over width, uniform on a log scale"
    )


Bins = Annotated[int, Field(ge=2)]


class RandAugment(Strict):
    """Random operations of one strength on every image (Cubuk et al. 2020), as in torchvision."""

    num_ops: Count = Field(2, description="operations per image, one after the other")
    magnitude: Index = Field(9, description="their strength, from 0 to num_magnitude_bins - 1")
    num_magnitude_bins: Bins = Field(31, description="of the scale of strengths")

    @model_validator(mode="after")
    def _on_the_scale(self) -> RandAugment:
        if self.magnitude >= self.num_magnitude_bins:
            raise ValueError(f"magnitude {self.magnitude}; allowed: 0 to {self.num_magnitude_bins - 1}")
        return self


class TrivialAugment(Strict):
    """One random operation of random strength on every image (Müller & Hutter 2021), as in torchvision."""

    num_magnitude_bins: Bins = Field(31, description="of the scale of strengths")


class Jitter(Strict):
    """Colour jitter: factors per image, as in torchvision's ColorJitter; of grey images the first two."""

    brightness: NonNegative = Field(0.0, description="factor uniform in [max(0, 1 - x), 1 + x]")
    contrast: NonNegative = Field(0.0, description="factor uniform in [max(0, 1 - x), 1 + x]")
    saturation: NonNegative = Field(0.0, description="factor uniform in [max(0, 1 - x), 1 + x]")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.0, description="turn uniform in [-x, x], as a share of the colour circle"
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Jitter:
        if not any(self.model_dump().values()):
            raise ValueError("no change; give brightness, contrast, saturation or hue, or jitter: null")
        return self


def _numbers_or_auto(numbers: Any) -> Any:
    """Return the type of one number per channel or the word auto, so that a fault is of one of them only."""
    which = Discriminator(lambda value: "word" if isinstance(value, str) else "numbers")
    return Annotated[Annotated[Literal["auto"], Tag("word")] | Annotated[numbers, Tag("numbers")], which]


class Data(Strict):
    """Which images, how many, how prepared. Splits are by position: ``train`` first, then ``validation``."""

    name: str = Field(description="a key of datasets")
    train: Count | None = Field(None, description="images to train on; null: all but those for validation")
    validation: Index = Field(0, description="images held out of the training set, to select an epoch")
    test: Count | None = Field(None, description="test images; null: all")
    crop: Annotated[int, Field(ge=0, le=16)] = Field(
        0, description="random crop after zero padding by this many pixels"
    )
    flip: bool = Field(False, description="mirror half of the images at random")
    randaugment: RandAugment | None = Field(None, description="random operations of one strength")
    trivialaugment: TrivialAugment | None = Field(
        None, description="one random operation of random strength; not together with randaugment"
    )
    jitter: Jitter | None = Field(None, description="change brightness, contrast, saturation and hue")
    cutout: Cutout | None = Field(
        None, description="set a square of each image to `mean` (without one: to black)"
    )
    erasing: Erasing | None = Field(
        None, description="set a rectangle of some images to `mean` (without one: to black)"
    )
    cutmix: CutMix | None = Field(None, description="paste rectangles from image to image")
    mixup: MixUp | None = Field(None, description="mix pairs of images; not together with cutmix")
    mean: _numbers_or_auto(list[float]) | None = Field(  # type: ignore[valid-type]
        None,
        description="subtracted from pixels in [0, 1], one number per channel; null: nothing; auto: mean and "
        "std are those of the run's training images",
    )
    std: _numbers_or_auto(list[Positive]) | None = Field(  # type: ignore[valid-type]
        None, description="divides pixels after mean is subtracted; needed with mean, unless that is auto"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_way_to_say_auto(cls, content: Any) -> Any:
        """Leave out ``std: auto`` beside ``mean: auto``, so that both ways are the same run."""
        if isinstance(content, dict) and content.get("mean") == "auto" == content.get("std"):
            return {**content, "std": None}
        return content

    @model_validator(mode="after")
    def _mean_and_std_together(self) -> Data:
        if self.mean == "auto" and self.std is None:
            return self
        if "auto" in (self.mean, self.std):
            raise ValueError("mean: auto computes std, too; write auto for both, or numbers for both")
        if (self.mean is None) != (self.std is None) or len(self.mean or []) != len(self.std or []):
            raise ValueError("mean and std must be given together, each with one number per channel")
        if any(not 0 <= number <= 1 for number in [*(self.mean or []), *(self.std or [])]):
            raise ValueError("mean and std are of pixels in [0, 1]; divide constants for 0…255 by 255")
        return self

    @model_validator(mode="after")
    def _one_of_a_kind(self) -> Data:
        for a, b in (("cutmix", "mixup"), ("randaugment", "trivialaugment")):
            if {a, b} <= set(self.parts):
                raise ValueError(f"{a} and {b} cannot be combined; set one of them to null")
        return self

    @property
    def parts(self) -> list[str]:
        """The optional parts in use, as `pj.data.REGISTRY` names them."""
        return [name for name in PARTS if getattr(self, name) is not None]

    @property
    def mixing(self) -> list[str]:
        """Those of them that mix labels."""
        return [name for name in ("cutmix", "mixup") if getattr(self, name) is not None]


PARTS = ("randaugment", "trivialaugment", "jitter", "cutout", "erasing", "cutmix", "mixup")
