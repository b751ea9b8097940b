# One job per run: from specification and seed to checkpoint, learning curve and record.


rule network:
    input:
        network_first,
        data=lambda wildcards: f"results/data/{NETWORKS[wildcards.network].data.name}.npz",
    output:
        "results/networks/{network}.json",
    log:
        "results/logs/networks/{network}.log",
    wildcard_constraints:
        network=one_of(NETWORKS),
    priority: 1
    localrule: True
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: NETWORKS[wildcards.network].json_text,
        code=lambda wildcards: run_fingerprint(
            SCRIPTS / "network.py", NETWORKS[wildcards.network]
        ),
    script:
        "../workflow/scripts/network.py"


rule train:
    input:
        checks_of,
        data=data_of,
    output:
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        metrics="results/runs/{run}/seed{seed}/metrics.csv",
        record="results/runs/{run}/seed{seed}/run.json",
    log:
        "results/logs/train/{run}-seed{seed}.log",
    wildcard_constraints:
        run=none_of(PROBED),
    group:
        # a job in pieces (max_seconds) would end each of its attempts with its first run
        lambda wildcards: (
            "small"
            if is_small(wildcards.run) and not CONFIG.settings.max_seconds
            else None
        )
    conda:
        ENVIRONMENT
    threads: CONFIG.settings.threads
    resources:
        gpu=GPU,
        place=1,  # see profiles/slurm
        runtime=minutes(5, 120),
        device=CONFIG.settings.device,  # a resource, so that changing it re-runs nothing
        max_seconds=CONFIG.settings.max_seconds or 0,  # a resource, too
    params:
        settings=lambda wildcards: spec_of(wildcards.run).json_text,
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
