"""Analyses of planted runs: what the workflow's jobs do, by hand."""

from pj.config.analyses import ANALYSES
from pj.config.settings import ANALYSED
from pj.report.figures import analyses as figures
from pj.report.tables import analyses as tables


def analysed(key, **content):
    return ANALYSED[key].model_validate({"study": "s", "title": "A title", **content})


def write_table(key, shown, folder):
    tables.write(key, shown, folder, folder)


def write_figures(key, shown, folder):
    for name in ANALYSES[key].figures:
        figures.write(key, shown, folder, folder, name)
