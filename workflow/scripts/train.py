"""Build a run's checkpoint.pt, metrics.csv and run.json from its specification and seed."""

import json
from pathlib import Path

from pj.jobs import logged
from pj.spec import RunSpec
from pj.training.loop import train

with logged(snakemake.log[0]):
    settings = json.loads(snakemake.params.settings)
    run, seed = snakemake.wildcards.run, int(snakemake.wildcards.seed)
    train(
        RunSpec.from_json(settings["spec"]),
        seed,
        Path(snakemake.input.data),
        Path(snakemake.output.record).parent,
        code=snakemake.params.code,
        resume=Path(f"results/.resume/{run}-{snakemake.params.code}/seed{seed}"),
        progress=Path(f"results/.progress/{run}-seed{seed}.json"),
        device=settings["device"],
        threads=snakemake.threads,
    )
