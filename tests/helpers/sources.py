"""Data sources as a configuration has them."""

from pj.config.components import SOURCES


def source(kind, **options):
    return SOURCES[kind].settings(source=kind, **options)
