"""The loss around finished networks: slices along random directions, and the sharpest curvature."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pj.config.analyses.declaration import Analysis, AnalysisSettings, Cells, Figure, Variants
from pj.config.types import Count, Index, Positive, Strict


class Slices(Strict):
    """How the loss around a finished network is measured."""

    images: Count = Field(1000, description="number of training images, the first ones")
    radius: Positive = Field(1.0, description="distance to go, as a multiple of every filter's norm")
    points: Annotated[int, Field(ge=3)] = Field(41, description="points along the line")
    side: Annotated[int, Field(ge=3)] = Field(15, description="points along each side of the plane")
    seed: Index = Field(0, description="random seed of the directions")


class LandscapeSettings(AnalysisSettings):
    """Which finished networks the loss is measured around, and how."""

    variants: Variants = Field(description="variants of the study whose runs are analysed")
    slices: Slices = Field(Slices(), description="how it is measured")

    def asked(self, variant: str) -> Slices:
        """Return the slices, which are the same for every variant."""
        return self.slices


ITERATIONS = 40  # of the power iteration, as many as a trained network took


def _passes(asked: Slices, test_images: int) -> float:
    """Return the points of line and plane, and the products with the Hessian, which take six passes each."""
    return float(asked.images * (asked.points + asked.side**2 + 6 * ITERATIONS))


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
    title="Loss landscape of finished networks",
    text="""\
The training loss around the selected weights, batch norm's statistics as trained. Directions are random and
filter-normalised (Li et al. 2018): Gaussian, scaled filter by filter to the weights' norms, zero on biases
and batch norm; every network gets the same draw. The eigenvalue is of the Hessian with respect to all
parameters. Networks that compute the same function can have different eigenvalues (multiply a kernel before
batch norm, its running mean and its deviation by c), so for a comparison of networks with and without batch
norm it says less than the slices.
""",
    cells=Cells(rows=(), values=("loss", "eigenvalue", "loss_at_the_ends"), choices=lambda *_: []),
    passes=_passes,
)
