"""What adding takes: a model is one file and one line, an analysis a declaration and what it names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from helpers.project import ROOT, copy, edit, planned, snakemake

pytestmark = pytest.mark.workflow

TINYNET = '''
"""A small network."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pj.config.types import Width
from pj.models.blocks import conv_bn, scaled


class TinyNet(nn.Module):
    """Two convolutions, global mean, linear classes.

    Args:
        second: a second convolution of as many channels.

    """

    LAYERS: ClassVar = {"conv": "1 + second", "linear": 1}
    MAPS: ClassVar = {"features": "features"}
    CONSUMERS: ClassVar = {"conv1": ["conv2"]}

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        width: Width = 1.0,
        second: bool = True,
    ) -> None:
        super().__init__()
        channels = scaled(8, width)
        blocks = [conv_bn(in_channels, channels), *([conv_bn(channels, channels)] if second else [])]
        self.features = nn.Sequential(*(layer for block in blocks for layer in block))
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, C, H, W] to logits [N, K]."""
        return self.head(self.features(x).mean(dim=(2, 3)))
'''
OWN = """
seeds: [0]
threads: 1
claims: claims.yaml
datasets: {digits: {source: digits, image_size: 8}}
studies:
  own:
    title: A small network
    base:
      data: {name: digits, train: 100, test: 50}
      model: {name: tinynet}
      loss: {name: cross_entropy}
      optimizer: {name: dessilbi, lr: 0.1, lambdas: {conv: 0.01, linear: 0.001}}
      epochs: 1
      batch_size: 25
      probe: {every: 2, gradient: {absolute: [0.01, 0.1]}, ics: [conv2]}
    path: {weights_of: conv2}
    variants:
      tiny: {}
prunings:
  own:
    title: Pruned
    study: own
    methods: {tiny: [path]}
    settings: {layers: [conv1, linear1], percents: [0, 50]}
interpretations:
  own:
    title: Inside
    study: own
    variants: [tiny]
    view: {feature_maps: [conv2], grad_cam: [features], per_class: 1, images: 10, draws: 1}
landscapes:
  own: {title: Around, study: own, variants: [tiny], slices: {images: 20, points: 3, side: 3}}
norms:
  own: {title: How long, study: own, variants: [tiny], of: {layers: [conv1, linear1]}}
"""


DECLARED = '''
"""The norms of layers' weights."""

from pydantic import Field

from pj.config.analyses.declaration import Analysis, AnalysisSettings, Cells, Figure, Variants
from pj.config.types import Layers, Strict


class Asked(Strict):
    """Which layers."""

    layers: Layers = Field(description="whose norms are taken")


class NormSettings(AnalysisSettings):
    """Of which runs norms are taken."""

    variants: Variants = Field(description="of the study")
    of: Asked = Field(description="what is measured")

    def asked(self, variant: str) -> Asked:
        """Return the layers, which are those of every variant."""
        return self.of


NORMS = Analysis(
    key="norms",
    settings=NormSettings,
    asked=Asked,
    measure="pj.norms:measure",
    table="pj.norms",
    figures={"norms": Figure("pj.norms:draw", "norms of layers by variant")},
    title="Norms of weights",
    text="The Euclidean norm of a layer's weights.\\n",
    cells=Cells(("layer",), ("norm",), lambda settings, variant: [list(settings.of.layers)]),
)
'''
MEASURED = '''
"""Norms of weights: measured, as a table, drawn."""

import pandas as pd
from matplotlib.figure import Figure

from pj.report.text.sheet import Sheet


def measure(run, asked):
    """Return the norm of each layer."""
    keys = {layer: run.checkpoint["layers"][layer] for layer in asked.layers}
    return {"norms": {layer: float(run.model.get_parameter(key).norm()) for layer, key in keys.items()}}


def table(analysed, found):
    """Return one row per run and layer."""
    rows = [
        {"variant": variant, "seed": seed, "state": run["state"], "layer": layer, "norm": norm}
        for variant, runs in found.items()
        for seed, run in runs.items()
        for layer, norm in run.get("norms", {None: None}).items()
    ]
    return pd.DataFrame(rows)


def sheet(analysed, found):
    """Return the table for people."""
    return Sheet("Norms.", table(analysed, found).astype(str))


def draw(analysed, found):
    """Return the figure."""
    figure = Figure()
    figure.subplots().plot(table(analysed, found)["norm"])
    return figure
