"""What was measured, read from tables alone: those of results/, or those that were kept of a machine.

Both have the same layout (studies/<study>/runs.csv, prunings/<name>/table.csv, …), so that a claim is judged
the same way from either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pj.claims import of_runs

BySeed = dict[int, float]


@dataclass(frozen=True)
class Evidence:
    """The tables below a folder.

    Args:
        folder: results, or reference/<machine>.
        name: what the page calls it, where it shows more than one.

    """

    folder: Path
    name: str = ""

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
        if quantity in own and quantity == "epochs_to_70":
            # what never got there took longer than it had
            own = own.assign(epochs_to_70=own["epochs_to_70"].fillna(own["epochs"] + 1))
        return _by_seed(own, quantity)

    def never(self, cell: str) -> int:
        """Return how many of a cell's complete runs never reached 70 % test accuracy."""
        own = self._rows(self.runs(cell.split("/")[0]), variant=cell.split("/")[1], state="complete")
        return int(own["epochs_to_70"].isna().sum()) if "epochs_to_70" in own else 0

    def trains_best(self, cells: Iterable[str]) -> str | None:
        """Return the cell of highest mean clean training accuracy, of those with fewest diverged runs.

        The test set does not choose. None if no cell has a complete run.
        """
        found = {cell: list(self.values(cell, "train").values()) for cell in cells}
        diverged = {cell: list(self.states(cell).values()).count("diverged") for cell in found}
        there = [cell for cell, values in found.items() if values]
        return max(there, key=lambda cell: (-diverged[cell], float(np.mean(found[cell]))), default=None)

    def behind(self, cell: str, quantity: str) -> list[dict[str, Any]]:
        """Return the runs behind a cell: variant, run, seed, state, and the quantity of complete ones."""
        first, *rest = cell.split("/")
        values = self.values(cell, quantity) if rest else {}
        runs = self.runs(first) if of_runs(cell) else pd.DataFrame()
        own = self._rows(runs, variant=rest[0]) if rest else runs
        rows = own[own["state"] != "missing"].to_dict("records") if len(own) else []
        if not of_runs(cell):
            rows = [{"run": "", "seed": seed, "state": "complete"} for seed in values]
        keys = ("run", "seed", "state")
        return [
            {"cell": cell if rest else f"{cell}/{row['variant']}"}
            | {key: row.get(key, "") for key in keys}
            | {"value": values.get(row["seed"]) if rest else row.get(quantity)}
            for row in rows
        ]

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
            table = table[table[column] == value] if column in table else table.iloc[:0]
        return table


def _by_seed(own: pd.DataFrame, column: str) -> BySeed:
    """Return the finite values of complete runs, the draws of a seed averaged."""
    if column not in own:
        return {}
    complete = own[own["state"] == "complete"]
    means = complete.groupby("seed")[column].mean()
    finite = means[np.isfinite(means.astype(float))]
    return dict(zip(finite.index.astype(int).tolist(), finite.astype(float).tolist(), strict=True))
