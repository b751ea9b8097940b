"""Why a job runs again, in words: which setting changed from what to what, which file of code, which input.

Snakemake's own words are two texts of all parameters; and where pj has dated files back (`verify.mark`,
`derived.mark`), its reason is a date. So the files' records are asked first.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pj.config import flat
from pj.config.loading import Config, Run
from pj.config.spec import RunSpec
from pj.durations import some
from pj.files import json_of, write_json
from pj.runs import fingerprint, places, records
from pj.workflow import derived, verify
from pj.workflow.again import TRAIN

FOLDER = ".code"  # below results: the modules of each code fingerprint, a file each
MOST = 3  # changes that are named
LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
CODE = re.compile(r"[0-9a-f]{16}")
PARAMS = "Params have changed since last execution: "
NEW_INPUT, MADE_ABOVE, FORCED, MISSING = (
    "Updated input files: ",
    "Input files updated by another job: ",
    "Forced execution",
    "Missing output files: ",
)
OTHERS = {
    "Set of input files has changed since last execution": "made from other files",
    "Incomplete output files": "left incomplete",
}


def note_code(results: Path) -> None:
    """Note the modules behind each fingerprint of this process, so that a later one can say which changed."""
    for code in fingerprint.computed():
        path = results / FOLDER / f"{code}.json"
        if not path.is_file():
            write_json(path, fingerprint.parts(code), sync=False)


@dataclass(frozen=True)
class Known:
    """The configuration of a workflow, its runs, and the folder of results."""

    config: Config
    runs: Mapping[str, Run]
    results: Path


workflow: Known | None = None  # the Snakefile's


def asked() -> Any:
    """Return Snakemake's ``dag_settings``; the Snakefile replaces this, which alone knows them."""
    return None


def words(rule: str, wildcards: Mapping[str, str], reason: str, known: Known) -> str:
    """Return why a job runs.

    Args:
        rule: its name.
        wildcards: by name.
        reason: Snakemake's.
        known: what the job belongs to.

    """
    if FORCED in reason:
        return "forced" if _forces(rule) else "left incomplete"
    if MISSING in reason:
        return "; ".join(["not made yet", *_of_former_run(rule, wildcards, known)])
    found = list(_of_record(rule, wildcards, known))
    for part in _split(reason, "; "):
        if part.startswith(PARAMS):
            found += _of_params(part, known.results)
        elif part.startswith(NEW_INPUT) and not found:
            stamp = f"{known.results}/{derived.STAMP}"
            newer = part.removeprefix(NEW_INPUT).split(", ")
            # what `derived.date_back` dates before the stamp is older than all else, too
            found.append(_of_stamp() if stamp in newer else f"newer: {some(newer, MOST)}")
        elif part.startswith(MADE_ABOVE):
            found.append("made from files of the jobs above")
        else:
            found += [text for start, text in OTHERS.items() if part.startswith(start)]
    return "; ".join(dict.fromkeys(found)) or reason


def _forces(rule: str) -> bool:
    """Whether the user forced a rule, or files, which may be its."""
    settings = asked()
    if settings is None or settings.forceall or settings.forcetargets:
        return True
    return any(name == rule or "/" in name for name in settings.forcerun)


def _of_stamp() -> str:
    return "made from other runs or files of runs" if derived.has_notes() else "Snakemake has lost its notes"


def _of_record(rule: str, wildcards: Mapping[str, str], known: Known) -> Iterator[str]:
    """Yield what a run's, evaluation's or measurement's own record says."""
    config, results = known.config, known.results
    name, seed = wildcards.get("run", ""), wildcards.get("seed", "")
    if name not in known.runs or not seed:
        return
    spec, folder = known.runs[name].spec, places.folder(results / "runs", name, seed)
    record = json_of(folder / records.RUN)
    if rule in TRAIN:
        now = verify.code_of(spec)
        if record.get("code") and record["code"] != now:
            yield changed_code(record["code"], now, results)
        data = json_of(results / "data" / f"{spec.data.name}.json").get("sha256")
        if data and record.get("data_sha256") not in (None, data):
            yield f"the data {spec.data.name} are others: {_short(record['data_sha256'])} → {_short(data)}"
        return
    made = None
    if rule == "evaluate":
        made = derived.evaluation(spec, seed, results)
    elif rule == "measure":
        analysed = config.analysed(wildcards["analysis"], wildcards["name"])
        variant = next(v for v in analysed.variants if v.spec.run == name)
        made = derived.measurement(config, wildcards["analysis"], wildcards["name"], variant, seed, results)
    recorded = json_of(made.path).get("made") if made else None
    if not made or not isinstance(recorded, dict):
        return
    if recorded.get("code") not in (None, made.made["code"]):
        yield changed_code(recorded["code"], made.made["code"], results)
    yield from differences(recorded.get("asked", {}), made.made.get("asked", {}))
    if recorded.get("checkpoint_sha256") not in (None, record.get("checkpoint_sha256")):
        yield "the run was trained again"


