# The workflow from config.yaml to results/report.md; the README says how to run it.
from snakemake.utils import min_version

min_version("9.19")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/functions.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/studies.smk"
include: "rules/analyses.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "results/report.md",  # links to the figures, so it is not rewritten when they change
        "results/report.html",
        "results/claims.md",
        "results/numbers.tex",
        FIGURES,
    localrule: True


outputs.known += [*TABLES, *rules.all.input]
why.workflow = why.Known(CONFIG, RUNS, Path("results"))
# The targets are not known yet while this file is read.
outputs.pages_asked = lambda: outputs.whole(workflow.dag_settings)
why.asked = lambda: workflow.dag_settings


onstart:
    dates.keep()  # jobs start
    planned = [
        again.Job(
            job.rule.name,
            job.wildcards_dict,
            again.forced(
                job.rule.name, map(str, job.output), workflow.dag_settings
            ),
        )
        for job in workflow.dag.needrun_jobs()
    ]
    try:
        slurm.check_controller(workflow.executor_plugin.name)
        slurm.check_queue(workflow.executor_plugin.name)
        # with -k each job says for itself that its run is in training
        keep_going = workflow.execution_settings.keep_going
        if not keep_going:
            running.check(again.trained(planned), Path("results"))
    except UserError as error:
        sys.exit(f"pj: {error}")
    again.keep(planned, CONFIG, Path("results"))
    why.note_code(Path("results"))
    jobs.stop_at_signals()


onerror:
    derived.note(CONFIG, Path("results"), STARTED)


onsuccess:
    derived.note(CONFIG, Path("results"), STARTED)
    for line in outputs.closing_lines(0.0 if outputs.pages_asked() else STARTED):
        print(line)
