# One job a run: specification and seed to checkpoint, learning curve and record.


rule train:
    input:
        data=lambda wildcards: f"results/data/{RUNS[wildcards.run].spec.data.name}.npz",
    output:
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        metrics="results/runs/{run}/seed{seed}/metrics.csv",
        record="results/runs/{run}/seed{seed}/run.json",
    log:
        "results/logs/train/{run}-seed{seed}.log",
    conda:
        "../envs/pj.yaml"
    threads: CONFIG.settings.threads
    resources:
        gpu=1,
        device=CONFIG.settings.device,  # where, not what: no reason to run again
    params:
        settings=lambda wildcards: RUNS[wildcards.run].spec.json_text,
        code=lambda wildcards: code("train.py", wildcards.run),
    script:
        "../workflow/scripts/train.py"
