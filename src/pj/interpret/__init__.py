"""Inside a network: feature maps, Grad-CAM, and two tests of such maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pj import registry

if TYPE_CHECKING:
    from pj.interpret.maps import class_maps, feature_maps, grad_cam

    __all__ = ["class_maps", "feature_maps", "grad_cam"]

PUBLIC = {name: f"pj.interpret.maps:{name}" for name in ("class_maps", "feature_maps", "grad_cam")}


def __getattr__(name: str) -> Any:
    return registry.public(__name__, PUBLIC, name)
