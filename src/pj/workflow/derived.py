"""What is made of finished runs: by which code, of which weights, with which settings, against today's.

Evaluations and measurements record it. Snakemake goes by dates and by its own notes in .snakemake, which are
lost with that folder and do not travel with files that are copied: `mark` makes it see what records say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pj.config.analyses import ANALYSES
from pj.config.loading import Config
from pj.config.settings import Variant, runs_of
from pj.config.spec import RunSpec
from pj.errors import UserError
from pj.files import json_of, write_json
from pj.report import inventory
from pj.runs import kept, places, records
from pj.runs.fingerprint import run_fingerprint
from pj.workflow import dates, location
from pj.workflow.dates import OLD

NOTED = ".tables.json"  # below results: of which files each table and figure was made
STAMP = ".stamp"  # below results: its date is `OLD`
NEEDED = (records.RUN, records.METRICS, records.EVALUATION)  # a checkpoint may be deleted to save space
NOTES = Path(".snakemake/metadata")  # Snakemake's: what each file was made by
OUTDATED = "made by other code, of other weights or with other settings than today's"


@dataclass(frozen=True)
class Derived:
    """A file that one job made of one run.

    Args:
        path: of the file.
        run: the folder of the run.
        made: what it records if it is made today.

    """

    path: Path
    run: Path
    made: dict[str, Any]

    def fits(self) -> bool:
        """Whether it is what would be made today; True also if it records nothing: then Snakemake decides."""
        recorded = json_of(self.path).get("made")
        weights = json_of(self.run / records.RUN).get("checkpoint_sha256")
        return (
            not isinstance(recorded, dict)
            or (self.made | {"checkpoint_sha256": weights}).items() <= recorded.items()
        )


def code(script: str, spec: RunSpec, targets: Sequence[str] = ()) -> str:
    """Return the fingerprint of a run's job today; ``targets`` are objects that its script names as text."""
    return run_fingerprint(location.folder() / "workflow" / "scripts" / script, spec, targets)


def resume(spec: RunSpec, seed: int | str, results: Path) -> Path:
    """Return where today's code keeps a run's resume states, and until its evaluation the finished run."""
    return places.resume(results, spec.run, code("train.py", spec), seed)


def existing(config: Config, results: Path) -> Iterator[Derived]:
    """Yield the evaluations and measurements that there are."""
    for run in config.runs().values():
        for seed in run.seeds:
            if found := evaluation(run.spec, seed, results):
                yield found
    for key in ANALYSES:
        for name in config.analyses(key):
            for variant in config.analysed(key, name).variants:
                for seed in variant.seeds:
                    if found := measurement(config, key, name, variant, seed, results):
                        yield found


def evaluation(spec: RunSpec, seed: int | str, results: Path) -> Derived | None:
    """Return a run's evaluation, if it is there."""
    folder = places.folder(results / "runs", spec.run, seed)
    path = folder / records.EVALUATION
    return Derived(path, folder, {"code": code("evaluate.py", spec)}) if path.is_file() else None


def measurement(
    config: Config, key: str, name: str, variant: Variant, seed: int | str, results: Path
) -> Derived | None:
    """Return what an analysis has measured of a variant's run, if it is there."""
    path = results / key / name / records.measured_name(variant.spec.run, seed)
    if not path.is_file():
        return None
    analysis, asked = ANALYSES[key], config.analyses(key)[name].asked(variant.name)
    made = analysis.made(code("measure.py", variant.spec, [analysis.measure]), asked)
    return Derived(path, places.folder(results / "runs", variant.spec.run, seed), made)


def mark(config: Config, results: Path) -> None:
    """Date outdated files before their run, so that Snakemake makes them again, and the others after it.

    Files that fit may be older than their run after copying. One that was dated back gets its date again.
    """
    for derived in existing(config, results):
        with suppress(OSError):
            if not derived.fits():
                dates.outdate(derived.path, True)
            elif (derived.run / records.RUN).is_file() and not _evaluates_soon(derived, results):
                date = dates.outdate(derived.path, False)
                inputs = filter(Path.is_file, (derived.run / name for name in kept.FILES))
                newest = max(path.stat().st_mtime for path in inputs)
                if newest > date:
                    dates.put(derived.path, newest)


