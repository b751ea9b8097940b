# Analyses of finished runs: their loss landscape, their accuracy when pruned, their feature maps and Grad-CAM.
# Each analysis is declared once, in pj.config.analyses; {analysis} is its key in config.yaml.


rule measure:
    input:
        data=data_of,
        checkpoint="results/runs/{run}/seed{seed}/checkpoint.pt",
        record="results/runs/{run}/seed{seed}/run.json",
    output:
        "results/{analysis}/{name}/{run}-seed{seed}.json",
    log:
        "results/logs/{analysis}/{name}-{run}-seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: CONFIG.settings.threads
    resources:
        gpu=GPU,
        place=1,  # see profiles/slurm
        device=CONFIG.settings.device,  # a resource, so that changing it re-runs nothing
    params:
        settings=asked,
        precision=lambda wildcards: str(ANALYSES[wildcards.analysis].precision),
        code=lambda wildcards: code(
            "measure.py", wildcards.run, [ANALYSES[wildcards.analysis].measure]
        ),
    script:
        "../workflow/scripts/measure.py"


rule analysis_table:
    input:
        measured,
        stamp=STAMP,
    output:
        markdown="results/{analysis}/{name}/table.md",
        latex="results/{analysis}/{name}/table.tex",
        data="results/{analysis}/{name}/table.json",
        csv="results/{analysis}/{name}/table.csv",
    log:
        "results/logs/{analysis}/{name}-table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        settings=analysed_settings,
        code=lambda wildcards: code(
            "analysis_table.py", targets=[ANALYSES[wildcards.analysis].table]
        ),
    script:
        "../workflow/scripts/analysis_table.py"


rule analysis_figure:
    input:
        measured,
        stamp=STAMP,
    output:
        png=report(
            "results/{analysis}/{name}/{figure}.png",
            category="{analysis}",
            labels={"name": "{name}", "shows": "{figure}"},
        ),
        svg="results/{analysis}/{name}/{figure}.svg",
    log:
        "results/logs/{analysis}/{name}-{figure}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        settings=analysed_settings,
        code=figure_code,
    script:
        "../workflow/scripts/analysis_figure.py"
