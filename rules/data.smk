# Every dataset becomes one checked file that all training reads.


def source_settings(wildcards):
    """Return what a dataset is; where official archives lie (``folder``) does not change it."""
    return as_settings(SOURCES[wildcards.dataset], exclude={"folder", "label"})


def source_code(wildcards):
    source = SOURCES[wildcards.dataset].source
    return fingerprint(SCRIPTS / "prepare_data.py", {"pj.data.sources": source})


def source_files(wildcards):
    """Return a user's own files, so that new ones ask for the dataset, and all after it, anew."""
    source = SOURCES[wildcards.dataset]
    if source.source == "npz":
        # if it is not there, the job says so
        return [source.path] if Path(source.path).exists() else []
    if source.source == "folder":
        return sorted(str(p) for p in Path(source.path).glob("*/*/*") if p.is_file())
    return []


rule prepare_data:
    input:
        source_files,
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
    script:
        "../workflow/scripts/prepare_data.py"
