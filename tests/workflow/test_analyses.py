"""Probes, landscapes, prunings and interpretations by Snakemake, and what edits of their code run again."""

import shutil
from pathlib import Path

import pytest

from helpers.project import PROBED, copy, edit, planned, snakemake
from pj.config import loading
from pj.config.analyses import ANALYSES
from pj.report import inventory

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def probed(tmp_path_factory) -> Path:
    """Studies of probed runs and of DessiLBI, the landscape of some and the pruning of others, run whole."""
    project = copy(tmp_path_factory.mktemp("probed"))
    (project / "config.yaml").write_text(f"words: words.yaml\n{PROBED}")
    (project / "words.yaml").write_text("introduction: These are digits.\n")
    snakemake(project, config=())
    return project


def jobs(project: Path) -> dict[str, int]:
    """Return how many jobs of each rule a dry run of everything would start; it changes no file."""
    before = state(project)
    found = planned(snakemake(project, "-n", config=()))
    assert state(project) == before
    return found


def state(project: Path) -> dict[Path, tuple[int, int]]:
    found = [(path, path.stat()) for path in project.joinpath("results").rglob("*") if path.is_file()]
    return {path: (status.st_mtime_ns, status.st_size) for path, status in found}


def test_analyses_of_runs_become_tables_and_figures_in_the_report(probed):
    study = probed / "results" / "studies" / "probed"
    for name in ("probes.csv", "probes_table.csv", "probes_table.md", "probes.png", "probes.svg"):
        assert (study / name).stat().st_size > 0
    landscape = probed / "results" / "landscapes" / "both"
    assert len(list(landscape.glob("*-seed*.json"))) == 2
    page = (probed / "results" / "report.md").read_text()
    for part in (
        "studies/probed/probes.png",
        "effective beta",
        "landscapes/both/landscape.png",
        "## Loss landscape of finished networks",
    ):
        assert part in page
    for name in ("path.png", "path.svg", "weights.png"):
        assert (probed / "results" / "studies" / "selected" / name).stat().st_size > 0
    pruned = (probed / "results" / "prunings" / "conv3" / "table.md").read_text()
    assert "path, last selected first" in pruned and "rival, at random" in pruned
    assert "prunings/conv3/pruning.png" in page and "studies/selected/path.png" in page
    inside = probed / "results" / "interpretations" / "inside"
    assert {p.name for p in inside.iterdir()} >= {
        "table.md",
        "table.csv",
        "image.png",
        "sheet.png",
        "tests.png",
    }
    assert "interpretations/inside/sheet.png" in page and "Grad-CAM at" in page
    html = (probed / "results" / "report.html").read_text()
    assert "These are digits." in page and "These are digits." in html
    config = loading.load(probed / "config.yaml")
    for kind, names in (
        ("studies", config.settings.studies),
        *((key, config.analyses(key)) for key in ANALYSES),
    ):
        for name in names:
            files = {path.name for path in (probed / "results" / kind / name).iterdir()}
            assert {file for file in files if "-seed" not in file} == inventory.of(config, kind, name)
    with_probes = {p.parent.parent.name for p in probed.glob("results/runs/*/seed0/probes.csv")}
    assert len(with_probes) == 2 and len(list(probed.glob("results/runs/*/seed0/run.json"))) == 5
    assert jobs(probed) == {}


PAGES = {"report", "page"}  # the scorecard of no claims asks for nothing
OF_TABLES = {"numbers", *PAGES}
DOWNSTREAM = {"evaluate", "tables", "figures", "probes", "probe_figures", *OF_TABLES}
OF_ANALYSES = {"measure", "analysis_table", "analysis_figure", *OF_TABLES}
OF_DESSILBI = {"train", "evaluate", "tables", "figures", "paths", *OF_ANALYSES}


