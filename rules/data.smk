# Every dataset becomes one checked file that all training reads.


rule prepare_data:
    output:
        "results/data/{dataset}.npz",
    log:
        "results/logs/data/{dataset}.log",
    conda:
        "../envs/pj.yaml"
    params:
        settings=lambda wildcards: settings(
            source=SOURCES[wildcards.dataset].model_dump(mode="json")
        ),
        code=code("prepare_data.py"),
    script:
        "../workflow/scripts/prepare_data.py"
