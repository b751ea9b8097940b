# Every dataset becomes one checked file that all training reads.


rule prepare_data:
    input:
        lambda wildcards: source_files(wildcards.dataset),
    output:
        "results/data/{dataset}.npz",
    log:
        "results/logs/data/{dataset}.log",
    conda:
        ENVIRONMENT
    resources:
        folder=lambda wildcards: getattr(SOURCES[wildcards.dataset], "folder", ""),
    params:
        settings=lambda wildcards: source_settings(wildcards.dataset),
        code=lambda wildcards: source_code(wildcards.dataset),
    script:
        "../workflow/scripts/prepare_data.py"
