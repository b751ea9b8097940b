"""Where a page's tables and figures come from: results/, or what `pj keep` kept of a machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pj.claims import looks, verdicts
from pj.claims.evidence import Evidence
from pj.claims.loading import of as load_claims
from pj.claims.verdicts import Judgement
from pj.config import loading, words
from pj.config.loading import Config, ConfigError
from pj.config.words import Words
from pj.data.facts import Images, Known
from pj.errors import UserError


@dataclass(frozen=True)
class Source:
    """A folder of tables and figures, with the settings they were made by."""

    evidence: Evidence
    config: Config
    kept: bool = False  # its figures are there or not at all; in a workflow they may be drawn later
    notes: tuple[str, ...] = ()  # sentences about its runs that its tables do not say
    images: Images = field(default_factory=dict)  # of each dataset, as they were where it was kept

    @property
    def name(self) -> str:
        """What the page calls it; empty where there is only one."""
        return self.evidence.name

    @property
    def folder(self) -> Path:
        """Where its tables and figures lie."""
        return self.evidence.folder


def kept(folder: Path, name: str = "") -> Source:
    """Return what was kept in ``folder``. UserError if `pj keep` did not write it."""
    path = folder / "provenance.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings, notes = dict(content["settings"]), tuple(map(str, content.get("notes", ())))
        images = {label: Known(**known) for label, known in content.get("images", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{folder} holds no provenance.json with settings; wanted: what pj keep wrote"
        ) from None
    try:
        config = loading.of_settings(settings)
        return Source(Evidence(folder, name), config, kept=True, notes=notes, images=images)
    except ConfigError as error:
        raise UserError(f"the settings in {path} are none of this version of pj: {error}") from None


def results(folder: Path, settings: Mapping[str, Any]) -> tuple[list[Judgement], list[Source], Words]:
    """Return what pages of a folder of results show: verdicts, the folder as their one source, and words."""
    source = Source(Evidence(folder), loading.of_settings(settings))
    claims = load_claims(source.config)
    looks.record(folder, claims, source.evidence, source.config)
    judgements = verdicts.judge(claims, [source.evidence], source.config)
    return judgements, [source], words.of(source.config)
