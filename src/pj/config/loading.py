"""From config.yaml and its overlays to studies, variants and runs. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pj.config import checks, overlays, own, scaling, sweeps, yaml_files
from pj.config.analyses.declaration import AnalysisSettings
from pj.config.checks import label
from pj.config.components import Source
from pj.config.messages import NULL, choice_fault, faults_of, with_removed
from pj.config.settings import ANALYSED, Analysed, Head, Settings, Study, StudySettings, Variant
from pj.config.spec import RunSpec
from pj.config.sweeps import Generated
from pj.config.values import Place
from pj.durations import counted, some
from pj.errors import UserError

HEAD = ("title", "reported")  # keys of a variant that are not of its specification
MANY = 4  # places with one fault that are listed; of more the rest is counted


class ConfigError(UserError):
    """Everything that is wrong with a configuration: one line per fault, with the places that have it."""

    def __init__(self, faults: Sequence[str], there: Mapping[tuple[str, ...], str] | None = None) -> None:
        self.faults = list(faults)
        places: dict[str, list[str]] = {}
        for fault in self.faults:
            place, _, reason = fault.partition(": ")
            places.setdefault(reason, []).append(place)
        dotted = {".".join(path): where for path, where in (there or {}).items()}
        lines = [_line(where, reason, dotted) for reason, where in places.items()]
        known = sum(line.count("\n") + 1 for line in lines)
        super().__init__(f"{counted(known, 'fault')} in the configuration:\n" + "\n".join(lines))


def _line(places: Sequence[str], reason: str, there: Mapping[str, str]) -> str:
    """Return a fault's line; of a fault in many places it names the first, and counts the others."""
    if len(places) <= MANY:
        return "\n".join(f"  {place}: {_placed(reason, overlays.place(place, there))}" for place in places)
    return f"  {some(places, MANY)}: {reason}"


def _placed(reason: str, where: str | None) -> str:
    """Return a reason with the file and line of the key at fault, as far as they are known."""
    if where is None:
        return reason
    if reason.endswith(NULL):
        return f"{reason.removesuffix(NULL)} (null in {where})"
    return f"{reason} ({where})"


@dataclass(frozen=True)
class Run:
    """A specification, every seed that some study asks for, and the variants that use it."""

    spec: RunSpec
    seeds: tuple[int, ...]
    serves: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Config:
    """A configuration without faults."""

    settings: Settings
    variants: tuple[Variant, ...]
    removed: tuple[Place, ...] = field(default=(), compare=False)  # by nulls of overlays

    @cached_property
    def at_full_scale(self) -> Config:
        """The same configuration with nothing reduced."""
        if not any(variant.scale.reductions for variant in self.variants):
            return self
        settings = self.settings.model_dump(mode="json", exclude_none=True)
        studies = {name: study | {"scale": None} for name, study in settings["studies"].items()}
        return of_settings(settings | {"scale": {"name": "full"}, "studies": studies})

    def study(self, name: str) -> Study:
        """Return a study with its variants in the order of its table."""
        frame = self.settings.studies[name]
        return Study(
            name=name,
            variants=tuple(v for v in self.variants if v.study == name),
            swept=sweeps.axis(frame.sweep),
            **frame.model_dump(include={"title", "report", "compare", "reference", "probes", "path"}),
        )

    def analyses(self, key: str) -> dict[str, AnalysisSettings]:
        """Return the settings of an analysis by name, such as those of ``prunings``."""
        return dict(getattr(self.settings, key))

    def analysed(self, key: str, name: str) -> Analysed:
        """Return the settings of an analysis with its variants resolved."""
        frame = self.analyses(key)[name]
        content = dict(frame) | {"variants": self._variants_of(frame.study, frame.analysed())}
        return ANALYSED[key].model_validate(content | {"name": name})

    def _variants_of(self, study: str, names: Iterable[str]) -> tuple[Variant, ...]:
        known = {v.name: v for v in self.variants if v.study == study}
        return tuple(known[name] for name in names)

    def runs(self) -> dict[str, Run]:
        """Return the runs by name; variants with equal specifications share one."""
        by_name: dict[str, list[Variant]] = {}
        for variant in self.variants:
            by_name.setdefault(variant.spec.run, []).append(variant)
        return {
            name: Run(
                spec=variants[0].spec,
                seeds=tuple(sorted({s for v in variants for s in v.seeds})),
                serves=tuple((v.study, v.name) for v in variants),
            )
            for name, variants in by_name.items()
        }

    def sources(self) -> dict[str, Source]:
        """Return the data sources by label, which names their file."""
        return {label(name, source): source for name, source in self.settings.datasets.items()}


