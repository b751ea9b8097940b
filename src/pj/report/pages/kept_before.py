"""What a folder of kept results already holds: it is added to, never replaced by less."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pj.claims.evidence import Evidence
from pj.config.loading import Config
from pj.durations import counted
from pj.errors import UserError
from pj.files import json_of
from pj.report.tables import studies

Run = tuple[str, int]
SHOWN = 3  # runs that a message names


def check(config: Config, results: Path, folder: Path) -> None:
    """UserError if keeping into ``folder`` would lose finished runs, or mix those of two configurations."""
    faults = [fault for name in _there(folder) for fault in _faults(name, config, results, folder)]
    if faults:
        raise UserError(
            "\n  ".join(
                (
                    f"{folder} holds other results; keep into another folder, or delete this one first:",
                    *faults,
                )
            )
        )


def _there(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("studies/*/runs.csv"))


def _faults(name: str, config: Config, results: Path, folder: Path) -> Iterator[str]:
    before = _finished(Evidence(folder).runs(name))
    if name not in config.settings.studies:
        yield f"study {name}: this configuration has none of this name"
        return
    study = config.study(name)
    planned = {run for variant in study.variants for run in variant.runs}
    if other := sorted(before - planned):
        yield f"study {name}: of other settings or seeds, such as {_listed(other)}"
        return
    now = _finished(studies.collect(study, results / "runs").runs)
    if now and (lost := sorted(before - now)):  # a study without finished runs is left as it is
        yield f"study {name}: {counted(len(lost), 'finished run')} that {results} lacks: {_listed(lost)}"


def _finished(runs: Any) -> set[Run]:
    own = runs[runs["state"] != "missing"]
    return set(zip(own["run"].astype(str), own["seed"].astype(int), strict=True))


def _listed(runs: Sequence[Run]) -> str:
    rest = len(runs) - SHOWN
    named = ", ".join(f"{run} seed {seed}" for run, seed in runs[:SHOWN])
    return named + (f" and {rest} more" if rest > 0 else "")


def made_with(folder: Path, now: Sequence[dict[str, Any]], kept: Sequence[str]) -> list[dict[str, Any]]:
    """Return ``now`` with what else made the studies of a folder that are not written again."""
    before = json_of(folder / "provenance.json").get("made_with", [])
    if set(_there(folder)) <= set(kept) or not isinstance(before, list):
        return list(now)
    known = {_text(entry) for entry in now}
    return [*now, *(entry for entry in before if _text(entry) not in known)]


def _text(entry: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in entry.items() if key != "rows"}, sort_keys=True)
