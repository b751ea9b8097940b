# Every dataset becomes one checked file that all training reads.


rule prepare_data:  # without input: its parameters say when
    output:
        "results/data/{dataset}.npz",
    log:
        "results/logs/data/{dataset}.log",
    localrule: True  # on a cluster: it needs the internet
    conda:
        ENVIRONMENT
    resources:
        folder=lambda wildcards: getattr(SOURCES[wildcards.dataset], "folder", ""),
    params:
        settings=source_settings,
        code=source_code,
        content=source_content,
    script:
        "../workflow/scripts/prepare_data.py"
