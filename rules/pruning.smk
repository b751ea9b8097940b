# What finished runs keep of their accuracy as units are removed, and the paths that chose them.


rule prune:
    input:
        data=data_of,
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        record="results/runs/{run}/seed{seed}/run.json",
    output:
        "results/prunings/{pruning}/{run}-seed{seed}.json",
    log:
        "results/logs/prune/{pruning}-{run}-seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: CONFIG.settings.threads
    resources:
        gpu=GPU,
        place=1,  # see profiles/slurm
        device=CONFIG.settings.device,  # where, not what: no reason to run again
    params:
        settings=lambda wildcards: settings(
            settings=CONFIG.pruning(wildcards.pruning).settings.model_dump(
                mode="json"
            ),
            methods=pruning_methods(wildcards.pruning, wildcards.run),
        ),
        code=lambda wildcards: code("prune.py", wildcards.run),
    script:
        "../workflow/scripts/prune.py"


rule pruning_table:
    input:
        lambda wildcards: pruning_files(wildcards.pruning),
    output:
        markdown="results/prunings/{pruning}/table.md",
        latex="results/prunings/{pruning}/table.tex",
        csv="results/prunings/{pruning}/table.csv",
    log:
        "results/logs/pruning_table/{pruning}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: pruning_settings(wildcards.pruning),
        code=lambda wildcards: code("pruning_table.py"),
    script:
        "../workflow/scripts/pruning_table.py"


rule pruning_figure:
    input:
        lambda wildcards: pruning_files(wildcards.pruning),
    output:
        png=report(
            "results/prunings/{pruning}/pruning.png",
            category="Pruning",
            labels={"pruning": "{pruning}"},
        ),
        svg="results/prunings/{pruning}/pruning.svg",
    log:
        "results/logs/pruning_figure/{pruning}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: pruning_settings(wildcards.pruning),
        code=lambda wildcards: code("pruning_figure.py"),
    script:
        "../workflow/scripts/pruning_figure.py"


rule paths:
    input:
        lambda wildcards: run_files(
            wildcards.study, "metrics.csv", "checkpoint.pt", "run.json"
        ),
    output:
        path=report(
            "results/studies/{study}/path.png",
            category="Regularisation paths",
            labels={"study": "{study}", "shows": "support by layer"},
        ),
        weights=report(
            "results/studies/{study}/weights.png",
            category="Regularisation paths",
            labels={"study": "{study}", "shows": "weights"},
        ),
        svg="results/studies/{study}/path.svg",
    log:
        "results/logs/paths/{study}.log",
    wildcard_constraints:
        study=one_of(PATH_STUDIES),
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: study_settings(wildcards.study),
        code=lambda wildcards: code("paths.py"),
    script:
        "../workflow/scripts/paths.py"
