# Tables and figures of studies.


rule tables:
    input:
        lambda wildcards: run_files(wildcards.study, "evaluation.json"),
        lambda wildcards: run_files(wildcards.study, "steps.csv", probed=True),
        stamp=STAMP,
    output:
        markdown="results/studies/{study}/table.md",
        latex="results/studies/{study}/table.tex",
        data="results/studies/{study}/table.json",
        csv="results/studies/{study}/table.csv",
        runs="results/studies/{study}/runs.csv",
        classes="results/studies/{study}/classes.csv",
        classes_markdown="results/studies/{study}/classes.md",
        classes_latex="results/studies/{study}/classes.tex",
        classes_data="results/studies/{study}/classes.json",
    log:
        "results/logs/tables/{study}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        settings=study_settings,
        code=code("study.py", report="tables"),
    script:
        "../workflow/scripts/study.py"


use rule tables as figures with:
    input:
        lambda wildcards: run_files(wildcards.study, "metrics.csv", "run.json"),
        stamp=STAMP,
    output:
        png=report(
            "results/studies/{study}/curves.png",
            category="Learning curves",
            labels={"study": "{study}"},
        ),
        svg="results/studies/{study}/curves.svg",
    log:
        "results/logs/figures/{study}.log",
    localrule: True
    params:
        code=code("study.py", report="figures"),


use rule tables as probes with:
    input:
        lambda wildcards: run_files(
            wildcards.study,
            *("steps.csv", "probes.csv", "shifts.csv", "run.json"),
            probed=True,
        ),
        stamp=STAMP,
    output:
        measures="results/studies/{study}/probes.csv",
        csv="results/studies/{study}/probes_table.csv",
        markdown="results/studies/{study}/probes_table.md",
        latex="results/studies/{study}/probes_table.tex",
        data="results/studies/{study}/probes_table.json",
    log:
        "results/logs/probes/{study}.log",
    wildcard_constraints:
        study=one_of(PROBED_STUDIES),
    localrule: True
    params:
        code=code("study.py", report="probes"),
        networks=lambda wildcards: networks(wildcards.study),


use rule tables as probe_figures with:
    input:
        measures="results/studies/{study}/probes.csv",
        table="results/studies/{study}/probes_table.csv",
    output:
        png=report(
            "results/studies/{study}/probes.png",
            category="Loss landscape",
            labels={"study": "{study}"},
        ),
        svg="results/studies/{study}/probes.svg",
    log:
        "results/logs/probe_figures/{study}.log",
    wildcard_constraints:
        study=one_of(PROBED_STUDIES),
    localrule: True
    params:
        code=code("study.py", report="probe_figures"),


use rule tables as paths with:
    input:
        lambda wildcards: run_files(
            wildcards.study, "metrics.csv", "checkpoint.pt", "run.json"
        ),
        stamp=STAMP,
    output:
        path=report(
            "results/studies/{study}/path.png",
            category="Regularisation paths",
            labels={"study": "{study}", "shows": "support by layer"},
        ),
        weights=report(
            "results/studies/{study}/weights.png",
            category="Regularisation paths",
            labels={"study": "{study}", "shows": "weights"},
        ),
        svg="results/studies/{study}/path.svg",
    log:
        "results/logs/paths/{study}.log",
    wildcard_constraints:
        study=one_of(PATH_STUDIES),
    localrule: True
    params:
        code=code("study.py", report="paths"),


use rule tables as sweeps with:
    input:
        lambda wildcards: run_files(wildcards.study, "evaluation.json"),
        stamp=STAMP,
    output:
        png=report(
            "results/studies/{study}/sweep.png",
            category="Sweeps",
            labels={"study": "{study}"},
        ),
        svg="results/studies/{study}/sweep.svg",
    log:
        "results/logs/sweeps/{study}.log",
    wildcard_constraints:
        study=one_of(SWEPT_STUDIES),
    localrule: True
    params:
        code=code("study.py", report="sweeps"),
