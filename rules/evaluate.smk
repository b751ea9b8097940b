# What each finished run is worth, and what train() and eval() do.


rule evaluate:
    input:
        data=lambda wildcards: f"results/data/{RUNS[wildcards.run].spec.data.name}.npz",
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        metrics="results/runs/{run}/seed{seed}/metrics.csv",
        record="results/runs/{run}/seed{seed}/run.json",
    output:
        "results/runs/{run}/seed{seed}/evaluation.json",
    log:
        "results/logs/evaluate/{run}-seed{seed}.log",
    priority: 1  # so that resume states, which it removes, do not pile up
    conda:
        "../envs/pj.yaml"
    threads: CONFIG.settings.threads
    resources:
        gpu=1,
        device=CONFIG.settings.device,  # where, not what: no reason to run again
    params:
        code=lambda wildcards: code("evaluate.py", wildcards.run),
    script:
        "../workflow/scripts/evaluate.py"


rule modes:
    output:
        csv="results/modes/table.csv",
        markdown="results/modes/table.md",
        latex="results/modes/table.tex",
    log:
        "results/logs/modes.log",
    conda:
        "../envs/pj.yaml"
    params:
        code=code("modes.py"),
    script:
        "../workflow/scripts/modes.py"
