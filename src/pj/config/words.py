"""The texts about the source paper on the pages, as data beside config.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from pj.config import yaml_files
from pj.config.loading import Config, ConfigError
from pj.config.messages import choice_fault, faults_of
from pj.config.types import Name, Strict


class Words(Strict):
    """The content of words.yaml, in Markdown."""

    introduction: str = Field("", description="the first sentence of the page")
    assumptions: str = Field("", description="a list of what was assumed where the paper is silent")
    notes: dict[Name, str] = Field({}, description="by study, a text below its table")


def of(config: Config) -> Words:
    """Return the words that a configuration names, none if it names no file; ConfigError names all faults."""
    if config.settings.words is None:
        return Words()
    path = Path(config.settings.words)
    content, faults = yaml_files.read(path)
    if faults:
        raise ConfigError([f"words: {fault}" for fault in faults])
    try:
        words = Words.model_validate(content)
    except ValidationError as error:
        raise ConfigError([f"{path.name}: {fault}" for fault in faults_of(error, Words, ())]) from None
    studies = config.settings.studies
    unknown = [choice_fault(("notes",), name, studies) for name in words.notes if name not in studies]
    if unknown:
        raise ConfigError([f"{path.name}: {fault}" for fault in unknown])
    return words
