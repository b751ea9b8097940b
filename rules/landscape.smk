# What the loss looks like around the weights: probes along a run, slices around a finished network.


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
        latex="results/studies/{study}/probes_table.tex",
    log:
        "results/logs/probes/{study}.log",
    wildcard_constraints:
        study=one_of(PROBED_STUDIES),
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: study_settings(wildcards.study),
        code=lambda wildcards: code("probes.py"),
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
        ENVIRONMENT
    params:
        settings=lambda wildcards: study_settings(wildcards.study),
        code=lambda wildcards: code("probe_figures.py"),
    script:
        "../workflow/scripts/probe_figures.py"


rule landscape:
    input:
        data=data_of,
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        record="results/runs/{run}/seed{seed}/run.json",
    output:
        "results/landscapes/{landscape}/{run}-seed{seed}.json",
    log:
        "results/logs/landscape/{landscape}-{run}-seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: CONFIG.settings.threads
    resources:
        gpu=GPU,
        place=1,  # see profiles/slurm
        device=CONFIG.settings.device,  # where, not what: no reason to run again
    params:
        settings=lambda wildcards: settings(
            slices=CONFIG.landscape(wildcards.landscape).slices.model_dump(mode="json")
        ),
        code=lambda wildcards: code("landscape.py", wildcards.run),
    script:
        "../workflow/scripts/landscape.py"


rule landscape_table:
    input:
        lambda wildcards: landscape_files(wildcards.landscape),
    output:
        markdown="results/landscapes/{landscape}/table.md",
        latex="results/landscapes/{landscape}/table.tex",
        csv="results/landscapes/{landscape}/table.csv",
    log:
        "results/logs/landscape_table/{landscape}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: landscape_settings(wildcards.landscape),
        code=lambda wildcards: code("landscape_table.py"),
    script:
        "../workflow/scripts/landscape_table.py"


rule landscape_figure:
    input:
        lambda wildcards: landscape_files(wildcards.landscape),
    output:
        png=report(
            "results/landscapes/{landscape}/landscape.png",
            category="Loss landscape",
            labels={"landscape": "{landscape}"},
        ),
        svg="results/landscapes/{landscape}/landscape.svg",
    log:
        "results/logs/landscape_figure/{landscape}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: landscape_settings(wildcards.landscape),
        code=lambda wildcards: code("landscape_figure.py"),
    script:
        "../workflow/scripts/landscape_figure.py"
