"""A study's tables: one row per run (tidy), one row per variant (CSV), and the same for people (Markdown)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pj import files
from pj.config.settings import Study, Variant
from pj.config.spec import RunSpec
from pj.report.tables import classes
from pj.report.text.labels import TWO_DECIMALS, has_reported, number, plus_minus, reduced, study_label
from pj.report.text.sheet import Sheet
from pj.runs import places, records
from pj.runs.records import STEPS, SUPPORT
from pj.statistics import Estimate, estimate

# Quantities over seeds: column, path in evaluation.json.
QUANTITIES = {
    "last": ("last", "test_accuracy"),
    "selected": ("selected", "test", "accuracy"),
    "best_test": ("best_test", "test_accuracy"),
    "validation": ("selected", "validation", "accuracy"),
    "train_running": ("selected", "running_train_accuracy"),
    "train": ("selected", "train", "accuracy"),
    "seconds": ("seconds",),
}
# How tables write a quantity, if not with two decimals.
STYLES = {"parameters": "{:,.0f}", "seconds": "{:,.1f}", "difference": "{:+.2f}"}
REPORTED = "{:,.2f}"  # the paper's numbers
HEADINGS = {
    "last": "test (%), last epoch",
    "selected": "test (%), best validation epoch",
    "best_test": "test (%), best test epoch",
}


@dataclass(frozen=True)
class StudyRuns:
    """A study with the results of its runs; runs that do not exist have the state ``missing``.

    ``evaluations`` are by variant and seed, empty where there is none.
    """

    study: Study
    runs: pd.DataFrame
    evaluations: dict[tuple[str, int], dict[str, Any]]

    @property
    def validated(self) -> bool:
        """Whether some variant selects by a validation split."""
        return any(v.spec.select == "best_validation" for v in self.study.variants)

    @property
    def headings(self) -> dict[str, str]:
        """What the test accuracies are called; the selected epoch of a run without validation is its last."""
        if all(v.spec.select == "best_validation" for v in self.study.variants):
            return HEADINGS
        return HEADINGS | {"selected": "test (%), selected epoch"}

    @property
    def compared(self) -> str:
        """The accuracy that is compared; without a validation split the selected epoch is the last."""
        if self.study.compare == "selected" and not self.validated:
            return "last"
        return self.study.compare


def collect(study: Study, runs: Path) -> StudyRuns:
    """Read a study's evaluations from ``runs`` (results/runs), each set against the study's reference."""
    keys = [(v, seed) for v in study.variants for seed in v.seeds]
    folders = {(v.name, seed): places.folder(runs, v.spec.run, seed) for v, seed in keys}
    evaluations = {key: records.evaluation(folder) for key, folder in folders.items()}
    rows = []
    for variant in study.variants:
        for seed in variant.seeds:
            own, other = (variant.name, seed), (study.reference or "", seed)
            row = _run_row(variant, seed, evaluations[own])
            if own != other and other in folders:
                row |= _by_image(evaluations[own], evaluations[other])
                row |= _by_step(folders[own], folders[other])
            rows.append(row)
    return StudyRuns(study, pd.DataFrame(rows), evaluations)


def _by_image(own: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return how many test images only one of two evaluations classifies correctly."""
    if "wrong" not in own or "wrong" not in other:
        return {}
    wrong, wrong_there = set(own["wrong"]), set(other["wrong"])
    return {
        "right_alone": len(wrong_there - wrong),
        "reference_right_alone": len(wrong - wrong_there),
    }


def _by_step(own: Path, other: Path) -> dict[str, Any]:
    """Return the largest difference between two probed runs' losses at the same step."""
    if not (own / STEPS).is_file() or not (other / STEPS).is_file():
        return {}
    losses, losses_there = (pd.read_csv(records.table(folder, STEPS))["loss"] for folder in (own, other))
    return {"step_loss_difference": float((losses - losses_there).abs().max())}


