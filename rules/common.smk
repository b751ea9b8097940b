# The configuration, and what rules ask of it. Settings reach a rule as one sorted JSON string and its
# code as one fingerprint, because Snakemake compares parameters as an unordered set of values.
import json
import sys

from snakemake.exceptions import WorkflowError

from pj import files
from pj.claims import schema as pj_claims
from pj.config import loading
from pj.errors import UserError
from pj.runs.fingerprint import fingerprint, run_fingerprint
from pj.workflow import slurm
from pj.workflow.jobs import share_package

share_package()
slurm.mend_slurm_plugin()

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"

try:
    slurm.check_profile(sys.argv, Path(workflow.basedir))
    CONFIG = loading.load(
        "config.yaml",
        *workflow.overwrite_configfiles,
        overrides=workflow.config_settings.config,
    )
    claims = pj_claims.of(CONFIG)
    files.check_writable(Path("results"))
except UserError as error:
    raise WorkflowError(str(error))

# The file of claims, and the tables that they are judged by.
CLAIMS = [CONFIG.settings.claims] if claims else []
EVIDENCE = [f"results/{table}" for table in pj_claims.tables(claims, CONFIG)]
GPU = int(CONFIG.settings.device != "cpu")  # what a job that computes asks for
ENVIRONMENT = "../envs/cuda.yaml" if GPU else "../envs/cpu.yaml"
RUNS = CONFIG.runs()
SOURCES = CONFIG.sources()
STUDIES = list(CONFIG.settings.studies)
PROBED = [name for name, run in RUNS.items() if run.spec.probe]
PROBED_STUDIES = [
    name for name, study in CONFIG.settings.studies.items() if study.probes
]
LANDSCAPES = list(CONFIG.settings.landscapes)
PATH_STUDIES = [name for name, study in CONFIG.settings.studies.items() if study.path]
PRUNINGS = list(CONFIG.settings.prunings)
INTERPRETATIONS = list(CONFIG.settings.interpretations)


def one_of(names):
    """Return a pattern that matches these names; of none, one that matches nothing."""
    return "|".join(sorted(names)) or "(?!)"


def none_of(names):
    """Return a pattern of a run's name that is none of these."""
    return f"(?!(?:{one_of(names)})/){RUN}"


# Not the names of all runs: Snakemake goes through a pattern anew for every file of every job.
RUN = "[a-z0-9][A-Za-z0-9_.-]*"


wildcard_constraints:
    run=RUN,
    seed=r"\d+",
    study=one_of(STUDIES),
    dataset=one_of(SOURCES),
    landscape=one_of(LANDSCAPES),
    pruning=one_of(PRUNINGS),
    interpretation=one_of(INTERPRETATIONS),


def spec_of(run):
    """Return the specification of a run that is named in a target."""
    if run not in RUNS:
        raise WorkflowError(
            f"{run!r} is no run of this configuration; `pj runs` lists all"
        )
    return RUNS[run].spec


def data_of(wildcards):
    return f"results/data/{spec_of(wildcards.run).data.name}.npz"


# On a cluster: what takes seconds runs beside Snakemake, and so does what needs the internet (prepare_data);
# small runs share a job (profiles/slurm).
localrules:
    all,
    prepare_data,
    modes,
    tables,
    figures,
    probes,
    probe_figures,
    paths,
    landscape_table,
    landscape_figure,
    pruning_table,
    pruning_figure,
    interpretation_table,
    interpretation_figures,
    scorecard,
    page,
    report,


SMALL = ("lenet", "mlp")


def is_small(run):
    return spec_of(run).model.name in SMALL


def minutes(small, large):
    """Return the time limit of jobs by the size of their run; a run that it cuts off goes on in the next attempt."""
    return lambda wildcards, attempt: attempt * (
        small if is_small(wildcards.run) else large
    )


def settings(**values):
    return json.dumps(values, sort_keys=True)


