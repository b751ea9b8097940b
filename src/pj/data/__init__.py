"""Images: their sources, their storage, and batches of them on the device.

Optional augmentations are named in a registry instead of imported, so that nothing here loads torch and the
code of each is part of the fingerprint of only those runs that use it.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Generator, Tensor

REGISTRY = {
    "randaugment": "pj.data.policies:RandAugment",
    "trivialaugment": "pj.data.policies:TrivialAugment",
    "jitter": "pj.data.jitter:Jitter",
    "cutout": "pj.data.erasing:Cutout",
    "erasing": "pj.data.erasing:Erasing",
    "cutmix": "pj.data.mixing:CutMix",
    "mixup": "pj.data.mixup:MixUp",
}


def create_part(name: str, **options: Any) -> Any:
    """Return the augmentation of that name: pixels, rectangles or mixtures of images."""
    return resolve_name(REGISTRY[name])(**options)


def cutmix(
    images: Tensor,
    labels: Tensor,
    num_classes: int,
    generator: Generator,
    adjust_lambda: bool = True,
    alpha: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of each image into another one of the batch (CutMix, Yun et al. 2019).

    Args:
        images: [N, C, H, W] with H = W; not modified.
        labels: int64 [N].
        num_classes: K.
        generator: on the CPU; draws lambda, the rectangle and the permutation.
        adjust_lambda: weight the label of an image by the pixels it keeps; False uses the drawn lambda,
            which ignores what the image's edge clips off the rectangle (as reported).
        alpha: of Beta(alpha, alpha), from which lambda comes; ValueError unless above 0.

    Returns:
        Images [N, C, H, W] and probabilities float32 [N, K].

    """
    mixing = create_part("cutmix", num_classes=num_classes, adjust_lambda=adjust_lambda, alpha=alpha)
    mixing.start_epoch([len(images)], images.shape[-1], generator, images.device)
    mixed: tuple[Tensor, Tensor] = mixing(0, slice(None), images, labels)
    return mixed
