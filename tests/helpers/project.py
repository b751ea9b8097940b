"""A copy of the project to run Snakemake in, and to edit."""

import re
import shutil
import time
from pathlib import Path

from helpers.calls import call

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "config.yaml",
    "claims.yaml",
    "words.yaml",
    "words.quick.yaml",
    "config.smoke.yaml",
    "config.quick.yaml",
    "claims.quick.yaml",
    "rules",
    "workflow",
    "profiles",
    "envs",
    "src",
)
# another test may rename a module that it has just compiled while this one copies
UNFINISHED = shutil.ignore_patterns("*.egg-info", "*.pyc.*")
# The quick run with two studies: three runs, one of which serves both.
OVERLAY = """
scale: {name: test, epochs: 1, train: 500, validation: 100, test: 100, width: 0.05}
"""


def copy(target: Path) -> Path:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=UNFINISHED)
        else:
            shutil.copy2(source, target / part)
    (target / "small.yaml").write_text(OVERLAY)
    return target


def snakemake(project: Path, *arguments: str, config=("config.smoke.yaml", "small.yaml"), check=True):
    options = ["--cores", "2", *(["--configfile", *config] if config else []), *arguments]
    status, output = call(project, project / "src", *options)
    if check:
        assert status == 0, output
    return output


def planned(output: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run would start, without the rules that only collect."""
    plan = re.search(r"^\d+ jobs?: (.*)$", output, re.MULTILINE)
    if plan is None:
        assert "Nothing to be done" in output, output
        return {}
    counts = dict(reversed(part.split()) for part in plan[1].split(", "))
    return {rule: int(count) for rule, count in counts.items() if rule not in ("all", "everything")}


def edit(project: Path, file: str, old: str, new: str) -> None:
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def until(condition, seconds=300):
    """Return what a condition comes to, as soon as it is something."""
    for _ in range(seconds * 4):
        if found := condition():
            return found
        time.sleep(0.25)
    raise AssertionError(f"not within {seconds} s: {condition}")


OWN = """
standalone: true
seeds: [0, 1]
threads: 1
datasets: {digits: {source: digits}}
studies:
  own:
    title: Own
    base:
      data: {name: digits, train: 200, test: 100}
      model: {name: mlp, width: 0.02}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.05}
      epochs: 1
      batch_size: 64
      precision: fp32
    variants: {a: {}}
"""
PROBED = """
seeds: [0]
threads: 1
precision: fp32
datasets:
  digits: {source: digits, image_size: 32, channels: 3}
  gray: {source: digits, image_size: 28, channels: 1}
landscapes:
  both:
    title: After training
    study: probed
    variants: [bn, plain]
    slices: {images: 20, points: 3, side: 3}
studies:
  probed:
    title: With and without
    base:
      data: {name: digits, train: 100, test: 50}
      model: {name: vgg_a, width: 0.03}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.01}
      epochs: 2
      batch_size: 25
      probe: {every: 3, gradient: {absolute: [0.01, 0.4]}, update: {relative: [1]}, ics: [conv2]}
    probes: {show: beta}
    variants:
      bn: {model: {batch_norm: true}}
      plain: {}
      unprobed: {probe: null}
  selected:
    title: A sparse path
    base:
      data: {name: gray, train: 100, test: 50}
      model: {name: lenet, width: 0.3}
      loss: {name: cross_entropy}
      optimizer: {name: dessilbi, lr: 0.1, lambdas: {conv: 0.01, linear: 0.001}}
      epochs: 2
      batch_size: 25
    path: {weights_of: conv3}
    variants:
      path: {}
      rival: {optimizer: {name: sgd, lr: 0.1}}
interpretations:
  inside:
    title: Inside
    study: probed
    variants: [bn]
    view: {image: 1, feature_maps: [conv1], grad_cam: [conv2, conv8], per_class: 1, images: 10, draws: 1}
prunings:
  conv3:
    title: Pruned
    study: selected
    methods: {path: [path, magnitude], rival: [random]}
    settings: {layers: [conv3], percents: [0, 50], draws: 1}
"""
