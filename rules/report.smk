# The scorecard, and the pages that everything stands in.


def page_settings(wildcards):
    """Return the whole configuration, without where and how fast it runs."""
    return as_settings(CONFIG.settings, exclude={"device", "threads", "max_seconds"})


def page_words(wildcards):
    """Return what pages say of analyses, and which of their numbers claims name."""
    return repr(
        [
            (
                found.title,
                found.text,
                found.figures,
                found.cells.rows,
                found.cells.values,
            )
            for found in ANALYSES.values()
        ]
    )


rule scorecard:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
    output:
        csv="results/claims.csv",
        markdown="results/claims.md",
        latex="results/claims.tex",
        data="results/claims.json",
    log:
        "results/logs/scorecard.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        settings=page_settings,
        words=page_words,
        code=code("page.py", report="scorecard"),
    script:
        "../workflow/scripts/page.py"


use rule scorecard as page with:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        words=WORDS,
        tables=TABLES,
        figures=FIGURES,
    output:
        report(
            "results/report.html", category="Scorecard", labels={"shows": "everything"}
        ),
    log:
        "results/logs/page.log",
    localrule: True
    params:
        code=code("page.py", report="page"),


use rule scorecard as report with:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        words=WORDS,
        tables=TABLES,
    output:
        "results/report.md",
    log:
        "results/logs/report.log",
    localrule: True
    params:
        code=code("page.py", report="report"),
