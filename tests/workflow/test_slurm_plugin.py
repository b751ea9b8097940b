"""What the project adds to Snakemake and its plugin for SLURM."""

import asyncio
import sys
import types
from pathlib import Path

import pytest

from pj.errors import UserError
from pj.workflow import slurm


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """A folder with two profiles, which is the working directory."""
    for name in ("default", "slurm"):
        (tmp_path / "profiles" / name).mkdir(parents=True)
        (tmp_path / "profiles" / name / "config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("call", ["--workflow-profile profiles/slrum -n", "-n --workflow-profile=slrum"])
def test_an_unknown_workflow_profile_is_reported_with_the_existing_ones(profiles, call):
    with pytest.raises(
        UserError, match=r"slrum.*this profile does not exist; available: profiles/default, profiles/slurm"
    ):
        slurm.check_profile(call.split(), profiles)


@pytest.mark.parametrize(
    "call",
    [
        "-n",
        "--workflow-profile none",
        "--workflow-profile slurm",
        "--workflow-prof slurm",
        "--workflow-profile=profiles/slurm",
    ],
)
def test_a_workflow_profile_that_snakemake_finds_is_taken(profiles, call):
    slurm.check_profile(call.split(), profiles)


def test_a_profile_beside_the_call_is_taken_when_results_go_elsewhere(profiles, tmp_path, monkeypatch):
    monkeypatch.setenv("PWD", str(profiles))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # what --directory does
    slurm.check_profile(["--workflow-profile", "profiles/slurm"], Path("/nowhere"))


@pytest.fixture
def plugin(monkeypatch):
    """A plugin for SLURM whose answers a test gives."""
    found = types.SimpleNamespace(get_min_job_age=lambda: None, query_job_status=None)
    monkeypatch.setitem(sys.modules, slurm.PLUGIN, found)
    return found


def test_how_long_slurm_remembers_jobs_stays_known_while_its_controller_is_down(plugin):
    answers = iter([None, 300, None, 400])
    plugin.get_min_job_age = lambda: next(answers)
    slurm.patch_slurm_plugin()
    assert [plugin.get_min_job_age() for _ in range(4)] == [None, 300, 300, 400]


def test_a_job_that_was_cancelled_or_preempted_is_in_a_state_that_the_plugin_knows(plugin):
    async def query(command, logger):
        states = {"1": "CANCELLED by 1000", "2": "PREEMPTED", "3": "RUNNING"}
        return (states if command else None), 0.5

    plugin.query_job_status = query
    slurm.patch_slurm_plugin()
    states = {"1": "CANCELLED", "2": "CANCELLED", "3": "RUNNING"}
    assert asyncio.run(plugin.query_job_status("squeue", None)) == (states, 0.5)
    assert asyncio.run(plugin.query_job_status("", None)) == (None, 0.5)


def test_what_is_patched_in_the_plugin_is_what_it_asks():
    plugin = pytest.importorskip(slurm.PLUGIN)
    asked = plugin.Executor.check_active_jobs.__code__.co_names
    assert {"get_min_job_age", "query_job_status"} <= set(asked) & set(vars(plugin))


def test_the_example_of_partitions_is_one_that_the_plugin_reads():
    partitions = pytest.importorskip("snakemake_executor_plugin_slurm.partitions")
    example = Path(__file__).parents[2] / "profiles" / "slurm" / "partitions.example.yaml"
    limits = {found.name: found.limits for found in partitions.read_partition_file(example)}
    assert limits["gpu-short"].max_runtime == 4 * 60 and limits["gpu-long"].max_runtime == 48 * 60
    assert limits["gpu-short"].max_gpu == 1
