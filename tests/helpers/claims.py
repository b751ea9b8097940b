"""Planted evidence, and claims about it."""

from pathlib import Path

import numpy as np
import pandas as pd

from pj.claims import verdicts
from pj.claims.evidence import Evidence
from pj.claims.schema import Contrast

CONFIG = """
seeds: [0, 1, 2, 3, 4]
datasets: {digits: {source: digits}}
studies:
  own:
    title: Two
    base:
      data: {name: digits}
      model: {name: mlp}
      loss: {name: cross_entropy}
      optimizer: {name: sgd, lr: 0.1}
      epochs: 2
      batch_size: 10
    variants:
      a: {}
      b: {optimizer: {lr: 0.2}}
      c: {optimizer: {lr: 0.3}}
prunings:
  p: {title: P, study: own, methods: {a: [magnitude]}, settings: {layers: [linear1], percents: [0, 50]}}
"""
B = [80.0, 81.0, 79.5, 80.5, 80.2]
UP = [v + d for v, d in zip(B, (2.0, 2.3, 1.8, 2.1, 1.9), strict=True)]


def plant(folder: Path, scale="full", reduced=None, **variants) -> Evidence:
    """Write the runs of study ``own``: by variant one accuracy per seed (None: missing, NaN: diverged).

    ``reduced`` names what the scale reduces; None writes a table that does not say it.
    """
    rows = []
    for name, values in variants.items():
        for seed, value in enumerate(values):
            state = "missing" if value is None else "diverged" if np.isnan(value) else "complete"
            row = {"variant": name, "seed": seed, "state": state, "best_test": value, "parameters": 100}
            row |= {} if reduced is None else {"reduced": reduced}
            rows.append(row | {"train": 99.0, "selected": value, "seconds": value, "scale": scale})
    path = folder / "studies" / "own"
    path.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path / "runs.csv", index=False)
    return Evidence(folder)


def contrast(expect="above", **changes):
    frame = {"id": 1, "report": "A", "statement": "a is better", "statistic": "contrast"}
    return Contrast(**{**frame, "contrast": {"own/a": 1, "own/b": -1}, "expect": expect, **changes})


def judged(claim, evidence, loaded):
    """Return a claim's judgement."""
    (found,) = verdicts.judge([claim], [evidence], loaded)
    return found


class Drawn:
    """Evidence that is drawn: values of study ``own`` by variant and seed."""

    def __init__(self, values, seeds):
        self.by_variant = {name: dict(enumerate(own[:seeds])) for name, own in values.items()}

    def values(self, cell, quantity):
        return self.by_variant[cell.removeprefix("own/")]
