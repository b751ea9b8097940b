# What the loss looks like around the weights: probes along a run.


rule probes:
    input:
        lambda wildcards: run_files(
            wildcards.study,
            *("steps.csv", "probes.csv", "shifts.csv", "run.json"),
            probed=True,
        ),
    output:
        measures="results/studies/{study}/probes.csv",
        csv="results/studies/{study}/probes_table.csv",
        markdown="results/studies/{study}/probes_table.md",
    log:
        "results/logs/probes/{study}.log",
    wildcard_constraints:
        study=one_of(PROBED_STUDIES),
    conda:
        "../envs/pj.yaml"
    params:
        settings=lambda wildcards: study_settings(wildcards.study),
        code=code("probes.py"),
    script:
        "../workflow/scripts/probes.py"


rule probe_figures:
    input:
        measures="results/studies/{study}/probes.csv",
        table="results/studies/{study}/probes_table.csv",
    output:
        png=report(
            "results/studies/{study}/probes.png",
            category="Loss landscape",
            labels={"study": "{study}"},
        ),
        svg="results/studies/{study}/probes.svg",
    log:
        "results/logs/probe_figures/{study}.log",
    wildcard_constraints:
        study=one_of(PROBED_STUDIES),
    conda:
        "../envs/pj.yaml"
    params:
        settings=lambda wildcards: study_settings(wildcards.study),
        code=code("probe_figures.py"),
    script:
        "../workflow/scripts/probe_figures.py"
