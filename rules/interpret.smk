# What finished runs look at: feature maps, Grad-CAM, and two tests of Grad-CAM.


rule interpret:
    input:
        data=data_of,
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        record="results/runs/{run}/seed{seed}/run.json",
    output:
        "results/interpretations/{interpretation}/{run}-seed{seed}.json",
    log:
        "results/logs/interpret/{interpretation}-{run}-seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: CONFIG.settings.threads
    resources:
        gpu=GPU,
        place=1,  # see profiles/slurm
        device=CONFIG.settings.device,  # where, not what: no reason to run again
    params:
        settings=lambda wildcards: settings(
            view=CONFIG.interpretation(wildcards.interpretation).view.model_dump(
                mode="json"
            ),
        ),
        code=lambda wildcards: code("interpret.py", wildcards.run),
    script:
        "../workflow/scripts/interpret.py"


rule interpretation_table:
    input:
        lambda wildcards: interpretation_files(wildcards.interpretation),
    output:
        markdown="results/interpretations/{interpretation}/table.md",
        latex="results/interpretations/{interpretation}/table.tex",
        csv="results/interpretations/{interpretation}/table.csv",
    log:
        "results/logs/interpretation_table/{interpretation}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: interpretation_settings(wildcards.interpretation),
        code=lambda wildcards: code("interpretation_table.py"),
    script:
        "../workflow/scripts/interpretation_table.py"


rule interpretation_figures:
    input:
        lambda wildcards: interpretation_files(wildcards.interpretation),
    output:
        image=report(
            "results/interpretations/{interpretation}/image.png",
            category="Looking inside",
            labels={"interpretation": "{interpretation}", "shows": "one image"},
        ),
        sheet=report(
            "results/interpretations/{interpretation}/sheet.png",
            category="Looking inside",
            labels={"interpretation": "{interpretation}", "shows": "sheet by class"},
        ),
        tests=report(
            "results/interpretations/{interpretation}/tests.png",
            category="Looking inside",
            labels={
                "interpretation": "{interpretation}",
                "shows": "tests of Grad-CAM",
            },
        ),
        svg="results/interpretations/{interpretation}/tests.svg",
    log:
        "results/logs/interpretation_figures/{interpretation}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: interpretation_settings(wildcards.interpretation),
        code=lambda wildcards: code("interpretation_figures.py"),
    script:
        "../workflow/scripts/interpretation_figures.py"
