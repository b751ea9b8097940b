# Every dataset becomes one checked file that all training reads.


rule prepare_data:
    input:
        source_stamp,
    output:
        data="results/data/{dataset}.npz",
        about="results/data/{dataset}.json",
    log:
        "results/logs/data/{dataset}.log",
    localrule: True  # on a cluster: it needs the internet
    conda:
        ENVIRONMENT
    resources:
        folder=download_folder,
    params:
        settings=source_settings,
        code=source_code,
        content=source_content,
    script:
        "../workflow/scripts/prepare_data.py"
