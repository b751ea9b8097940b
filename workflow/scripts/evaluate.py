"""Build a run's evaluation.json from its checkpoint, learning curve and data."""

from pathlib import Path

from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    from pj.runs.evaluation import evaluate  # torch sees the slot's GPU only
    from pj.training import state

    record = evaluate(
        Path(snakemake.input.record).parent,
        Path(snakemake.input.data),
        Path(snakemake.output[0]),
        device=snakemake.resources.device,
        threads=snakemake.threads,
    )
    run, seed, code = snakemake.wildcards.run, snakemake.wildcards.seed, record["code"]
    state.remove(Path(f"results/.resume/{run}-{code}/seed{seed}"))
