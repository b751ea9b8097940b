"""Measuring a finished run for an analysis."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

from pj.config.analyses import ANALYSES
from pj.config.spec import RunSpec
from pj.config.types import Strict
from pj.runs import finished, records
from pj.runs.provenance import provenance


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
    analysis, record = ANALYSES[key], records.read_run(folder)
    made = {
        "run": RunSpec.model_validate(record["spec"]).run,
        "seed": record["seed"],
        "checkpoint_sha256": record["checkpoint_sha256"],
        **analysis.made(code, asked),
    }
    content = {"state": record["state"], "diverged_at_step": record["diverged_at_step"], "made": made}
    if record["state"] == "complete":
        run = finished.load(folder, data, device=device, precision=analysis.precision, threads=threads)
        content |= {"epoch": run.checkpoint["epoch"], **resolve_name(analysis.measure)(run, asked)}
        content["provenance"] = provenance(run.conditions.device)
    records.write_json(output, content)
