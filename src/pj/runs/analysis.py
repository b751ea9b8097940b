"""Measuring a finished run for an analysis."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

from pj.config.analyses import ANALYSES
from pj.config.types import Strict
from pj.runs import finished


def measure(
    key: str,
    asked: Strict,
    folder: Path,
    data: Path,
    output: Path,
    *,
    code: str = "",
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write what an analysis measures of a run as JSON; of a diverged run, that it diverged.

    Args:
        key: of the analysis.
        asked: what is measured, of the type that the analysis declares.
        folder: of the run.
        data: a file of `pj.data.store`.
        output: the JSON file.
        code: the fingerprint of the code that measures, which is recorded.
        device: auto, cpu, cuda or cuda:<index>.
        threads: of the CPU.

    Raises:
        RecordError: the folder is not a finished record.
        DataError: ``data`` is not what the run was trained on.

    """
    analysis = ANALYSES[key]
    function = resolve_name(analysis.measure)
    finished.write(
        folder,
        data,
        output,
        lambda run: function(run, asked),
        analysis.made(code, asked),
        device=device,
        precision=analysis.precision,
        threads=threads,
    )
