"""Randomness that is derived from where a run is, not carried along."""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, *keys: int | str) -> int:
    """Return a 63-bit seed for one purpose, such as ``derive(seed, "order", epoch)``."""
    digest = hashlib.blake2b(repr((seed, *keys)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, *keys: int | str) -> torch.Generator:
    """Return a CPU generator seeded by `derive`: the same draws whatever the device."""
    return torch.Generator().manual_seed(derive(seed, *keys))