@pytest.mark.parametrize(
    ("file", "old", "new", "wanted"),
    [
        ("words.yaml", "digits", "numerals", PAGES),
        ("src/pj/landscape/surface.py", "TOLERANCE = 1e-3", "TOLERANCE = 1e-4", OF_ANALYSES),
        (
            "src/pj/training/probing.py",
            "step % self",
            "(step + 1) % self",
            {"train_probed", *DOWNSTREAM, *OF_ANALYSES},
        ),
        (
            "src/pj/report/tables/probes.py",
            '"effective beta"',
            '"beta"',
            {"probes", "probe_figures", *OF_TABLES},
        ),
        ("src/pj/report/figures/probes.py", '"without"', '"plain"', {"probe_figures", "page"}),
        ("src/pj/pruning/networks.py", "percent / 100", "percent / 101", OF_ANALYSES),
        ("src/pj/report/figures/paths.py", "> 1e-3", "> 1e-4", {"paths", "page"}),
        ("src/pj/optim/dessilbi.py", '"conv": 1.0', '"conv": 2.0', OF_DESSILBI),
        ("src/pj/claims/looks.py", "ALPHA = 0.05", "ALPHA = 0.01", {"scorecard", *OF_TABLES}),
        ("src/pj/report/text/caveats.py", "FEW = 5", "FEW = 6", PAGES),
        ("src/pj/interpret/sanity.py", "ranks < share", "ranks <= share", OF_ANALYSES),
        (
            "src/pj/report/figures/interpret.py",
            'colors="white"',
            'colors="red"',
            {"analysis_figure", "page"},
        ),
        ("src/pj/report/figures/landscape.py", '"Greys"', '"Blues"', {"analysis_figure", "page"}),
    ],
)
def test_editing_an_analysis_runs_what_uses_it(probed, tmp_path, file, old, new, wanted):
    project = Path(shutil.copytree(probed, tmp_path / "project"))
    edit(project, file, old, new)
    assert jobs(project).keys() == wanted


def test_measurements_say_themselves_by_which_code_and_settings_they_were_made(probed, tmp_path):
    """When Snakemake has lost its notes, and when someone edited a number."""
    project = Path(shutil.copytree(probed, tmp_path / "project"))
    shutil.rmtree(project / ".snakemake")
    assert "measure" not in jobs(project)
    edit(project, "src/pj/landscape/surface.py", "TOLERANCE = 1e-3", "TOLERANCE = 1e-4")
    assert jobs(project)["measure"] == 2
    edit(project, "src/pj/landscape/surface.py", "TOLERANCE = 1e-4", "TOLERANCE = 1e-3")
    edit(project, "config.yaml", "points: 3", "points: 5")
    assert jobs(project)["measure"] == 2


def test_data_that_are_prepared_again_with_equal_content_train_and_measure_nothing_again(probed, tmp_path):
    """Snakemake runs the jobs, since their data are new; they put back what there was."""
    project = Path(shutil.copytree(probed, tmp_path / "project"))
    landscape = project / "results" / "landscapes" / "both"
    kept = [*project.glob("results/runs/*/seed*/*"), *landscape.glob("*-seed*.json")]
    before = {path: path.read_bytes() for path in kept}
    output = snakemake(project, "-R", "prepare_data", "--", "results/landscapes/both/table.md", config=())
    assert output.count("nothing was trained") == 2 and output.count("was measured already") == 2
    assert {path: path.read_bytes() for path in before} == before
    assert not [path for path in (project / "results" / ".kept").rglob("*") if path.is_file()]


def test_what_is_forced_is_trained_again_though_it_is_kept(probed, tmp_path):
    project = Path(shutil.copytree(probed, tmp_path / "project"))
    folder = next(iter(project.glob("results/runs/*/seed0/probes.csv"))).parent
    log = project / "results" / "logs" / "train" / f"{folder.parent.name}-seed0.log"
    target = str((folder / "run.json").relative_to(project))
    for _ in range(2):  # the second time it is kept for its evaluation
        log.unlink()
        assert "nothing was trained" not in snakemake(project, "-R", "train_probed", "--", target, config=())
        assert "begins at its first step" in log.read_text()
