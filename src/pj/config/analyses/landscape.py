"""The loss around finished networks: slices along random directions, and the sharpest curvature."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pj.config.analyses.declaration import Analysis, AnalysisSettings, Cells, Figure, Variants
from pj.config.types import Count, Index, Positive, Strict


class Slices(Strict):
    """How the loss around a finished network is measured."""

    images: Count = Field(1000, description="of the training split, its first ones")
    radius: Positive = Field(1.0, description="how far to go, as a share of every filter's norm")
    points: Annotated[int, Field(ge=3)] = Field(41, description="along a line")
    side: Annotated[int, Field(ge=3)] = Field(15, description="of a plane, in points")
    seed: Index = Field(0, description="of the directions")


class LandscapeSettings(AnalysisSettings):
    """Around which finished runs the loss is measured."""

    variants: Variants = Field(description="of the study, whose runs are measured")
    slices: Slices = Field(Slices(), description="how it is measured")

    def asked(self, variant: str) -> Slices:
        """Return the slices, which are those of every variant."""
        return self.slices


LANDSCAPE = Analysis(
    key="landscapes",
    settings=LandscapeSettings,
    asked=Slices,
    measure="pj.landscape.surface:measure",
    precision="fp32",
    table="pj.report.tables.landscape",
    figures={
        "landscape": Figure(
            "pj.report.figures.landscape:draw", "the loss along one direction and over planes of two"
        )
    },
    title="Landscape of finished networks",
    text="""\
The training loss around the selected weights, batch norm's statistics as trained. Directions are random and
filter-normalised (Li et al. 2018): Gaussian, scaled filter by filter to the weights' norms, zero on biases
and batch norm; every network sees the same draw. The eigenvalue is of the Hessian with respect to all
parameters; networks that compute the same can differ in it (a kernel before batch norm and its running mean
and deviation, all times c), so between networks with and without batch norm it says less than the slices.
""",
    cells=Cells(rows=(), values=("loss", "eigenvalue", "loss_at_the_ends"), choices=lambda *_: []),
)
