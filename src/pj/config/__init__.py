"""The configuration: from config.yaml to studies, variants and runs. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pj import registry

if TYPE_CHECKING:
    from pj.config.loading import Config, ConfigError, load, of_settings

    __all__ = ["Config", "ConfigError", "load", "of_settings"]

PUBLIC = {name: f"pj.config.loading:{name}" for name in ("Config", "ConfigError", "load", "of_settings")}


def __getattr__(name: str) -> Any:
    return registry.public(__name__, PUBLIC, name)