def _run_row(variant: Variant, seed: int, evaluation: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"study": variant.study, "variant": variant.name, "seed": seed}
    row |= {"run": variant.spec.run, "data": variant.spec.data.name, "scale": variant.scale.name}
    row["reduced"] = " ".join(f"{key}={value}" for key, value in variant.scale.reductions.items())
    row["components"] = _components(variant.spec)
    if not evaluation:
        return row | {"state": "missing"}
    training = evaluation["training"]
    return row | {
        "state": evaluation["state"],
        "diverged_at_step": evaluation["diverged_at_step"],
        "parameters": evaluation["parameters"],
        "epochs": evaluation["epochs"],
        "selected_epoch": _at(evaluation, ("selected", "epoch")),
        "best_test_epoch": _at(evaluation, ("best_test", "epoch")),
        "epochs_to_70": _at(evaluation, ("epochs_to_70",)),
        **{column: _at(evaluation, keys) for column, keys in QUANTITIES.items()},
        "gradients": _at(evaluation, ("gradients",)),
        "replayed_steps": _at(evaluation, ("replayed_steps",)),
        **{key: value for key, value in (evaluation["last"] or {}).items() if key.startswith(SUPPORT)},
        "precision": training["precision"],
        "threads": training["threads"],
        "device": training["provenance"]["device"],
        "processor": training["provenance"]["processor"],
        "torch": training["provenance"]["torch"],
        "python": training["provenance"].get("python"),
        "commit": training["provenance"]["commit"],
        "code": training["code"],
    }


def _components(spec: RunSpec) -> str:
    """Return the components of a run whose code other runs may not use."""
    schedule = spec.schedule.name
    parts = {"ema": spec.ema, "probe": spec.probe, schedule: schedule != "constant"}
    optional = [*spec.data.parts, *(name for name, used in parts.items() if used)]
    return " ".join((spec.network, spec.loss.name, spec.optimizer.name, *optional))


