"""Which claims results of a reduced scale can decide.

Fewer images and epochs, or a narrower network, change accuracies and everything that follows from them, so
such results say nothing about a paper's numbers. A claim whose measured quantity does not depend on images
and epochs may say so (``scale_free``); results of full width then decide it.
"""

from __future__ import annotations

from pj.claims.evidence import Evidence
from pj.claims.schema import Claim, Diverged, cells, study_of
from pj.config.loading import Config

FULL, UNKNOWN = "full", "unknown"


def of_claim(claim: Claim, config: Config, evidence: Evidence) -> set[str]:
    """Return the scales of the runs of a claim's studies; ``unknown`` where a table names none."""
    return {scale for study in _studies(claim, config) for scale in of_study(study, evidence)}


def of_study(study: str, evidence: Evidence) -> set[str]:
    """Return the scales of a study's runs."""
    return set(map(str, evidence.runs(study)["scale"])) or {UNKNOWN}


def may_decide(claim: Claim, study: str, evidence: Evidence) -> bool:
    """Whether a study's runs can decide a claim: full scale always, full width if it is scale-free."""
    if of_study(study, evidence) == {FULL}:
        return True
    reduced = evidence.runs(study)["reduced"]  # NaN in tables that do not say it
    known = len(reduced) and all(isinstance(text, str) and text for text in reduced)
    return bool(claim.scale_free and known) and not any("width" in text.split() for text in reduced)


def decides(claim: Claim, value: float | None, config: Config, evidence: Evidence) -> bool:
    """Whether what was measured of a claim can decide it.

    A run that has not diverged may do so in later steps, so a reduced scale shows something only if all have.
    """
    if of_claim(claim, config, evidence) == {FULL}:
        return True
    if isinstance(claim, Diverged) and value != 1.0:
        return False
    return all(may_decide(claim, study, evidence) for study in _studies(claim, config))


def _studies(claim: Claim, config: Config) -> set[str]:
    return {study for cell in cells(claim) if (study := study_of(cell, config))}
