"""Which claims results of a reduced scale can decide.

Fewer images and epochs, or a narrower network, change accuracies and everything that follows from them, so
such results say nothing about a paper's numbers. A claim whose measured quantity depends neither on images
nor on epochs may say so (``scale_free``); results of full width then decide it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pj.claims.evidence import Evidence
from pj.claims.schema import Claim, Contrast, Diverged, cells, study_of
from pj.config.loading import Config
from pj.config.spec import RunSpec

FULL, UNKNOWN = "", "unknown"


def names(claim: Claim, config: Config, evidence: Evidence) -> set[str]:
    """Return the names of the scales of a claim's studies; ``unknown`` where a table has none."""
    return {
        str(scale)
        for study in _studies(claim, config)
        for scale in set(evidence.runs(study)["scale"]) or {UNKNOWN}
    }


def reductions(study: str, evidence: Evidence) -> set[str]:
    """Return what the scales of a study's runs reduce, such as ``epochs=3 train=2048``.

    Empty for runs at full scale, ``unknown`` for those of a table that does not say it.
    """
    runs = evidence.runs(study)
    return {
        FULL if scale == "full" else text if isinstance(text, str) and text else UNKNOWN
        for scale, text in zip(runs["scale"], runs["reduced"], strict=True)
    } or {UNKNOWN}


def hindrance(claim: Claim, value: float | None, config: Config, evidence: Evidence) -> str | None:
    """Return why what was measured of a claim cannot decide it; None if it can."""
    found = {text for study in _studies(claim, config) for text in reductions(study, evidence)}
    if found == {FULL}:
        return None
    if not claim.scale_free:
        return "it depends on the scale"
    if UNKNOWN in found:
        return "its table does not say what was reduced, if anything"
    if len(found) > 1:
        return "its runs are of several scales"
    reduced = {part.partition("=")[0] for part in found.pop().split()}
    if "width" in reduced:
        return "the network was narrower"
    specs = _specs(claim, config.at_full_scale)
    if isinstance(claim, Contrast) and claim.ratio:
        if claim.quantity == "seconds" and reduced - {"epochs"}:
            return "with fewer images, evaluation has another share of the time"
        if len({(spec.epochs, spec.batch_size, spec.data.name, spec.data.train) for spec in specs}) > 1:
            return "its runs differ in epochs, batch size or images, which are not reduced alike"
    if isinstance(claim, Diverged):
        return _not_at_once(claim, value, specs, evidence)
    return None


def _specs(claim: Claim, config: Config) -> list[RunSpec]:
    """Return the specifications of the variants that a claim about runs names."""
    named = cells(claim)
    studies = [(study, config.study(study)) for study in _studies(claim, config)]
    return [one.spec for name, study in studies for one in study.variants if f"{name}/{one.name}" in named]


def _not_at_once(
    claim: Diverged, value: float | None, specs: Sequence[RunSpec], evidence: Evidence
) -> str | None:
    """Return what keeps divergence from being that of full scale, too: it must come in the first epoch."""
    if value != 1.0:  # a run may diverge in a later step
        return "not all runs diverged"
    if any((evidence.rows(cell)["epochs"] > 1).any() for cell in claim.cells):
        return "a run diverged after its first epoch"
    if any(spec.schedule.name != "constant" or spec.schedule.warmup for spec in specs):
        return "its learning rate changes over the epochs"
    return None


def _studies(claim: Claim, config: Config) -> set[str]:
    return {study for cell in cells(claim) if (study := study_of(cell, config))}
