"""Which files the tables and figures of a study and of an analysis are; rules/ has them as outputs."""

from __future__ import annotations

from pj.config.analyses import ANALYSES
from pj.config.loading import Config


def table(name: str) -> set[str]:
    """Return the files of a table."""
    return {f"{name}.{kind}" for kind in ("md", "tex", "json", "csv")}


def figure(name: str) -> set[str]:
    """Return the files of a figure."""
    return {f"{name}.{kind}" for kind in ("png", "svg")}


OF_STUDIES = {  # by the setting that asks for them; those of every study first
    "variants": {*table("table"), *table("classes"), *figure("curves"), "runs.csv"},
    "swept": figure("sweep"),
    "probes": {*table("probes_table"), *figure("probes"), "probes.csv"},
    "path": {*figure("path"), "weights.png"},
}
PAGES = {"report.html", "report.md", "numbers.tex", *table("claims")}
ANY_STUDY: set[str] = set().union(*OF_STUDIES.values())


def of(config: Config, kind: str, name: str) -> set[str]:
    """Return the files that a study or an analysis has, apart from those with measurements of one run."""
    if kind != "studies":
        return of_analysis(kind)
    study = config.study(name)
    return set().union(*(names for setting, names in OF_STUDIES.items() if getattr(study, setting)))


def of_analysis(key: str) -> set[str]:
    """Return what analyses of a kind have."""
    return table("table").union(*map(figure, ANALYSES[key].figures))
