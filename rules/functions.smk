# Functions of rules: files, settings and code by their wildcards.


def spec_of(run):
    """Return the specification of a run that is named in a target."""
    if run not in RUNS:
        raise WorkflowError(
            f"{run!r} is not a run of this configuration; `pj runs` lists all runs"
        )
    return RUNS[run].spec


def data_of(wildcards):
    return f"results/data/{spec_of(wildcards.run).data.name}.npz"


def is_small(run):
    """Whether a run shares its job with others on a cluster (profiles/slurm)."""
    return facts(spec_of(run).model).get("SMALL", False)


def minutes(small, large):
    """Return the time limit of jobs in minutes, by the size of their run; the next attempt continues the run."""
    return lambda wildcards, attempt: attempt * (
        small if is_small(wildcards.run) else large
    )


def code(script, run=None, targets=(), **choices):
    """Return the fingerprint of a script; with a run, of the script with that run's model, loss and optimizer."""
    path = SCRIPTS / script
    if run:
        return run_fingerprint(path, spec_of(run), targets)
    return fingerprint(
        path, {f"pj.{name}": choice for name, choice in choices.items()}, targets
    )


def as_settings(model, **options):
    """Return a model of settings as one sorted JSON string."""
    return json.dumps(model.model_dump(mode="json", **options), sort_keys=True)


def study_settings(wildcards):
    return as_settings(CONFIG.study(wildcards.study))


def run_files(study, *names, probed=False):
    """Return these files of every run (or of every probed run) of a study's variants."""
    return [
        f"results/runs/{variant.spec.run}/seed{seed}/{name}"
        for variant in CONFIG.study(study).variants
        if variant.spec.probe or not probed
        for seed in variant.seeds
        for name in names
    ]


# Data.


def source_settings(wildcards):
    """Return the settings of a dataset, without ``folder``, the place of the official archives."""
    return as_settings(SOURCES[wildcards.dataset], exclude={"folder", "label"})


def download_folder(wildcards):
    """Return the place of the official archives; none of other sources."""
    source = SOURCES[wildcards.dataset]
    return source.folder if source.source == "torchvision" else ""


def source_code(wildcards):
    source = SOURCES[wildcards.dataset].source
    return fingerprint(SCRIPTS / "prepare_data.py", {"pj.data.sources": source})


def source_stamp(wildcards):
    """Return the file that is newer than the prepared data if a user's own files hold something else."""
    stamp = watched.stamp(wildcards.dataset, Path("results/data"))
    return [str(stamp)] if stamp.exists() else []


def source_content(wildcards):
    """Return a hash of a user's own files, so that changed ones rebuild the dataset and all that depends on it."""
    label = wildcards.dataset
    return watched.prepared_or_now(label, SOURCES[label], Path("results/data"))


# Training.


def checks_of(wildcards):
    """Return the checks of a network that pj does not know, and of a user's own loss, optimizer and schedule."""
    return [f"results/networks/{name}.json" for name in checks(spec_of(wildcards.run))]


def network_first(wildcards):
    """Return the check of a network that has to succeed before another check that builds it."""
    name = network_name(NETWORKS[wildcards.network])
    waits = name in NETWORKS and name != wildcards.network
    return [f"results/networks/{name}.json"] if waits else []


def none_of(names):
    """Return a pattern that matches the names of runs except these."""
    return f"(?!(?:{one_of(names)})/){RUN}"


# Studies.


def networks(study):
    """Return for each variant whether it has batch norm, which determines how probes are paired."""
    return repr(
        [variant.spec.has_batch_norm for variant in CONFIG.study(study).variants]
    )


# Analyses.


def analysed(wildcards):
    there = CONFIG.analyses(wildcards.analysis)
    if wildcards.name not in there:
        raise WorkflowError(
            f"{wildcards.analysis} has no entry {wildcards.name!r}; available: {', '.join(there)}"
        )
    return CONFIG.analysed(wildcards.analysis, wildcards.name)


def analysed_settings(wildcards):
    return as_settings(analysed(wildcards))


def asked(wildcards):
    """Return what to measure of a run, from the variant that the run belongs to."""
    found = analysed(wildcards)
    named = [v.name for v in found.variants if v.spec.run == wildcards.run]
    if not named:
        raise WorkflowError(
            f"{wildcards.run!r} is not a run of {wildcards.analysis} {wildcards.name!r}"
        )
    frame = CONFIG.analyses(wildcards.analysis)[wildcards.name]
    return as_settings(frame.asked(named[0]))


def measured(wildcards):
    """Return the results of an analysis, one file per run."""
    return [
        f"results/{wildcards.analysis}/{wildcards.name}/{variant.spec.run}-seed{seed}.json"
        for variant in analysed(wildcards).variants
        for seed in variant.seeds
    ]


def figure_code(wildcards):
    figures = ANALYSES[wildcards.analysis].figures
    if wildcards.figure not in figures:
        raise WorkflowError(
            f"{wildcards.analysis} has no figure {wildcards.figure!r}; available: {', '.join(figures)}"
        )
    return code("analysis_figure.py", targets=[figures[wildcards.figure].draw])


# Pages.


def page_settings(wildcards):
    """Return the whole configuration without settings that cannot change a page (device, threads, time limit)."""
    settings = CONFIG.settings.model_dump(
        mode="json", exclude={"device", "threads", "max_seconds"}
    )
    # in the order of config.yaml, which is that of the page
    return json.dumps(settings)


def claims_code(rule, targets=()):
    """Return the code of a page with what it resolves by name, and the columns of analyses that claims are judged by."""
    cells = [
        (key, found.cells.rows, found.cells.values) for key, found in ANALYSES.items()
    ]
    return f"{code('page.py', targets=targets, report=rule)} {cells}"


def page_words(wildcards):
    """Return the pages' texts about analyses."""
    return repr(
        [
            (
                found.title,
                found.text,
                found.figures,
            )
            for found in ANALYSES.values()
        ]
    )
