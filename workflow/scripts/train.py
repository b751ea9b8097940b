"""Build a run's checkpoint.pt, metrics.csv and run.json from its specification and seed."""

from pathlib import Path

from pj.config.spec import RunSpec
from pj.runs import kept, places
from pj.runs.fingerprint import check_unchanged, run_fingerprint
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    spec, here = RunSpec.from_json(snakemake.params.settings), Path(snakemake.scriptdir)
    # what the record says is what is loaded next, though it was edited since this job was planned
    codes = {script: run_fingerprint(here / script, spec) for script in ("train.py", "evaluate.py")}
    from pj.training.loop import train  # torch sees the slot's GPU only
    from pj.workflow.evaluating import evaluate

    run, seed = snakemake.wildcards.run, int(snakemake.wildcards.seed)
    data, folder = Path(snakemake.input.data), Path(snakemake.output.record).parent
    results = Path("results")
    resume = places.resume(results, run, codes["train.py"], seed)
    where = {"device": snakemake.resources.device, "threads": snakemake.threads}
    train(
        spec,
        seed,
        data,
        folder,
        code=codes["train.py"],
        resume=resume,
        progress=places.progress(results, run, seed),
        max_seconds=snakemake.resources.max_seconds or None,
        keep=True,  # until evaluate has used the run: Snakemake deletes what it did not see end
        loaded=lambda: [check_unchanged(here / script, spec, code) for script, code in codes.items()],
        **where,
    )
    # here, where torch and the data are loaded already; the job for it only takes this, or measures anew
    code = codes["evaluate.py"]
    evaluate(folder, data, kept.evaluation(resume, code), code=code, **where)