def code(script, run=None):
    """Return the fingerprint of a script; of a run's script, with its own model, loss and optimizer."""
    path = SCRIPTS / script
    return run_fingerprint(path, spec_of(run)) if run else fingerprint(path)


def run_files(study, *names, probed=False):
    """Return these files of every run (or of every probed one) that a study's variants need."""
    return [
        f"results/runs/{variant.spec.run}/seed{seed}/{name}"
        for variant in CONFIG.study(study).variants
        if variant.spec.probe or not probed
        for seed in variant.seeds
        for name in names
    ]


def study_settings(study):
    return settings(**CONFIG.study(study).model_dump(mode="json"))


def landscape_settings(landscape):
    return settings(**CONFIG.landscape(landscape).model_dump(mode="json"))


def pruning_settings(pruning):
    return settings(**CONFIG.pruning(pruning).model_dump(mode="json"))


def interpretation_settings(interpretation):
    return settings(**CONFIG.interpretation(interpretation).model_dump(mode="json"))


def measured_files(folder, variants):
    """Return what is measured of every run of some variants, a file each."""
    return [
        f"{folder}/{variant.spec.run}-seed{seed}.json"
        for variant in variants
        for seed in variant.seeds
    ]


def landscape_files(landscape):
    folder = f"results/landscapes/{landscape}"
    return measured_files(folder, CONFIG.landscape(landscape).variants)


def pruning_files(pruning):
    folder = f"results/prunings/{pruning}"
    return measured_files(folder, CONFIG.pruning(pruning).variants)


def interpretation_files(interpretation):
    folder = f"results/interpretations/{interpretation}"
    return measured_files(folder, CONFIG.interpretation(interpretation).variants)


def pruning_methods(pruning, run):
    """Return the orders in which a run's units go: those of the variant that it is."""
    found = CONFIG.pruning(pruning)
    return next(found.methods[v.name] for v in found.variants if v.spec.run == run)


def page_settings():
    """Return the whole configuration, without where and how fast it runs."""
    where = {"device", "threads", "max_seconds"}
    return settings(**CONFIG.settings.model_dump(mode="json", exclude=where))


# What the pages show.
TABLES = [
    *(f"results/studies/{name}/table.md" for name in STUDIES),
    *(f"results/studies/{name}/probes_table.md" for name in PROBED_STUDIES),
    *(f"results/landscapes/{name}/table.md" for name in LANDSCAPES),
    *(f"results/prunings/{name}/table.md" for name in PRUNINGS),
    *(f"results/interpretations/{name}/table.md" for name in INTERPRETATIONS),
    "results/modes/table.md",
]
FIGURES = [
    *(f"results/studies/{name}/curves.png" for name in STUDIES),
    *(f"results/studies/{name}/probes.png" for name in PROBED_STUDIES),
    *(f"results/studies/{name}/path.png" for name in PATH_STUDIES),
    *(f"results/landscapes/{name}/landscape.png" for name in LANDSCAPES),
    *(f"results/prunings/{name}/pruning.png" for name in PRUNINGS),
    *(f"results/interpretations/{name}/image.png" for name in INTERPRETATIONS),
]


def source_settings(dataset):
    """Return what a dataset is; where official archives lie (``folder``) does not change it."""
    content = SOURCES[dataset].model_dump(mode="json", exclude={"folder", "label"})
    return json.dumps(content, sort_keys=True)


def source_code(dataset):
    return fingerprint(
        SCRIPTS / "prepare_data.py", {"pj.data.sources": SOURCES[dataset].source}
    )


def source_files(dataset):
    """Return a user's own files, so that new ones ask for the dataset, and all after it, anew."""
    source = SOURCES[dataset]
    if source.source == "npz":
        # if it is not there, the job says so
        return [source.path] if Path(source.path).exists() else []
    if source.source == "folder":
        return sorted(str(p) for p in Path(source.path).glob("*/*/*") if p.is_file())
    return []
