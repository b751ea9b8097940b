"""Analyses of planted runs: what the workflow's jobs do, by hand."""

from pj.config.analyses import ANALYSES
from pj.config.settings import ANALYSED
from pj.report.figures import analyses
from pj.report.tables import measured


def analysed(key, **content):
    return ANALYSED[key].model_validate({"study": "s", "title": "A title", **content})


def write_table(key, shown, folder):
    measured.write(key, shown, folder, folder)


def write_figures(key, shown, folder):
    for name in ANALYSES[key].figures:
        analyses.write(key, shown, folder, folder, name)