def load(path: str | Path, *files: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read config files, each laid over the one before, then command-line overrides.

    A ``standalone`` file replaces those before it.

    Raises ConfigError with *all* faults: key path, what is allowed, the nearest valid name.
    """
    merged, faults = overlays.read((path, *files), overrides)
    removed = tuple(overlays.named_nulls(merged, Settings, ()))
    try:
        if not merged and faults:
            raise ConfigError(faults)
        merged, broken = sweeps.with_variants(merged)
        resolved = overlays.without_nulls(merged, Settings)
        return _resolve(resolved, faults, broken, removed, own.WRITTEN)
    except ConfigError as error:
        there = overlays.places((path, *files), overrides)
        raise ConfigError(with_removed(error.faults, removed), there) from None


def of_settings(settings: Mapping[str, Any]) -> Config:
    """Return the configuration of saved settings, such as those that `pj keep` copies."""
    # the names of swept variants are among them, less those that an overlay has removed
    return _resolve(dict(settings), [], sweeps.with_variants(settings)[1])


def _resolve(
    merged: dict[str, Any],
    faults: list[str],
    broken: Mapping[str, list[str]],
    removed: Sequence[Place] = (),
    context: str | None = None,
) -> Config:
    """Return the configuration; ``broken`` are the faults of sweeps, by study."""
    faults = faults + [fault for found in broken.values() for fault in found]
    try:
        settings = Settings.model_validate(merged, context=context)
    except ValidationError as error:
        faults += faults_of(error, Settings, ())
        raise ConfigError(faults + _variant_faults(merged, broken)) from None
    if broken:  # which variants there are is not known, so that nothing that names one can be checked
        raise ConfigError(faults + _variant_faults(merged, broken))
    variants, found = _variants(settings)
    faults += found + checks.faults(settings, variants)
    if faults:
        raise ConfigError(faults)
    return Config(settings, tuple(variants), tuple(removed))


def _variant_faults(merged: dict[str, Any], broken: Iterable[str]) -> list[str]:
    """Return the faults inside all studies but ``broken`` ones when the rest is faulty too.

    So all are reported at once.
    """
    faults: list[str] = []
    studies, datasets = merged.get("studies"), merged.get("datasets")
    if not isinstance(studies, dict) or not isinstance(datasets, dict):
        return faults
    stand_ins = {str(name): {"source": "digits", "label": "digits"} for name in datasets}
    for name, raw in studies.items():
        if name in broken:
            continue
        rest = {"datasets": stand_ins, "seeds": [0], "studies": {name: raw}}
        try:
            faults += _variants(Settings.model_validate(rest))[1]
        except ValidationError:
            continue  # the study's own keys are faulty, which has been reported already
    return faults


def changes_of(study: StudySettings, name: str, swept: Mapping[str, Generated]) -> dict[str, Any]:
    """Return what a variant changes in its study's base: what its sweep sets, and what is written of it."""
    written = {k: v for k, v in study.variants[name].items() if k not in HEAD}
    return dict(yaml_files.merge(swept[name].changes, written)) if name in swept else written


def specified(settings: Settings, base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specification of a variant as it is written: its base with its changes, at full scale."""
    written = overlays.without_nulls(yaml_files.merge(base, changes), RunSpec)
    return {"precision": settings.precision, **written}


def _variants(settings: Settings) -> tuple[list[Variant], list[str]]:
    variants: list[Variant] = []
    faults: list[str] = []
    for study_name, study in settings.studies.items():
        path = ("studies", study_name)
        if study.reference is not None and study.reference not in study.variants:
            faults.append(choice_fault((*path, "reference"), study.reference, study.variants))
        swept, keys = sweeps.variants(study.sweep), sweeps.places(study.sweep)
        for name, raw in study.variants.items():
            changes = changes_of(study, name, swept)
            written = specified(settings, study.base, changes)
            given = {k: raw[k] for k in HEAD if k in raw}
            try:
                head = Head.model_validate(overlays.without_nulls(given, Head))
            except ValidationError as error:
                faults += faults_of(error, Head, (*path, "variants", name))
                continue
            scale = study.scale or settings.scale
            swept_data = name in swept and ("data", "name") in keys
            unknown = _dataset_faults(written, (*path, "sweep" if swept_data else "base"), settings)
            faults += unknown
            try:
                full = RunSpec.model_validate(written, context=own.WRITTEN)
                if unknown:
                    continue
                spec = scaling.at_scale(
                    full, scale, settings.datasets[full.data.name], study.base.get("epochs")
                )
            except ValidationError as error:
                swept_keys = keys if name in swept else ()
                faults += faults_of(error, RunSpec, path, changes, name, swept_keys, study.base)
                continue
            except scaling.ScaleError as error:
                where = (*path, "scale") if study.scale else ("scale",)
                faults.append(f"{'.'.join(where)} of {study_name}/{name}: {error}")
                continue
            variants.append(
                Variant(
                    study=study_name,
                    name=name,
                    title=head.title or (swept[name].title if name in swept else name),
                    spec=spec,
                    seeds=tuple(dict.fromkeys(study.seeds or settings.seeds)),
                    scale=scale,
                    reported=head.reported,
                )
            )
    return variants, list(dict.fromkeys(faults))  # a fault in the base is reported once


def _dataset_faults(merged: Mapping[str, Any], path: tuple[str, ...], settings: Settings) -> list[str]:
    data = merged.get("data")
    name = data.get("name") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or name in settings.datasets:
        return []
    return [choice_fault((*path, "data", "name"), name, settings.datasets)]
