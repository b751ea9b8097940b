"""Inside finished networks: feature maps, Grad-CAM, and two tests of Grad-CAM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from pj.config.analyses.declaration import Analysis, AnalysisSettings, Cells, Figure, Variants
from pj.config.messages import choice_fault
from pj.config.types import Count, Index, Layers, Strict

if TYPE_CHECKING:
    from pj.config.spec import RunSpec


class View(Strict):
    """What to show of a network. Layers are conv1, …; residual nets also have block1, … and features."""

    image: Index = Field(0, description="index of the test image whose feature maps are shown")
    feature_maps: Layers = Field(description="layers whose feature maps are shown, three channels each")
    grad_cam: Layers = Field(
        description="layers at which Grad-CAM is computed; the sheet and the check use the last one"
    )
    per_class: Count = Field(3, description="images of each class on the sheet")
    images: Annotated[int, Field(ge=2)] = Field(
        200, description="how many test images the deletion curves and the check use, the first ones"
    )
    draws: Count = Field(5, description="number of random maps")


class InterpretSettings(AnalysisSettings):
    """Which finished networks are shown from inside, and how."""

    variants: Variants = Field(description="variants of the study whose runs are analysed")
    view: View = Field(description="what is shown and tested")

    def asked(self, variant: str) -> View:
        """Return the view, which is the same for every variant."""
        return self.view


def _faults(
    path: str, settings: InterpretSettings, variant: str, spec: RunSpec, test_images: int | None
) -> Iterator[str]:
    """Yield the layers and images that do not exist."""
    view = settings.view
    for key in ("feature_maps", "grad_cam"):
        for layer in getattr(view, key):
            if spec.maps is not None and layer not in spec.maps:
                yield choice_fault((path, "view", key), layer, spec.maps)
    if test_images is not None and view.image >= test_images:
        yield f"{path}.view.image: {view.image}; allowed: 0 to {test_images - 1}, the test images"
    if test_images is not None and view.images > test_images:
        yield f"{path}.view.images: {view.images}; allowed: 2 to {test_images}, the test images"


POINTS = 21  # of a deletion curve: the shares of `pj.interpret.measure`


def _passes(asked: View, test_images: int) -> float:
    """Return the points of the deletion curves: by layer of its own map, another image's and random ones."""
    return float(asked.images * POINTS * len(asked.grad_cam) * (2 + asked.draws))


INTERPRET = Analysis(
    key="interpretations",
    settings=InterpretSettings,
    asked=View,
    measure="pj.interpret.measure:measure",
    precision="fp32",
    table="pj.report.tables.interpret",
    figures={
        "image": Figure(
            "pj.report.figures.interpret:draw_image",
            "a test image, three channels of some layers' feature maps, and Grad-CAM by layer",
        ),
        "sheet": Figure(
            "pj.report.figures.interpret:draw_sheet",
            "test images of each class, with Grad-CAM below each",
        ),
        "tests": Figure(
            "pj.report.figures.interpret:draw_tests",
            "deletion curves by layer against random maps; correlations as weights are randomised",
        ),
    },
    title="Feature maps and Grad-CAM",
    text="""\
The selected network on test images, in eval mode. *Feature maps*: the first three channels of a layer.
*Grad-CAM* (Selvaraju et al. 2017) at a layer: its maps, weighted by the mean gradient of the predicted
class's logit, summed and cut at zero, enlarged to the image; scaled to a maximum of 1 for display, with a
contour at one half. Such pictures can mislead, so two tests check them. *Deletion*: pixels are
replaced by the mean colour, the most important ones first; a map that shows what the network uses makes the
probability of the class fall faster (a smaller area) than the maps of other images, or random maps of the
same grid. *Randomised weights*: the rank correlation with the map of a network whose weights are shuffled,
from the last layer back to the first; a map that stays the same does not depend on what was learnt.
""",
    cells=Cells(
        rows=("layer",),
        values=("grad_cam", "other", "random", "first_randomised", "all_randomised"),
        choices=lambda settings, variant: [list(settings.view.grad_cam)],
    ),
    faults=_faults,
    passes=_passes,
)
