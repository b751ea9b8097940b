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
    wildcard_constraints:
        run=one_of(set(RUNS) - set(PROBED)),
    conda:
        "../envs/pj.yaml"
    threads: CONFIG.settings.threads
    resources:
        gpu=1,
        device=CONFIG.settings.device,  # where, not what: no reason to run again
        max_seconds=CONFIG.settings.max_seconds or 0,  # the same
    params:
        settings=lambda wildcards: RUNS[wildcards.run].spec.json_text,
        code=lambda wildcards: code("train.py", wildcards.run),
    script:
        "../workflow/scripts/train.py"


use rule train as train_probed with:
    output:
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        metrics="results/runs/{run}/seed{seed}/metrics.csv",
        record="results/runs/{run}/seed{seed}/run.json",
        steps="results/runs/{run}/seed{seed}/steps.csv",
        probes="results/runs/{run}/seed{seed}/probes.csv",
        shifts="results/runs/{run}/seed{seed}/shifts.csv",
    wildcard_constraints:
        run=one_of(PROBED),
