"""What people call a claim's cells and quantities: titles, not the keys of config.yaml."""

from __future__ import annotations

from collections.abc import Iterable

from pj.claims.schema import of_runs, study_of
from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.runs.records import SUPPORT

QUANTITIES = {
    "last": "test accuracy, last epoch",
    "selected": "test accuracy, selected epoch",
    "best_test": "test accuracy, best test epoch",
    "validation": "validation accuracy",
    "train_running": "training accuracy during the epoch",
    "train": "training accuracy",
    "gap": "training minus test accuracy",
    "seconds": "seconds",
    "gradients": "evaluations of the gradient",
    "epochs_to_70": "epochs to 70 % test accuracy",
    "step_loss_difference": "largest difference of the loss at a step",
}


def quantity(name: str) -> str:
    """Return a quantity of runs in words."""
    if name.startswith(SUPPORT):
        return f"units of {name.removeprefix(SUPPORT)} in the support (%)"
    return QUANTITIES.get(name, name)


def cell(key: str, config: Config) -> str:
    """Return the title of a claim's cell, in its study or analysis; its key if the configuration lacks it."""
    kind, *rest = key.split("/")
    study = study_of(key, config)
    if study is None:
        return key
    if of_runs(key):
        return _variant(study, rest[0], config) if rest else config.settings.studies[study].title
    _, variant, *parts = rest
    declared = ANALYSES[kind].cells
    named = [f"{column.replace('_', ' ')} {part}" for column, part in zip(declared.rows, parts, strict=False)]
    last = [part.replace("_", " ") for part in parts[len(declared.rows) :]]
    return ", ".join([_variant(study, variant, config), *named, *last])


def titled(text: str, keys: Iterable[str], config: Config) -> str:
    """Return a text with the titles of some cells in the place of their keys."""
    for key in sorted(keys, key=len, reverse=True):
        text = text.replace(key, cell(key, config))
    return text


def place(key: str, config: Config) -> str:
    """Return the title of the study or analysis of a cell; nothing if the configuration lacks it."""
    kind, *rest = key.split("/")
    if of_runs(key):
        frame = config.settings.studies.get(kind)
        return frame.title if frame else ""
    analysis = config.analyses(kind).get(rest[0])
    return analysis.title if analysis else ""


def _variant(study: str, name: str, config: Config) -> str:
    titles = {variant.name: variant.title for variant in config.variants if variant.study == study}
    return titles.get(name, name)
