"""The accuracy of finished runs as units are removed, in several orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pj.config.analyses.declaration import Analysis, AnalysisSettings, Cells, Figure
from pj.config.messages import choice_fault
from pj.config.types import Count, Layers, Name, Percent, Strict, ascending, distinct

if TYPE_CHECKING:
    from pj.config.spec import RunSpec

Order = Literal["path", "magnitude", "random"]  # in which units are pruned
Methods = Annotated[list[Order], Field(min_length=1), AfterValidator(distinct)]


class Percents(Strict):
    """Which layers are pruned, and by how much."""

    layers: Layers = Field(description="conv1, linear1, …")
    percents: Annotated[list[Percent], Field(min_length=1), AfterValidator(ascending)] = Field(
        description="percentages of each layer's units to remove, increasing"
    )
    draws: Count = Field(5, description="number of random orders")


class Pruned(Percents):
    """Which units of a run are removed, and in which orders."""

    methods: Methods = Field(description="orders in which units are removed")


class PruningSettings(AnalysisSettings):
    """Which runs are pruned: for each variant of a study the orders in which its units are removed."""

    methods: Annotated[dict[Name, Methods], Field(min_length=1)] = Field(
        description="for each variant the orders in which its units are removed: path, magnitude, random"
    )
    settings: Percents = Field(description="which layers are pruned, and by how much")
    reported: list[float | None] | None = Field(
        None, description="the paper's accuracy at each percentage, null where it has none"
    )

    @model_validator(mode="after")
    def _one_number_per_percentage(self) -> PruningSettings:
        if self.reported is not None and len(self.reported) != len(self.settings.percents):
            raise ValueError(
                f"reported has {len(self.reported)} numbers for {len(self.settings.percents)} percents; "
                "give one per percentage, null where the paper has none"
            )
        return self

    @classmethod
    def where(cls) -> str:
        """Return the key whose keys are the variants."""
        return "methods"

    def asked(self, variant: str) -> Pruned:
        """Return the percentages with the variant's own orders."""
        return Pruned(**dict(self.settings), methods=self.methods[variant])


def _faults(
    path: str, settings: PruningSettings, variant: str, spec: RunSpec, test_images: int | None
) -> Iterator[str]:
    """Yield what cannot be pruned of a run."""
    if "path" in settings.methods[variant] and spec.optimizer.name != "dessilbi":
        yield (
            f"{path}.methods.{variant}: the order path needs DessiLBI's Γ, which training with "
            f"{spec.optimizer.name} does not have; allowed: magnitude, random"
        )
    for layer in settings.settings.layers:
        if spec.prunable is not None and layer not in spec.prunable:
            yield choice_fault((path, "settings", "layers"), layer, spec.prunable)


def _passes(asked: Pruned, test_images: int) -> float:
    """Return the evaluations of the test set: one per order and percentage."""
    orders = len(asked.methods) + (asked.draws - 1 if "random" in asked.methods else 0)
    return float(orders * len(asked.percents) * test_images)


PRUNING = Analysis(
    key="prunings",
    settings=PruningSettings,
    asked=Pruned,
    measure="pj.pruning.curve:measure",
    table="pj.report.tables.pruning",
    figures={
        "pruning": Figure(
            "pj.report.figures.pruning:draw",
            "test accuracy against the share of units removed, one line per order of removal",
        )
    },
    title="Pruning",
    text="""\
Units are removed from the selected network without training it again, and the test set is measured once.
*Last selected first* orders units by the epoch at which their Γ first was not zero, the latest first and
those never selected before all others; ties are broken by the norms of Γ and then of W. *Smallest first*
orders them by the weights' norms alone, which needs no DessiLBI; *at random* is the baseline. Removing a
filter also removes its bias and the scale and shift of its batch norm; the narrowed network, which lacks the
removed filters, computes the same function.
""",
    cells=Cells(
        rows=("method", "percent"),
        values=("accuracy",),
        choices=lambda settings, variant: [
            list(settings.methods.get(variant, ())),
            [f"{percent:g}" for percent in settings.settings.percents],
        ],
    ),
    faults=_faults,
    passes=_passes,
)