'''
CLAIM = """
claims:
  - {id: 1, report: me, statement: conv1 is longer, statistic: contrast, expect: above, margin: 0.5,
     contrast: {norms/own/tiny/conv1: 1, norms/own/tiny/linear1: -1}}
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A project whose pj has one more network and one more analysis, run whole, in 40 s."""
    project = copy(tmp_path_factory.mktemp("extended"))
    (project / "src/pj/models/tinynet.py").write_text(TINYNET)
    edit(
        project,
        "src/pj/models/__init__.py",
        "REGISTRY = {",
        'REGISTRY = {"tinynet": "pj.models.tinynet:TinyNet",',
    )
    (project / "src/pj/config/analyses/norms.py").write_text(DECLARED)
    (project / "src/pj/norms.py").write_text(MEASURED)
    where = "src/pj/config/analyses/__init__.py"
    edit(project, where, "DECLARED = (", "DECLARED = (NORMS, ")
    edit(
        project,
        where,
        "from pj.config.analyses.pruning",
        "from pj.config.analyses.norms import NORMS\nfrom pj.config.analyses.pruning",
    )
    (project / "config.yaml").write_text(OWN)
    (project / "claims.yaml").write_text(CLAIM)
    snakemake(project, config=())
    return project


@pytest.fixture
def project(extended, tmp_path):
    return Path(shutil.copytree(extended, tmp_path / "project"))


@pytest.mark.long
def test_a_model_of_one_file_and_one_line_is_trained_pruned_probed_and_interpreted(project):
    results = project / "results"
    assert list(results.glob("runs/digits-tinynet-*/seed0/probes.csv"))
    for table in ("prunings/own", "interpretations/own", "landscapes/own", "studies/own"):
        assert "tiny" in (results / table / "table.csv").read_text()
    (project / "wrong.yaml").write_text("studies: {own: {base: {model: {secnd: false}}}}")
    output = snakemake(project, "-n", config=("wrong.yaml",), check=False)
    assert "secnd: unknown key 'secnd'. Allowed: name, width, second. Did you mean 'second'?" in output


@pytest.mark.long
def test_an_analysis_that_is_declared_has_its_jobs_tables_figures_pages_and_cells_of_claims(project):
    folder = project / "results" / "norms" / "own"
    assert len(list(folder.glob("digits-tinynet-*-seed0.json"))) == 1
    assert (folder / "norms.png").is_file() and (folder / "norms.svg").is_file()
    page = (project / "results" / "report.md").read_text()
    assert "## Norms of weights" in page and "norms/own/norms.png" in page
    assert "conv1 is longer" in (project / "results" / "claims.csv").read_text()
    assert "not run" not in (project / "results" / "claims.md").read_text()
    command = [sys.executable, "-c", "from pj import cli; cli.main(['keep', 'kept'])"]
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    subprocess.run(command, cwd=project, env=environment, check=True)
    assert (project / "kept" / "norms" / "own" / "table.csv").is_file()
    edit(project, "src/pj/norms.py", "Norms.", "Norms")
    jobs = planned(snakemake(project, "-n", config=()))
    # all three of its files are one here
    assert {"measure", "analysis_table", "analysis_figure"} <= jobs.keys() and "train" not in jobs


@pytest.mark.long
def test_a_column_that_is_declared_and_not_written_is_one_clear_error(project):
    edit(project, "src/pj/config/analyses/norms.py", '("norm",)', '("length",)')
    of_accuracy = CLAIM.replace("norms/own/tiny/conv1: 1, norms/own/tiny/linear1: -1", "own/tiny: 1")
    (project / "claims.yaml").write_text(of_accuracy)
    (project / "results" / "norms" / "own" / "table.md").unlink()
    output = snakemake(project, "--", "results/norms/own/table.md", config=(), check=False)
    assert "norms: pj.norms writes no column length, which is declared" in output


def test_an_edited_workflow_is_in_force_at_the_next_call(tmp_path):
    """Snakemake keeps copies of a workflow's files, and would take an old one from a folder that stays."""
    options = [yaml.safe_load(path.read_text()) for path in ROOT.glob("profiles/*/config.yaml")]
    assert len(options) == 2
    caches = {key: value for found in options for key, value in found.items() if "cache" in key}
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "config.yaml").write_text(yaml.safe_dump(caches))
    command = [sys.executable, "-m", "snakemake", "-n", "--profile", "profile"]
    for word in ("first", "second"):
        (tmp_path / "Snakefile").write_text(f"print('{word}')\nrule all:\n    input: []\n")
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert word in found.stdout
