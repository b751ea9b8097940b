"""Random seeds that are derived from a run's position (seed, epoch, step) instead of kept as a state."""

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


def seed_draws(seed: int) -> None:
    """Seed PyTorch's own draws, such as dropout's, as `torch.manual_seed` does, in a hundredth of the time.

    That function notes a stack trace for each kind of device that is not in use.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
