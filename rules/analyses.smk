# What is measured of finished runs: the loss landscape around them, what pruning leaves of them, what they
# look at. Each analysis is declared once, in pj.config.analyses; {analysis} is its key in config.yaml.


def analysed(wildcards):
    there = CONFIG.analyses(wildcards.analysis)
    if wildcards.name not in there:
        raise WorkflowError(
            f"there is no {wildcards.name!r} in {wildcards.analysis}; there are: {', '.join(there)}"
        )
    return CONFIG.analysed(wildcards.analysis, wildcards.name)


def analysed_settings(wildcards):
    return as_settings(analysed(wildcards))


def asked(wildcards):
    """Return what is asked of a run: by the variant that it is."""
    found = analysed(wildcards)
    named = [v.name for v in found.variants if v.spec.run == wildcards.run]
    if not named:
        raise WorkflowError(
            f"{wildcards.run!r} is no run of {wildcards.analysis} {wildcards.name!r}"
        )
    frame = CONFIG.analyses(wildcards.analysis)[wildcards.name]
    return as_settings(frame.asked(named[0]))


def measured(wildcards):
    """Return what is measured of every run of an analysis, one file per run."""
    return [
        f"results/{wildcards.analysis}/{wildcards.name}/{variant.spec.run}-seed{seed}.json"
        for variant in analysed(wildcards).variants
        for seed in variant.seeds
    ]


def figure_code(wildcards):
    figures = ANALYSES[wildcards.analysis].figures
    if wildcards.figure not in figures:
        raise WorkflowError(
            f"{wildcards.analysis} have no figure {wildcards.figure!r}; there are: {', '.join(figures)}"
        )
    return code("analysis_figure.py", targets=[figures[wildcards.figure].draw])


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
        device=CONFIG.settings.device,  # where, not what: no reason to run again
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
