"""Keep measured results: small tables, figures and their provenance, apart from results/."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pj import files
from pj.claims import looks, verdicts
from pj.claims.evidence import Evidence
from pj.claims.loading import of as load_claims
from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.settings import Study, runs_of
from pj.config.words import Words
from pj.data import facts
from pj.report.figures import analyses, curves, paths, style, sweep
from pj.report.figures import probes as probe_figures
from pj.report.pages import kept_before
from pj.report.pages.source import Source
from pj.report.tables import numbers, probe_measures, probes, studies
from pj.report.tables.analyses import collect
from pj.report.tables.analyses import write as write_table
from pj.runs import places, records


def keep(config: Config, results: Path, folder: Path, notes: Sequence[str] = ()) -> list[str]:
    """Write into ``folder`` every study with a finished run, and return their names.

    For each study its tables (one row per variant, one row per run), its learning curves, of a sweep its
    figure, of probed runs a summary and its figure, of DessiLBI's their paths; for each analysis its
    table and figures; all numbers as ``numbers.tex``; and in ``provenance.json`` the settings in force, the
    datasets' sizes, how many runs of which studies each combination of versions, machine and commit made,
    and ``notes``: sentences for the page.

    UserError if the folder holds finished runs that would be lost, or those of other settings.
    """
    kept_before.check(config, results, folder)
    kept = []
    machines: dict[str, Counter[str]] = {}
    for name in config.settings.studies:
        study = config.study(name)
        if (studies.collect(study, results / "runs").runs["state"] == "missing").all():
            continue
        studies.write(study, results / "runs", folder / "studies" / name)
        curves.write(study, results / "runs", folder / "studies" / name, formats=style.SMALL)
        if study.probes:
            _keep_probes(study, results / "runs", folder / "studies" / name)
        if study.swept:
            sweep.write(study, results / "runs", folder / "studies" / name, formats=style.SMALL)
        if study.path:
            paths.write(study, results / "runs", folder / "studies" / name, formats=style.SMALL)
        kept.append(name)
        for run in runs_of(study.variants):
            made = _provenance(places.folder(results / "runs", *run))
            machines.setdefault(made, Counter())[name] += 1
    if not kept:
        return []
    for key, analysis in ANALYSES.items():
        for name in config.analyses(key):
            analysed, measured, own = config.analysed(key, name), results / key / name, folder / key / name
            if any(collect(analysed.variants, measured).values()):
                write_table(key, analysed, measured, own)
                for figure in analysis.figures:
                    analyses.write(key, analysed, measured, own, figure, style.SMALL)
    for path in sorted((results / "modes").glob("table.*")) if config.settings.modes else ():
        files.write_text(folder / "modes" / path.name, path.read_text(encoding="utf-8"))
    source, claims = Source(Evidence(folder), config), load_claims(config)
    looks.record(results, claims, source.evidence, config)
    looks.copy(results, folder)
    judged = verdicts.judge(claims, [source.evidence], config)
    numbers.write(judged, [source], Words(), folder / "numbers.tex")
    files.write_json(folder / "provenance.json", _content(config, results, folder, machines, notes))
    return kept


def _content(
    config: Config,
    results: Path,
    folder: Path,
    machines: dict[str, Counter[str]],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return what provenance.json says; ``machines`` counts runs by study, by what made them."""
    made_with = [json.loads(text) | {"studies": dict(own)} for text, own in machines.items() if text]
    settings = config.settings.model_dump(mode="json", exclude_none=True)
    for source in settings["datasets"].values():
        if "path" in source:
            source["path"] = Path(source["path"]).name  # the folder means nothing elsewhere
    images = {label: asdict(known) for label, known in facts.images_of(config, results).items()}
    now = {"made_with": made_with, "images": images, "settings": settings, "notes": list(notes)}
    return kept_before.provenance(folder, now, {name for own in machines.values() for name in own})


def _keep_probes(study: Study, runs: Path, folder: Path) -> None:
    """Keep the summary and the figure of a study's probes; the measures themselves are many megabytes."""
    found = probe_measures.measures(study, runs)
    table = probes.summary(found)
    probes.write_table(study, table, runs, folder)
    style.save(probe_figures.draw(study, found, table), folder / "probes", style.SMALL)


def _provenance(folder: Path) -> str:
    found = records.evaluation(folder)
    if not found:
        return ""
    training = found["training"]
    made = training["provenance"] | {"precision": training["precision"], "threads": training["threads"]}
    return json.dumps(made, sort_keys=True)
