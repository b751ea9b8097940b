"""Evaluation as training's job calls it.

It is imported from here because a fingerprint does not follow `pj.workflow`: an edit of the evaluation then
evaluates again, and trains nothing again.
"""

from pj.runs.evaluation import evaluate

__all__ = ["evaluate"]
