"""Measure a finished run for an analysis: its loss landscape, its accuracy when pruned, its Grad-CAM, …"""

from pathlib import Path

from pj.config.analyses import ANALYSES
from pj.runs import kept, records
from pj.workflow import slots
from pj.workflow.jobs import logged

with logged(snakemake.log[0]), slots.held(snakemake.resources.device):
    key, folder, output = (
        snakemake.wildcards.analysis,
        Path(snakemake.input.record).parent,
        Path(snakemake.output[0]),
    )
    asked = ANALYSES[key].asked.model_validate_json(snakemake.params.settings)
    made = ANALYSES[key].made(snakemake.params.code, asked)
    made["checkpoint_sha256"] = records.read_run(folder)["checkpoint_sha256"]
    if not kept.take_measurement(kept.aside(output, Path("results")), made, output):
        from pj.runs import analysis  # torch sees the slot's GPU only

        where = {"device": snakemake.resources.device, "threads": snakemake.threads}
        analysis.measure(key, asked, folder, Path(snakemake.input.data), output, code=made["code"], **where)
