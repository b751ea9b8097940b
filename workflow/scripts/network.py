"""Build a network once, so that one that cannot be trained fails here, and not in each of its runs."""

from pathlib import Path

from pj.config.spec import RunSpec
from pj.workflow.jobs import logged

with logged(snakemake.log[0]):
    from pj.training import network

    spec = RunSpec.from_json(snakemake.params.settings)
    network.write(spec, Path(snakemake.input.data), Path(snakemake.output[0]))
