# From config.yaml to results/report.md; the README says how.
from snakemake.utils import min_version

min_version("9.19")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/landscape.smk"
include: "rules/pruning.smk"
include: "rules/interpret.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "results/report.md",  # links to the figures, and need not be written again with them
        expand("results/studies/{study}/curves.png", study=STUDIES),
        expand("results/studies/{study}/probes.png", study=PROBED_STUDIES),
        expand("results/landscapes/{landscape}/landscape.png", landscape=LANDSCAPES),
        expand("results/studies/{study}/path.png", study=PATH_STUDIES),
        expand("results/prunings/{pruning}/pruning.png", pruning=PRUNINGS),
        expand("results/interpretations/{name}/image.png", name=INTERPRETATIONS),
