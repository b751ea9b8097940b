# The configuration, and what rules ask of it. Settings reach a rule as one sorted JSON string and its
# code as one fingerprint, because Snakemake compares parameters as an unordered set of values.
import json
import sys

from snakemake.exceptions import WorkflowError

from pj.errors import UserError

try:  # a faulty component is found when its card is read
    from pj import files
    from pj.claims import schema
    from pj.claims.loading import of as load_claims
    from pj.config import loading, words
    from pj.config.analyses import ANALYSES
    from pj.config.components import MODELS
    from pj.runs.fingerprint import fingerprint, run_fingerprint
    from pj.workflow import outputs, slurm
    from pj.workflow.jobs import share_package
except UserError as error:
    raise WorkflowError(str(error))

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
    claims = load_claims(CONFIG)
    words.of(CONFIG)  # its faults
    files.check_writable(Path("results"))
except UserError as error:
    raise WorkflowError(str(error))

# The file of claims, and the tables that they are judged by.
CLAIMS = [CONFIG.settings.claims] if claims else []
WORDS = [CONFIG.settings.words] if CONFIG.settings.words else []
EVIDENCE = [f"results/{table}" for table in schema.tables(claims, CONFIG)]
TABLES, FIGURES = outputs.tables(CONFIG), outputs.figures(CONFIG)  # what the pages show
GPU = int(CONFIG.settings.device != "cpu")  # what a job that computes asks for
ENVIRONMENT = "../envs/cuda.yaml" if GPU else "../envs/cpu.yaml"
RUNS = CONFIG.runs()
SOURCES = CONFIG.sources()
PROBED = [name for name, run in RUNS.items() if run.spec.probe]


def one_of(names):
    """Return a pattern that matches these names; of none, one that matches nothing."""
    return "|".join(sorted(names)) or "(?!)"


# Not the names of all runs: Snakemake goes through a pattern anew for every file of every job.
RUN = "[a-z0-9][A-Za-z0-9_.-]*"


wildcard_constraints:
    run=RUN,
    seed=r"\d+",
    study=one_of(CONFIG.settings.studies),
    dataset=one_of(SOURCES),
    analysis=one_of(ANALYSES),
    name=one_of(name for key in ANALYSES for name in CONFIG.analyses(key)),
    figure=one_of(name for found in ANALYSES.values() for name in found.figures),


def spec_of(run):
    """Return the specification of a run that is named in a target."""
    if run not in RUNS:
        raise WorkflowError(
            f"{run!r} is no run of this configuration; `pj runs` lists all"
        )
    return RUNS[run].spec


def data_of(wildcards):
    return f"results/data/{spec_of(wildcards.run).data.name}.npz"


def is_small(run):
    """Whether a run shares its job with others on a cluster (profiles/slurm)."""
    return MODELS[spec_of(run).model.name].facts.get("SMALL", False)


def minutes(small, large):
    """Return the time limit of jobs by the size of their run; a run that it cuts off goes on in the next attempt."""
    return lambda wildcards, attempt: attempt * (
        small if is_small(wildcards.run) else large
    )


def code(script, run=None, targets=(), **choices):
    """Return the fingerprint of a script; of a run's script, with its own model, loss and optimizer."""
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
    """Return these files of every run (or of every probed one) that a study's variants need."""
    return [
        f"results/runs/{variant.spec.run}/seed{seed}/{name}"
        for variant in CONFIG.study(study).variants
        if variant.spec.probe or not probed
        for seed in variant.seeds
        for name in names
    ]
