# The scorecard, and the pages with all results.


rule scorecard:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        stamp=STAMP,
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
        code=claims_code("scorecard"),
    script:
        "../workflow/scripts/page.py"


use rule scorecard as numbers with:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        stamp=STAMP,
        tables=TABLES,
    output:
        "results/numbers.tex",
    log:
        "results/logs/numbers.log",
    localrule: True
    params:
        code=claims_code("numbers", [found.table for found in ANALYSES.values()]),


use rule scorecard as page with:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        stamp=STAMP,
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
        code=claims_code("page"),
        words=page_words,


use rule scorecard as report with:
    input:
        evidence=EVIDENCE,
        claims=CLAIMS,
        stamp=STAMP,
        words=WORDS,
        tables=TABLES,
    output:
        "results/report.md",
    log:
        "results/logs/report.log",
    localrule: True
    params:
        code=claims_code("report"),
        words=page_words,