def _of_former_run(rule: str, wildcards: Mapping[str, str], known: Known) -> Iterator[str]:
    """Yield the settings that a variant's run had when its study's table was made, if they were others."""
    run, results = known.runs.get(wildcards.get("run", "")), known.results
    if not run or rule not in TRAIN:
        return
    for study, variant in run.serves:
        former = _former(results / "studies" / study / "runs.csv").get(variant)
        if former and former != run.spec.run:
            for path in sorted((results / "runs" / former).glob("seed*/run.json"))[:1]:
                with suppress(ValueError, KeyError):
                    before = flat.of(RunSpec.model_validate(json_of(path)["spec"]))
                    yield from (
                        f"{study}/{variant}: {text}" for text in differences(before, flat.of(run.spec))
                    )
            return


@cache
def _former(path: Path) -> dict[str | None, str | None]:
    """Return the run of each variant in a study's table."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row.get("variant"): row.get("run") for row in csv.DictReader(file)}


def _of_params(text: str, results: Path) -> Iterator[str]:
    """Yield what has changed in a job's parameters: settings as JSON, code as a fingerprint."""
    settings, codes = [], []
    for side in _split(text, " now: "):
        literals = [ast.literal_eval(found[0]) for found in LITERAL.finditer(side)]
        settings.append([value for value in literals if value.startswith("{")])
        codes.append([value[:16] for value in literals if CODE.fullmatch(value[:16])])
    if all(settings):
        with suppress(ValueError):
            yield from differences(*(json.loads(found[0]) for found in settings))
    if all(codes):
        yield changed_code(codes[0][0], codes[1][0], results)
    elif not all(settings):
        yield "other settings or code"


def _split(text: str, separator: str) -> list[str]:
    """Return the parts of a text between separators, those within quoted texts left out."""
    masked = LITERAL.sub(lambda found: "x" * len(found[0]), text)
    starts = [0, *(found.end() for found in re.finditer(re.escape(separator), masked))]
    ends = [*(found.start() for found in re.finditer(re.escape(separator), masked)), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def changed_code(before: str, now: str, results: Path) -> str:
    """Return which files of code differ between two fingerprints, as far as both have been noted."""
    then = json_of(results / FOLDER / f"{before}.json")
    today = (
        fingerprint.parts(now) if now in fingerprint.computed() else json_of(results / FOLDER / f"{now}.json")
    )
    if not then or not today:
        return f"other code ({before} → {now}; which files is not known)"
    others = sorted(name for name in then.keys() | today.keys() if then.get(name) != today.get(name))
    return f"other code: {some(others, MOST)}" if others else "other code: what is chosen of a registry"


def differences(before: Any, now: Any) -> Iterator[str]:
    """Yield the settings that differ, such as ``optimizer.lr: 0.1 → 0.2``, the first few and the number."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    for key in keys[:MOST]:
        sides = (json.dumps(side[key], ensure_ascii=False) if key in side else "none" for side in (old, new))
        yield f"{key}: {' → '.join(sides)}"
    if len(keys) > MOST:
        yield f"{len(keys) - MOST} more settings"


def _leaves(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield single settings by dotted path; an entry of a list is called by its name, if it has one."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from _leaves(value, f"{path}.{key}".lstrip("."))
    elif isinstance(content, list) and content and all(isinstance(entry, dict) for entry in content):
        for i, entry in enumerate(content):
            yield from _leaves(entry, f"{path}.{entry.get('name', i)}".lstrip("."))
    else:
        yield path, content


def _short(digest: str) -> str:
    return digest[:8]
