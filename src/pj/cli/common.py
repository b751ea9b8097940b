"""What several commands share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pj import config
from pj.config.loading import Config
from pj.config.messages import choice_fault
from pj.config.settings import Study
from pj.errors import UserError

RESULTS = Path("results")


def load(options: argparse.Namespace) -> Config:
    """Return config.yaml with the overlays that were given."""
    return config.load("config.yaml", *options.configfile)


def study_of(loaded: Config, name: str) -> Study:
    """Return a study; UserError names those that there are."""
    if name not in loaded.settings.studies:
        raise UserError(choice_fault(("study",), name, loaded.settings.studies))
    return loaded.study(name)


def json_of(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty where there is none or only a part of one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
