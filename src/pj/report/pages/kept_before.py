"""What a folder of kept results already holds: it is added to, never replaced by less."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pj.claims import looks
from pj.claims.evidence import Evidence
from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.settings import runs_of
from pj.durations import counted, some
from pj.errors import UserError
from pj.files import json_of
from pj.report.pages import source
from pj.report.tables import analyses, studies

SHOWN = 3  # runs that a message names
MACHINE = ("processor", "device")
Finished = dict[tuple[str, int], tuple[str, ...]]  # by run (or variant) and seed: the machine


def check(config: Config, results: Path, folder: Path) -> None:
    """UserError if keeping into ``folder`` would lose finished results, or mix those of other settings in."""
    looks.read(folder)
    faults = [
        *(
            f"study {name}: {why}"
            for name in _studies(folder)
            for why in _study(name, config, results, folder)
        ),
        *(f"{key}/{name}: {why}" for key, name, why in _analyses(config, results, folder)),
    ]
    if faults:
        what = f"{folder} holds results that would be lost or mixed with others; keep into another folder:"
        raise UserError("\n  ".join((what, *faults)))


def _studies(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("studies/*/runs.csv"))


def _study(name: str, config: Config, results: Path, folder: Path) -> Iterator[str]:
    table = Evidence(folder).runs(name)
    if table["run"].isna().any():
        yield "its table does not name its runs (it is of an older pj)"
        return
    before = _finished(table, "run")
    if name not in config.settings.studies:
        yield "this configuration has no such study"
        return
    study = config.study(name)
    if other := before.keys() - set(runs_of(study.variants)):
        yield f"it has runs of other settings or seeds: {_listed(other)}"
        return
    now = _finished(studies.collect(study, results / "runs").runs, "run")
    yield from _lost(before, now, results)
    if moved := [run for run in before.keys() & now.keys() if before[run] != now[run]]:
        yield f"{results} has the same runs of another machine: {_listed(moved)}"


def _analyses(config: Config, results: Path, folder: Path) -> Iterator[tuple[str, str, str]]:
    there = [
        (key, path.parent.name) for key in ANALYSES for path in sorted(folder.glob(f"{key}/*/table.csv"))
    ]
    old = source.kept(folder).config if there else config
    for key, name in there:
        if name not in config.analyses(key):
            yield key, name, "this configuration has no such analysis"
            continue
        table = Evidence(folder).table(key, name, "table.csv")
        before: Finished = {} if table is None else _finished(table, "variant")
        analysed, frame, former = config.analysed(key, name), config.analyses(key)[name], old.analyses(key)
        measured = analyses.collect(analysed.variants, results / key / name)
        now: Finished = {(variant, seed): () for variant, own in measured.items() for seed in own}
        kept = {variant for variant, _ in before} & {variant.name for variant in analysed.variants}
        if name in former and any(former[name].asked(one) != frame.asked(one) for one in kept):
            yield key, name, "it was measured with other settings"
        elif not now and _trained_again(frame.study, config, results, folder):
            yield key, name, f"its runs were trained again, and {results} has no measurements of them"
        for why in _lost(before, now, results):
            yield key, name, why


def _trained_again(study: str, config: Config, results: Path, folder: Path) -> bool:
    """Whether some of a study's kept runs are others now, by the seconds that they took."""
    before = _seconds(Evidence(folder).runs(study))
    now = _seconds(studies.collect(config.study(study), results / "runs").runs)
    return any(before[run] != now[run] for run in before.keys() & now.keys())


def _seconds(runs: pd.DataFrame) -> dict[tuple[str, int], float]:
    own = runs[runs["state"] != "missing"]
    seconds = own.get("seconds", [0.0] * len(own))
    return dict(zip(zip(own["run"], own["seed"], strict=True), seconds, strict=True))


def _lost(before: Finished, now: Finished, results: Path) -> Iterator[str]:
    """Say what would be lost; of what has nothing finished now, nothing is written."""
    if now and (lost := before.keys() - now.keys()):
        yield f"{counted(len(lost), 'finished run')} that {results} lacks: {_listed(lost)}"


def _finished(table: pd.DataFrame, column: str) -> Finished:
    own = table[table["state"] != "missing"]
    machine = [own[name].astype(str) if name in own else [""] * len(own) for name in MACHINE]
    keys = zip(own[column].astype(str), own["seed"].astype(int), strict=True)
    return dict(zip(keys, zip(*machine, strict=True), strict=True))


def _listed(runs: Iterable[tuple[str, int]]) -> str:
    return some([f"{run} seed {seed}" for run, seed in sorted(runs)], SHOWN)


def provenance(folder: Path, now: dict[str, Any], kept: Collection[str]) -> dict[str, Any]:
    """Return ``now`` with what the folder's file says of datasets and of studies that are not written again.

    Args:
        folder: of kept results.
        now: the new content; each entry of ``made_with`` counts its runs by study.
        kept: the studies that are written again.

    """
    before = json_of(folder / "provenance.json")
    stays = set(_studies(folder)) - set(kept)
    entries: dict[str, dict[str, Any]] = {}
    old = ({**entry, "studies": _of(entry, stays)} for entry in before.get("made_with", []))
    for entry in (*now["made_with"], *(entry for entry in old if entry["studies"])):
        key = json.dumps({k: v for k, v in entry.items() if k not in ("rows", "studies")}, sort_keys=True)
        studies_of = entries.get(key, {}).get("studies", {}) | entry["studies"]
        entries[key] = {**entry, "rows": sum(studies_of.values()), "studies": studies_of}
    notes = list(dict.fromkeys([*(before.get("notes", []) if stays else []), *now["notes"]]))
    ordered = sorted(entries.values(), key=lambda entry: -entry["rows"])
    return {
        "made_with": ordered,
        "images": {**before.get("images", {}), **now["images"]},
        "settings": now["settings"],
        **({"notes": notes} if notes else {}),
    }


def _of(entry: dict[str, Any], stays: Collection[str]) -> dict[str, int]:
    """Return an entry's runs of the studies that stay; one of an older pj does not say of which they are."""
    if not stays:
        return {}
    counts = entry.get("studies", {"not recorded": int(entry.get("rows", 0))})
    return {name: rows for name, rows in counts.items() if name in (*stays, "not recorded")}
