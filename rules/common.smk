# The configuration, and what rules ask of it. Settings reach a rule as one sorted JSON string and its
# code as one fingerprint, because Snakemake compares parameters as an unordered set of values.
import json

from snakemake.exceptions import WorkflowError

from pj import config as pj_config
from pj import files
from pj.errors import UserError
from pj.fingerprint import fingerprint
from pj.jobs import share_package

share_package()

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"

try:
    CONFIG = pj_config.load(
        "config.yaml",
        *workflow.overwrite_configfiles,
        overrides=workflow.config_settings.config,
    )
    files.check_writable(Path("results"))
except UserError as error:
    raise WorkflowError(str(error))

RUNS = CONFIG.runs()
SOURCES = CONFIG.sources()
STUDIES = list(CONFIG.settings.studies)


wildcard_constraints:
    run="|".join(RUNS),
    seed=r"\d+",
    study="|".join(STUDIES),
    dataset="|".join(SOURCES),


def settings(**values):
    return json.dumps(values, sort_keys=True)


def code(script, run=None):
    """Return the fingerprint of a script; of a run's script, with its own model, loss and optimizer."""
    spec = RUNS[run].spec if run else None
    parts = ("model", "loss", "optimizer")
    registries = ("pj.models", "pj.losses", "pj.optim")
    chosen = (
        {r: getattr(spec, p).name for r, p in zip(registries, parts)} if spec else {}
    )
    return fingerprint(SCRIPTS / script, chosen)


def run_files(study, name):
    """Return one file of every run that a study's variants need."""
    return [
        f"results/runs/{variant.spec.run}/seed{seed}/{name}"
        for variant in CONFIG.study(study).variants
        for seed in variant.seeds
    ]


def study_settings(study):
    return json.dumps(CONFIG.study(study).model_dump(mode="json"), sort_keys=True)
