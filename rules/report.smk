# Tables and figures a study, and the page they stand in.


rule tables:
    input:
        lambda wildcards: run_files(wildcards.study, "evaluation.json"),
        lambda wildcards: run_files(wildcards.study, "steps.csv", probed=True),
    output:
        markdown="results/studies/{study}/table.md",
        latex="results/studies/{study}/table.tex",
        csv="results/studies/{study}/table.csv",
        runs="results/studies/{study}/runs.csv",
    log:
        "results/logs/tables/{study}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: study_settings(wildcards.study),
        code=lambda wildcards: code("tables.py"),
    script:
        "../workflow/scripts/tables.py"


rule figures:
    input:
        lambda wildcards: run_files(wildcards.study, "metrics.csv", "run.json"),
    output:
        png=report(
            "results/studies/{study}/curves.png",
            category="Learning curves",
            labels={"study": "{study}"},
        ),
        svg="results/studies/{study}/curves.svg",
    log:
        "results/logs/figures/{study}.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: study_settings(wildcards.study),
        code=lambda wildcards: code("figures.py"),
    script:
        "../workflow/scripts/figures.py"


rule scorecard:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
    output:
        csv="results/claims.csv",
        markdown="results/claims.md",
        latex="results/claims.tex",
    log:
        "results/logs/scorecard.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: page_settings(),
        code=lambda wildcards: code("scorecard.py"),
    script:
        "../workflow/scripts/scorecard.py"


rule page:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        tables=TABLES,
        figures=FIGURES,
    output:
        report(
            "results/report.html", category="Scorecard", labels={"shows": "everything"}
        ),
    log:
        "results/logs/page.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: page_settings(),
        code=lambda wildcards: code("page.py"),
    script:
        "../workflow/scripts/page.py"


rule report:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        tables=TABLES,
    output:
        "results/report.md",
    log:
        "results/logs/report.log",
    conda:
        ENVIRONMENT
    params:
        settings=lambda wildcards: page_settings(),
        code=lambda wildcards: code("report.py"),
    script:
        "../workflow/scripts/report.py"
