# The configuration, and what the rules take from it. A rule gets its settings as one sorted JSON string and
# its code as one fingerprint, because Snakemake compares parameters as an unordered set of values.
import json
import os
import sys
import time

from snakemake.exceptions import WorkflowError

from pj.errors import UserError
from pj.workflow.jobs import collect_rarely

collect_rarely()  # saves a tenth and more of a call's time

# A WorkflowError would be shown with the place in this file, which is not where the fault is.
try:  # these imports read the declarations of all components and report faulty ones
    from pj import files
    from pj.claims import schema
    from pj.claims.loading import of as load_claims
    from pj.config import loading, sweeps, words
    from pj.config.analyses import ANALYSES
    from pj.config.components import facts
    from pj.config.spec import checks, network_name
    from pj.runs.fingerprint import fingerprint, run_fingerprint
    from pj.workflow import again, dates, derived, jobs, outputs, running
    from pj.workflow import slots, slurm, verify, watched, why
except UserError as error:
    sys.exit(f"pj: {error}")

STARTED = time.time()
IN_JOB = "PJ_JOB" in os.environ  # of a cluster: Snakemake reads this file again in each
jobs.share_package()
slurm.patch_slurm_plugin()

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
SCRIPTS = HERE / "workflow" / "scripts"

try:
    slurm.check_profile(sys.argv, Path(workflow.basedir))
    CONFIG = loading.load(
        "config.yaml",
        *workflow.overwrite_configfiles,
        overrides=workflow.config_settings.config,
    )
    claims = load_claims(CONFIG)
    words.of(CONFIG)  # checks it
    for folder in ("results", "results/runs", "results/data"):
        files.check_writable(Path(folder))
    if not IN_JOB:  # Snakemake goes by dates, and these say nothing or the wrong thing
        dates.restore_at_exit()  # unless jobs start: a dry run changes nothing
        for text in filter(None, (CONFIG.settings.claims, CONFIG.settings.words)):
            dates.not_in_future(Path(text))
        watched.set_back(Path("results/data"))
        watched.set_back(Path("results/networks"))
        watched.check(CONFIG.sources(), Path("results"))
        verify.mark(CONFIG.runs(), Path("results"))
        derived.mark(CONFIG, Path("results"))
        derived.date_back(CONFIG, Path("results"))
except UserError as error:
    sys.exit(f"pj: {error}")

STAMP = f"results/{derived.STAMP}"  # older than what is made once it is there
# The files of claims and of texts, and the tables that claims are judged by.
CLAIMS = [CONFIG.settings.claims] if claims else []
WORDS = [CONFIG.settings.words] if CONFIG.settings.words else []
EVIDENCE = [f"results/{table}" for table in schema.tables(claims, CONFIG)]
TABLES, FIGURES = outputs.tables(CONFIG), outputs.figures(CONFIG)  # what the pages show
GPU = int(CONFIG.settings.device != "cpu")  # GPUs of a job that computes
# Snakemake does not limit GPUs by itself: without --resources each core would have a job on one.
if not IN_JOB and workflow.local_exec:
    if CARDS := slots.number(CONFIG.settings.device):
        workflow.global_resources.setdefault("gpu", CARDS)
ENVIRONMENT = "../envs/cuda.yaml" if GPU else "../envs/cpu.yaml"
RUNS = CONFIG.runs()
SOURCES = CONFIG.sources()
# What only building it can check, networks and a user's own parts: each is tried once, before its runs.
NETWORKS = {
    name: spec for run in RUNS.values() for name, spec in checks(run.spec).items()
}
PROBED = [name for name, run in RUNS.items() if run.spec.probe]
PROBED_STUDIES = [
    name for name, study in CONFIG.settings.studies.items() if study.probes
]
PATH_STUDIES = [name for name, study in CONFIG.settings.studies.items() if study.path]
SWEPT_STUDIES = [
    name for name, study in CONFIG.settings.studies.items() if sweeps.axis(study.sweep)
]


def one_of(names):
    """Return a pattern that matches these names; without names, one that matches nothing."""
    return "|".join(sorted(names)) or "(?!)"


# Not the names of all runs: Snakemake evaluates the pattern for every file of every job.
RUN = "[A-Za-z0-9][A-Za-z0-9_.-]*"


wildcard_constraints:
    run=RUN,
    seed=r"\d+",
    study=one_of(CONFIG.settings.studies),
    dataset=one_of(SOURCES),
    analysis=one_of(ANALYSES),
    name=one_of(name for key in ANALYSES for name in CONFIG.analyses(key)),
    figure=one_of(name for found in ANALYSES.values() for name in found.figures),
