"""Build a run's checkpoint.pt, metrics.csv and run.json from its specification and seed."""

from pathlib import Path

from pj.config.spec import RunSpec
from pj.runs import kept
from pj.runs.fingerprint import check_unchanged, run_fingerprint
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    spec, here = RunSpec.from_json(snakemake.params.settings), Path(snakemake.scriptdir)
    # what the record says is what is loaded next, though it was edited since this job was planned
    code, evaluation = (run_fingerprint(here / script, spec) for script in ("train.py", "evaluate.py"))
    from pj.training.loop import train  # torch sees the slot's GPU only
    from pj.workflow.evaluating import evaluate

    run, seed = snakemake.wildcards.run, int(snakemake.wildcards.seed)
    data, folder = Path(snakemake.input.data), Path(snakemake.output.record).parent
    resume = Path(f"results/.resume/{run}-{code}/seed{seed}")
    where = {"device": snakemake.resources.device, "threads": snakemake.threads}

    def check() -> None:
        """Raise UserError if the code was edited while it was loaded."""
        check_unchanged(here / "train.py", spec, code)
        check_unchanged(here / "evaluate.py", spec, evaluation)

    train(
        spec,
        seed,
        data,
        folder,
        code=code,
        resume=resume,
        progress=Path(f"results/.progress/{run}-seed{seed}.json"),
        max_seconds=snakemake.resources.max_seconds or None,
        keep=True,  # until evaluate has used the run: Snakemake deletes what it did not see end
        loaded=check,
        **where,
    )
    # here, where torch and the data are loaded already; the job for it only takes this, or measures anew
    evaluate(folder, data, kept.evaluation(resume, evaluation), **where)
