"""Build a run's checkpoint.pt, metrics.csv and run.json from its specification and seed."""

from pathlib import Path

from pj.jobs import logged
from pj.spec import RunSpec
from pj.training.loop import train

with logged(snakemake.log[0]):
    run, seed, code = snakemake.wildcards.run, int(snakemake.wildcards.seed), snakemake.params.code
    train(
        RunSpec.from_json(snakemake.params.settings),
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
    )
