# Evaluation of finished runs, and measured effects of train() and eval().


rule evaluate:
    input:
        data=data_of,
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        metrics="results/runs/{run}/seed{seed}/metrics.csv",
        record="results/runs/{run}/seed{seed}/run.json",
    output:
        "results/runs/{run}/seed{seed}/evaluation.json",
    log:
        "results/logs/evaluate/{run}-seed{seed}.log",
    priority: 1  # it removes resume states, which would pile up (those of small runs may, on a cluster)
    group:
        lambda wildcards: "small_evaluations" if is_small(wildcards.run) else None
    conda:
        ENVIRONMENT
    threads: CONFIG.settings.threads
    resources:
        gpu=GPU,
        place=1,  # see profiles/slurm
        runtime=minutes(5, 60),
        device=CONFIG.settings.device,  # a resource, so that changing it re-runs nothing
    params:
        code=lambda wildcards: code("evaluate.py", wildcards.run),
    script:
        "../workflow/scripts/evaluate.py"


rule modes:
    input:
        stamp=STAMP,
    output:
        csv="results/modes/table.csv",
        markdown="results/modes/table.md",
        latex="results/modes/table.tex",
        data="results/modes/table.json",
    log:
        "results/logs/modes.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=lambda wildcards: code("modes.py"),
    script:
        "../workflow/scripts/modes.py"