def _at(content: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def summary(study: StudyRuns) -> pd.DataFrame:
    """Return one row per variant: means and interval half-widths over complete runs, the paper's numbers."""
    rows = []
    for variant in study.study.variants:
        runs = study.runs[study.runs["variant"] == variant.name]
        complete = runs[runs["state"] == "complete"]
        row: dict[str, Any] = {"variant": variant.name, "title": variant.title, "run": variant.spec.run}
        row["parameters"] = _first(runs, "parameters")
        row["seeds"] = len(complete)
        for state in ("diverged", "missing"):
            row[state] = " ".join(str(s) for s in runs.loc[runs["state"] == state, "seed"])
        for column in QUANTITIES:
            row |= _cells(column, _estimate(complete, column))
        if study.study.reference not in (None, variant.name):
            paired = differences(study, variant.name, study.compared)
            row |= _cells("difference", estimate(list(paired.values())))
        row |= {f"reported_{k}": v for k, v in variant.reported.model_dump(exclude_none=True).items()}
        rows.append(row)
    return pd.DataFrame(rows)


def _first(runs: pd.DataFrame, column: str) -> Any:
    values = runs[column].dropna().tolist() if column in runs else []
    return int(values[0]) if values else None


def _estimate(runs: pd.DataFrame, column: str) -> Estimate | None:
    return estimate(runs[column].astype(float).tolist()) if column in runs else None


def differences(study: StudyRuns, variant: str, column: str) -> dict[int, float]:
    """Return a variant minus the study's reference in a quantity, by seed, where both runs are complete."""
    complete = study.runs[study.runs["state"] == "complete"]
    if column not in complete:
        return {}
    by_seed = complete.pivot_table(index="seed", columns="variant", values=column)
    if not {variant, study.study.reference} <= set(by_seed.columns):
        return {}
    found = (by_seed[variant] - by_seed[study.study.reference]).dropna()
    return dict(zip(found.index.tolist(), found.tolist(), strict=True))


def _cells(column: str, value: Estimate | None) -> dict[str, Any]:
    if value is None:
        return {column: None, f"{column}_half_width": None}
    return {column: value.mean, f"{column}_half_width": value.half_width}


def sheet(study: StudyRuns) -> Sheet:
    """Return the table for people, under a line with data, scale, seeds and machine."""
    table = summary(study)
    columns: dict[str, list[str]] = {"variant": table["title"].tolist()}
    columns["parameters"] = [number(v, STYLES["parameters"]) for v in table["parameters"]]
    columns["seeds"] = table["seeds"].astype(str).tolist()
    if study.validated:
        columns["train (%), running"] = _intervals(table, "train_running")
        columns["train (%), eval mode"] = _intervals(table, "train")
        columns["validation (%)"] = _intervals(table, "validation")
    for column, heading in study.headings.items():
        if column != "selected" or study.validated:
            columns[heading] = _intervals(table, column)
    columns |= _reported(table)
    if study.study.reference is not None:
        chosen = study.headings[study.compared].removeprefix("test (%), ")
        reference = next(v.title for v in study.study.variants if v.name == study.study.reference)
        columns[f"minus {reference} (points, {chosen})"] = _intervals(table, "difference")
        if "reported_difference" in table:
            columns["paper, difference (points)"] = [
                number(v, STYLES["difference"]) for v in table["reported_difference"]
            ]
    columns["time (s)"] = [number(v, STYLES["seconds"]) for v in table["seconds"]]
    notes = _notes(table)
    if any(notes):
        columns["notes"] = notes
    return Sheet(label(study), pd.DataFrame(columns))


def _reported(table: pd.DataFrame) -> dict[str, list[str]]:
    names = {
        "accuracy": "paper, accuracy (%)",
        "train": "paper, train (%)",
        "validation": "paper, validation (%)",
        "test": "paper, test (%)",
        "seconds": "paper, CPU time (s)",
    }
    return {
        heading: [number(v, REPORTED) for v in table[f"reported_{key}"]]
        for key, heading in names.items()
        if f"reported_{key}" in table
    }


def _notes(table: pd.DataFrame) -> list[str]:
    def note(row: Any) -> str:
        parts = [f"{state}: seed {row[state]}" for state in ("diverged", "missing") if row[state]]
        return "; ".join(parts)

    return [note(row) for _, row in table.iterrows()]


def _intervals(table: pd.DataFrame, column: str) -> list[str]:
    if column not in table:
        return [""] * len(table)
    halves = table[f"{column}_half_width"]
    style = STYLES.get(column, TWO_DECIMALS)
    return [plus_minus(mean, half, style) for mean, half in zip(table[column], halves, strict=True)]


def label(study: StudyRuns) -> str:
    """Return the data, the scale, the seeds and the machine of a study in one line."""
    there = study.runs[study.runs["state"] != "missing"]

    def values(column: str) -> str:
        found = sorted(there[column].dropna().astype(str).unique()) if column in there else []
        return ", ".join(found)

    most = max(len(v.seeds) for v in study.study.variants)
    incomparable = reduced(study.study) and has_reported(study.study)
    remark = " (not comparable with the paper)" if incomparable else ""
    parts = [
        f"**{study_label(study.study)}**{remark}",
        "1 seed, so no interval" if most == 1 else f"up to {most} seeds, mean ± 95 % interval",
    ]
    if len(there):
        machine = f"{values('processor')} ({values('device')})"
        parts += [f"{values('precision')} on {machine}", f"torch {values('torch')}"]
    return "; ".join(parts) + "."


def write(study: Study, runs: Path, folder: Path) -> None:
    """Write table.* (one row per variant), runs.csv (one row per run) and classes.* into ``folder``."""
    found = collect(study, runs)
    sheet(found).write(folder, "table", summary(found))
    files.write_text(folder / "runs.csv", found.runs.to_csv(index=False))
    classes.write(study, found.evaluations, folder)
