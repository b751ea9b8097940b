"""Faults of a configuration as a whole, once its parts are valid. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pj.config.analyses import ANALYSES
from pj.config.components import Source
from pj.config.messages import choice_fault
from pj.config.settings import ProbeView, Settings, Variant
from pj.config.spec import RunSpec
from pj.config.types import Strict
from pj.data import listing, official


def label(name: str, source: Source) -> str:
    """Return a dataset's name in run names and tables: its label, or its key."""
    return source.label or name


def faults(settings: Settings, variants: Sequence[Variant]) -> list[str]:
    """Return the faults, one per line."""
    return [
        *_label_faults(settings),
        *_subset_faults(settings),
        *_probe_faults(settings, variants),
        *_path_faults(settings, variants),
        *_analysis_faults(settings, variants),
    ]


def _probe_faults(settings: Settings, variants: Sequence[Variant]) -> list[str]:
    """Return the studies that are to show probes which none of their runs measures."""
    faults = []
    for name, study in settings.studies.items():
        own = [v for v in variants if v.study == name]
        if study.probes is None or not own:
            continue
        probes = [v.spec.probe for v in own if v.spec.probe]
        if study.probes.show == "ics":
            needed, there = "probe.ics", any(p.ics for p in probes)
        else:
            needed, there = "probe.gradient or probe.update", any(p.gradient or p.update for p in probes)
        if not there and len(own) == len(study.variants):
            faults.append(
                f"studies.{name}.probes.show: {study.probes.show!r} needs {needed} in the base or a variant"
            )
        faults += _band_faults(f"studies.{name}.probes.bands", study.probes, own)
    return faults


def _band_faults(path: str, view: ProbeView, variants: Sequence[Variant]) -> list[str]:
    """Return why the bands of a study cannot be drawn, or would mix runs that are not comparable."""
    if view.bands and view.show not in ("loss_range", "ics"):
        return [f"{path}: {view.show} has no bands; allowed with: loss_range, ics"]
    if view.bands and view.show == "ics" and view.layer is None:
        where = path.removesuffix("bands")
        return [
            f"{where}layer: required key is missing; the bands of ics show the covariate shift of one layer"
        ]
    faults = []
    for batch_norm in (True, False):
        own = [v.spec for v in variants if v.spec.probe and v.spec.has_batch_norm == batch_norm]
        network = "with" if batch_norm else "without"
        if view.show == "ics":
            own = [spec for spec in own if spec.probe and view.layer in spec.probe.ics]
        rates = {spec.optimizer.lr for spec in own}
        for band, wanted in view.bands.items():
            if rates and (missing := [f"{lr:g}" for lr in wanted if lr not in rates]):
                faults.append(
                    f"{path}.{band}: no probed variant {network} batch norm has the learning rate "
                    f"{', '.join(missing)}; available: {', '.join(f'{lr:g}' for lr in sorted(rates))}"
                )
            if len({_but_for_the_rate(spec) for spec in own if spec.optimizer.lr in wanted}) > 1:
                faults.append(f"{path}.{band}: its variants differ in more than learning rate and batch norm")
    return faults


def _but_for_the_rate(spec: RunSpec) -> str:
    content = spec.model_dump(mode="json", exclude={"probe"})
    optimizer = content["optimizer"]
    (optimizer if "lr" in optimizer else optimizer["options"]).pop("lr")  # an option of a user's own
    return str(content)


def _variant_faults(
    path: tuple[str, ...], study: str, variants: Iterable[str], key: str, settings: Settings
) -> list[str]:
    """Return the faults of naming a study and variants of it."""
    if study not in settings.studies:
        return [choice_fault((*path, "study"), study, settings.studies)]
    known = settings.studies[study].variants
    return [choice_fault((*path, key), variant, known) for variant in variants if variant not in known]


def _label_faults(settings: Settings) -> list[str]:
    seen: dict[str, tuple[str, Source]] = {}
    faults = []
    for name, source in settings.datasets.items():
        other_name, other = seen.setdefault(label(name, source), (name, source))
        if other.model_copy(update={"label": None}) != source.model_copy(update={"label": None}):
            faults.append(
                f"datasets.{name}.label: {label(name, source)!r} already names datasets.{other_name}, "
                "which has another definition; give each its own label"
            )
    return faults


def _subset_faults(settings: Settings) -> list[str]:
    """Return the datasets that name a subset and have none."""
    return [
        f"datasets.{name}.subset: {source.subset!r}; {source.dataset} has no subsets, only EMNIST has"
        for name, source in settings.datasets.items()
        if source.source == "torchvision" and source.subset and source.dataset != "EMNIST"
    ]


def _path_faults(settings: Settings, variants: Sequence[Variant]) -> list[str]:
    """Return the studies that are to show a regularisation path or a layer's weights but have none."""
    faults = []
    for name, study in settings.studies.items():
        own = [v.spec for v in variants if v.study == name]
        if study.path is None or not own:
            continue
        # a faulty variant has been reported already, and may be the one with dessilbi
        whole = len(own) == len(study.variants)
        if whole and not any(spec.optimizer.name == "dessilbi" for spec in own):
            faults.append(f"studies.{name}.path: needs a variant that is trained with dessilbi")
        layer = study.path.weights_of
        known = [spec.layers for spec in own if spec.layers is not None]
        missing = next((layers for layers in known if layer not in layers), None)
        if missing is not None:
            faults.append(choice_fault(("studies", name, "path", "weights_of"), layer, missing))
    return faults


def _analysis_faults(settings: Settings, variants: Sequence[Variant]) -> list[str]:
    """Return what analyses name that does not exist, or that cannot be measured of a run."""
    faults: list[str] = []
    specs = {(v.study, v.name): v.spec for v in variants}
    sources = {label(name, source): source for name, source in settings.datasets.items()}
    for key, analysis in ANALYSES.items():
        for name, frame in getattr(settings, key).items():
            named = frame.analysed()
            faults += _variant_faults((key, name), frame.study, named, frame.where(), settings)
            asked: dict[str, tuple[str, Strict]] = {}  # of each run
            for variant in named:
                if spec := specs.get((frame.study, variant)):
                    other, same = asked.setdefault(spec.run, (variant, frame.asked(variant)))
                    if same != frame.asked(variant):
                        faults.append(
                            f"{key}.{name}.{frame.where()}: {other} and {variant} are the same run (their "
                            "specifications are equal), so both need the same settings"
                        )
                    count = spec.data.test or _test_images(sources[spec.data.name])
                    faults += analysis.faults(f"{key}.{name}", frame, variant, spec, count)
    return list(dict.fromkeys(faults))


def _test_images(source: Source) -> int | None:
    """Return how many test images a source has, without reading them; None if that is not known."""
    if source.source == "folder":
        return len(listing.images(Path(source.path), "test").files) or None
    if source.source == "npz":
        return listing.rows(Path(source.path), "y_test")
    if source.source == "torchvision":
        subset = source.subset or "balanced"
        if source.dataset == "EMNIST":
            return official.EMNIST_TEST_IMAGES.get(subset)
        return official.COUNTS[source.dataset][1]
    return official.DIGITS[1] if source.source == "digits" else None
