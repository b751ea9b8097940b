"""Build a run's evaluation.json from its checkpoint, learning curve and data."""

from pathlib import Path

from pj.runs import kept, places, records
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    folder, output = Path(snakemake.input.record).parent, Path(snakemake.output[0])
    run, seed, code = snakemake.wildcards.run, snakemake.wildcards.seed, records.read_run(folder)["code"]
    resume = places.resume(Path("results"), run, code, seed)
    if not kept.take_evaluation(resume, snakemake.params.code, folder, output):  # in most cases without torch
        from pj.runs.evaluation import evaluate  # torch sees the slot's GPU only

        where = {"device": snakemake.resources.device, "threads": snakemake.threads}
        evaluate(folder, Path(snakemake.input.data), output, code=snakemake.params.code, **where)
    kept.remove(resume)
