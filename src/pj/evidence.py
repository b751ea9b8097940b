"""What was measured, read from tables alone: those of results/, or those that were kept of a machine.

Both have the same layout (studies/<study>/runs.csv, prunings/<name>/table.csv, …), so that a claim is judged
the same way from either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

BySeed = dict[int, float]


@dataclass(frozen=True)
class Evidence:
    """The tables below a folder.

    Args:
        folder: results, or reference/<machine>.

    """

    folder: Path

    def table(self, *parts: str) -> pd.DataFrame | None:
        """Return a table; None if it is not there or holds nothing."""
        path = self.folder.joinpath(*parts)
        if path not in self._tables:
            try:
                self._tables[path] = pd.read_csv(path)
            except (FileNotFoundError, pd.errors.EmptyDataError):
                self._tables[path] = None
        return self._tables[path]

    @cached_property
    def _tables(self) -> dict[Path, pd.DataFrame | None]:
        return {}

    def runs(self, study: str) -> pd.DataFrame:
        """Return a study's runs, a row each; no rows if there are none."""
        found = self.table("studies", study, "runs.csv")
        return pd.DataFrame(columns=["variant", "seed", "state"]) if found is None else found

    def values(self, cell: str, quantity: str) -> BySeed:
        """Return what a cell of `pj.claims` came to, by seed; diverged and missing runs are left out."""
        kind, *rest = cell.split("/")
        if kind == "prunings":
            name, variant, method, percent = rest
            own = self._rows(self.table(kind, name, "table.csv"), variant=variant, method=method)
            return _by_seed(own[own["percent"] == float(percent)] if len(own) else own, "accuracy")
        if kind == "interpretations":
            name, variant, layer, column = rest
            own = self._rows(self.table(kind, name, "table.csv"), variant=variant, layer=layer)
            return _by_seed(own, column)
        own = self._rows(self.runs(kind), variant=rest[0])
        if quantity == "gap" and len(own):
            # clean, in eval mode, on both sides: a running training accuracy would mix in dropout and CutMix
            own = own.assign(gap=own["train"] - own["selected"])
        return _by_seed(own, quantity)

    def states(self, cell: str) -> dict[int, str]:
        """Return the state of each of a cell's runs, by seed."""
        study, variant = cell.split("/")[:2]
        own = self._rows(self.runs(study), variant=variant)
        return dict(zip(own["seed"], own["state"], strict=True))

    @staticmethod
    def _rows(table: pd.DataFrame | None, **wanted: str) -> pd.DataFrame:
        if table is None:
            return pd.DataFrame(columns=["seed", "state", *wanted])
        for column, value in wanted.items():
            table = table[table[column] == value]
        return table


def _by_seed(own: pd.DataFrame, column: str) -> BySeed:
    """Return the finite values of complete runs, the draws of a seed averaged."""
    if column not in own:
        return {}
    complete = own[own["state"] == "complete"]
    means = complete.groupby("seed")[column].mean()
    finite = means[np.isfinite(means.astype(float))]
    return dict(zip(finite.index.astype(int).tolist(), finite.astype(float).tolist(), strict=True))