def _evaluates_soon(derived: Derived, results: Path) -> bool:
    """Whether this run's evaluation is still to come, whose job removes what training keeps for it."""
    run, seed = derived.run.parent.name, derived.run.name
    return derived.path.name == records.EVALUATION and any((results / ".resume").glob(f"{run}-*/{seed}"))


def has_notes() -> bool:
    """Whether Snakemake has its notes of what files were made by."""
    return NOTES.is_dir() and any(NOTES.iterdir())


def date_back(config: Config, results: Path) -> None:
    """Date tables, figures and pages before `STAMP`, which they depend on, if Snakemake must make them again.

    That is where a file of a run is missing, or is another one than when the table was made (`note`), such as
    a copied one, or where a file that was made with it is missing: Snakemake itself goes by dates, and does
    not miss what nothing asks for. If it has lost its notes, that is all of them: nobody knows by which code
    they were made, and making them takes seconds.
    What is dated in the future would look newer than any input.
    """
    stamp = results / STAMP
    if not stamp.is_file():
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    dates.put(stamp, OLD)
    lost = not has_notes()
    noted = json_of(results / NOTED)
    pages: list[tuple[Path, set[str], list[Path]]] = [(results, inventory.PAGES, [])]
    pages.append((results / "modes", inventory.table("table"), []))
    for folder, names, needed in [*_needs(config, results), *pages]:
        state = _state(needed)
        made = {path: str(path.relative_to(results)) for path in map(folder.joinpath, names)}
        there = {path: name for path, name in made.items() if path.is_file()}
        lacks = any(name in noted for path, name in made.items() if path not in there)
        for path, name in there.items():
            other = state is None or lacks or noted.get(name, state) != state
            if lost or other or dates.future(path.stat().st_mtime):
                dates.put(path, OLD - 1)


def note(config: Config, results: Path, since: float) -> None:
    """Note of which files of runs tables and figures are that were made ``since`` (seconds since 1970)."""
    noted = json_of(results / NOTED)
    for folder, names, needed in _needs(config, results):
        state = _state(needed)
        for path in map(folder.joinpath, names):
            if path.is_file() and path.stat().st_mtime >= since:
                noted[str(path.relative_to(results))] = state
    noted = {name: state for name, state in noted.items() if (results / name).is_file()}
    with suppress(OSError, UserError):  # without it, tables are taken as they are
        write_json(results / NOTED, noted)


def _state(needed: Sequence[Path]) -> str | None:
    """Return a hash of names, sizes and dates of files, however `mark` dated them; None if one is missing."""
    digest = hashlib.sha256()
    for path in needed:
        try:
            found = path.stat()
        except OSError:
            return None
        if not S_ISREG(found.st_mode):
            return None
        date = found.st_mtime + (dates.SHIFT if found.st_mtime < OLD else 0)
        digest.update(f"{path}\0{found.st_size}\0{date:.2f}\0".encode())
    return digest.hexdigest()[:16]


def _needs(config: Config, results: Path) -> Iterator[tuple[Path, set[str], list[Path]]]:
    """Yield the folders of tables and figures, their names, and the files of runs that they are made from."""
    for study in config.settings.studies:
        runs = runs_of(config.study(study).variants)
        folders = [places.folder(results / "runs", *run) for run in runs]
        names = inventory.of(config, "studies", study)
        yield results / "studies" / study, names, [folder / name for folder in folders for name in NEEDED]
    for key in ANALYSES:
        for name in config.analyses(key):
            folder = results / key / name
            runs = runs_of(config.analysed(key, name).variants)
            yield folder, inventory.of_analysis(key), [folder / records.measured_name(*run) for run in runs]
