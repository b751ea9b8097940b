"""What finished runs keep of their accuracy as units are removed, in several orders."""

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
        description="of each layer's units that are removed, increasing"
    )
    draws: Count = Field(5, description="of random orders")


class Pruned(Percents):
    """What is removed of a run, and in which orders."""

    methods: Methods = Field(description="orders in which units go")


class PruningSettings(AnalysisSettings):
    """Which runs are pruned: for each variant of a study the orders in which its units go."""

    methods: Annotated[dict[Name, Methods], Field(min_length=1)] = Field(
        description="for each variant the orders in which its units go: path, magnitude, random"
    )
    settings: Percents = Field(description="which layers are pruned, and by how much")
    reported: list[float | None] | None = Field(
        None, description="the source's accuracy at each percentage, null where it has none"
    )

    @model_validator(mode="after")
    def _one_number_per_percentage(self) -> PruningSettings:
        if self.reported is not None and len(self.reported) != len(self.settings.percents):
            raise ValueError(
                f"reported has {len(self.reported)} numbers for {len(self.settings.percents)} percents; "
                "allowed: one each, null where the report has none"
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
            f"{path}.methods.{variant}: path needs a Γ, which training with {spec.optimizer.name} does not "
            "leave; allowed: magnitude, random"
        )
    for layer in settings.settings.layers:
        if layer not in spec.prunable:
            yield choice_fault((path, "settings", "layers"), layer, spec.prunable)


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
Units are removed from the selected network, which is not trained again, and the test set is measured once.
*Last selected first* goes by the epoch at which a unit's Γ first was not zero, those never selected before
all others, then by the norms of Γ and of W. *Smallest first* goes by the weights alone, which needs no
DessiLBI, and *at random* is what any order must beat. A removed filter takes its bias with it and the scale
and shift of its batch norm; the narrowed network, without the removed filters, computes the same.
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
)
