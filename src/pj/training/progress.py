"""How far a run is: one line per epoch in its log, and a small file that `pj watch` shows."""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path

from pj import files
from pj.config.spec import RunSpec

log = logging.getLogger(__name__)
WRITE_EVERY = 2.0  # seconds


class Progress:
    """The progress of one run."""

    def __init__(self, path: Path | None, spec: RunSpec, seed: int) -> None:
        self.path, self.epochs = path, spec.epochs
        self.content = {"run": spec.run, "seed": seed, "epochs": spec.epochs, "last": {}}
        self.content |= {"pid": os.getpid(), "host": socket.gethostname()}
        self.written = 0.0

    def step(self, epoch: int, step: int, steps: int, seconds: float) -> None:
        """Record a finished step; the file is written every `WRITE_EVERY` seconds."""
        now = time.monotonic()
        if self.path and now - self.written > WRITE_EVERY:
            self.written = now
            self.content |= {"epoch": epoch, "step": step, "steps": steps, "seconds": round(seconds, 1)}
            try:
                files.write_json(self.path, self.content | {"time": time.time()}, sync=False)
            except OSError as error:  # only `pj watch` reads it
                log.warning("%s cannot be written (%s): `pj watch` will not show this run", self.path, error)
                self.path = None

    def epoch(self, row: dict[str, float]) -> None:
        """Record a finished epoch."""
        parts = [f"{k} {v:.4g}" for k, v in row.items() if k != "epoch"]
        log.info("epoch %d/%d: %s", row["epoch"], self.epochs, ", ".join(parts))
        self.content["last"] = row
