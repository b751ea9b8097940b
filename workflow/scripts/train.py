"""Build a run's checkpoint.pt, metrics.csv and run.json from its specification and seed."""

from pathlib import Path

from pj.config.spec import RunSpec
from pj.runs.fingerprint import check_unchanged, code_on_disk
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    spec, script = RunSpec.from_json(snakemake.params.settings), Path(snakemake.scriptdir) / "train.py"
    # what the record says is what is loaded next, though it was edited since this job was planned
    code = code_on_disk(script, spec)
    from pj.training.loop import train  # torch sees the slot's GPU only

    run, seed = snakemake.wildcards.run, int(snakemake.wildcards.seed)
    train(
        spec,
        seed,
        Path(snakemake.input.data),
        Path(snakemake.output.record).parent,
        code=code,
        resume=Path(f"results/.resume/{run}-{code}/seed{seed}"),
        progress=Path(f"results/.progress/{run}-seed{seed}.json"),
        device=snakemake.resources.device,
        threads=snakemake.threads,
        max_seconds=snakemake.resources.max_seconds or None,
        keep_state=True,  # until evaluate has used the run: Snakemake deletes what it did not see end
        loaded=lambda: check_unchanged(script, spec, code),
    )
