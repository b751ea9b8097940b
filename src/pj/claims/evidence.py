"""Measured values, read from tables alone: those in results/, or those that `pj keep` copied.

Both have the same layout (studies/<study>/runs.csv, prunings/<name>/table.csv, …), so a claim is judged the
same way from either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pj.claims import units
from pj.claims.schema import of_runs
from pj.config.analyses import ANALYSES
from pj.errors import UserError

BySeed = dict[int, float]
# Columns that are read as text even if they look like numbers or are empty: a variant may be called 0.5.
TEXT = (
    *("study", "variant", "run", "data", "scale", "reduced", "state", "components", "code", "commit"),
    *("method", "layer", "trajectory", "quantity", "line", "grid", "class", "predicted"),
)
FACTS = (
    *("run", "data", "scale", "reduced", "components", "code", "commit", "precision", "threads", "seconds"),
    *("processor", "device", "torch", "python", "parameters", "epochs", "train", "selected"),
)


@dataclass(frozen=True)
class Evidence:
    """The tables below a folder. UserError for a table that `pj` did not write.

    Args:
        folder: results, or reference/<machine>.
        name: its name on a page that shows several.

    """

    folder: Path
    name: str = ""

    def table(self, *parts: str, needed: Iterable[str] = ("variant", "seed", "state")) -> pd.DataFrame | None:
        """Return a table with the columns that are ``needed``; None if it does not exist or is empty."""
        path = self.folder.joinpath(*parts)
        if path not in self._tables:
            try:
                self._tables[path] = _read(path)
            except (FileNotFoundError, pd.errors.EmptyDataError):
                self._tables[path] = None
            except ValueError as error:
                raise UserError(f"{path} cannot be read as a table: {error}") from None
        found = self._tables[path]
        missing = [] if found is None else [column for column in needed if column not in found]
        if missing:
            raise UserError(f"{path} has no column {', '.join(missing)}; needed: a table that pj wrote")
        if found is not None and "seed" in found and found["seed"].dtype.kind not in "iuf":
            raise UserError(f"{path} is damaged: a seed is not a number; put it back from a copy")
        return found

    @cached_property
    def _tables(self) -> dict[Path, pd.DataFrame | None]:
        return {}

    def runs(self, study: str) -> pd.DataFrame:
        """Return a study's runs, one per row; no rows if there are none. Older tables lack some values."""
        if study not in self._runs:
            found = self.table("studies", study, "runs.csv")
            if found is None:
                found = pd.DataFrame(columns=["variant", "seed", "state"])
            self._runs[study] = found.assign(**{column: np.nan for column in FACTS if column not in found})
        return self._runs[study]

    @cached_property
    def _runs(self) -> dict[str, pd.DataFrame]:
        return {}

    def rows(self, cell: str) -> pd.DataFrame:
        """Return the rows that a claim's cell selects in its table."""
        if cell not in self._rows:
            self._rows[cell] = self._selected(cell)
        return self._rows[cell]

    @cached_property
    def _rows(self) -> dict[str, pd.DataFrame]:
        return {}

    def _selected(self, cell: str) -> pd.DataFrame:
        kind, *rest = cell.split("/")
        if of_runs(cell):
            found = self.runs(kind)
            return found[found["variant"] == rest[0]]
        name, variant, *parts = rest
        columns = ANALYSES[kind].cells.rows
        table = self.table(kind, name, "table.csv", needed=("variant", "seed", "state", *columns))
        if table is None:
            return pd.DataFrame(columns=["variant", "seed", "state"])
        own = table[table["variant"] == variant]
        named = pd.Series(True, index=own.index)
        for column, part in zip(columns, parts, strict=False):
            named &= own[column].map(_text) == part
        # a diverged run has one row, without measured values
        return own[named | (own["state"] != "complete")]

    def values(self, cell: str, quantity: str) -> BySeed:
        """Return the values of a claim's cell by seed; diverged and missing runs are left out."""
        own = self.rows(cell)
        if not of_runs(cell):
            return self._numbers(own, cell, units.column(cell))
        if quantity == "gap":
            # both in eval mode on clean images: running training accuracy would mix in dropout and CutMix
            own = own.assign(gap=own["train"] - own["selected"])
        if quantity == "epochs_to_70" and quantity in own:
            # a run that never reached it took longer than it had
            own = own.assign(epochs_to_70=own["epochs_to_70"].fillna(own["epochs"] + 1))
        return self._numbers(own, cell, quantity)

    def _numbers(self, own: pd.DataFrame, cell: str, column: str) -> BySeed:
        try:
            return _by_seed(own, column)
        except ValueError as error:
            table = f"the table of {cell} in {self.folder} is damaged"
            raise UserError(f"{table}: {column} is not a number ({error}); put it back from a copy") from None

    def never_reached_70(self, cell: str) -> int:
        """Return how many of a cell's complete runs never reached 70 % test accuracy."""
        own = self.rows(cell)
        return int(own.loc[own["state"] == "complete", "epochs_to_70"].isna().sum()) if len(own) else 0

    def states(self, cell: str) -> dict[int, str]:
        """Return the state of each of a cell's runs, by seed."""
        own = self.rows(cell)
        return dict(zip(own["seed"], own["state"], strict=True))

    def diverged(self, cell: str) -> int:
        """Return how many of a cell's runs diverged."""
        return list(self.states(cell).values()).count("diverged")

    def trains_best(self, cells: Iterable[str]) -> str | None:
        """Return the cell of highest mean clean training accuracy, of those with fewest diverged runs.

        The test set does not choose. None if no cell has a complete run.
        """
        found = {cell: list(self.values(cell, "train").values()) for cell in cells}
        there = [cell for cell, values in found.items() if values]
        return max(there, key=lambda cell: (-self.diverged(cell), float(np.mean(found[cell]))), default=None)

    def behind(self, cell: str, quantity: str) -> list[dict[str, Any]]:
        """Return the runs behind a cell: its name, run, seed, state, and the quantity of complete ones."""
        values = self.values(cell, quantity)
        own = self.rows(cell)
        names = own["run"] if "run" in own else [""] * len(own)
        by_seed = {
            seed: {"cell": cell, "seed": seed, "state": state, "run": run, "value": values.get(seed)}
            for seed, state, run in zip(own["seed"], own["state"], names, strict=True)
            if state != "missing"
        }
        return list(by_seed.values())  # one row per seed, even if it has several draws


def _read(path: Path) -> pd.DataFrame:
    numbers = [column for column in pd.read_csv(path, nrows=0).columns if column not in TEXT]
    blank = {column: ["", "nan", "NaN"] for column in numbers}
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=blank)


def _text(value: object) -> str:
    """Return a table's value as claims write it: 80 for 80.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _by_seed(own: pd.DataFrame, column: str) -> BySeed:
    """Return the finite values of complete runs, the draws of a seed averaged."""
    if column not in own:
        return {}
    draws: dict[int, list[float]] = {}
    for seed, state, value in zip(own["seed"], own["state"], own[column].astype(float), strict=True):
        if state == "complete" and not np.isnan(value):
            draws.setdefault(int(seed), []).append(value)
    means = {seed: float(np.mean(draws[seed])) for seed in sorted(draws)}
    return {seed: mean for seed, mean in means.items() if np.isfinite(mean)}
