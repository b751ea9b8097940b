"""How many steps an epoch has. Loads no torch."""

from __future__ import annotations


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return the number of batches of an epoch."""
    # batch norm cannot normalise a last batch of one image: that image waits for the next epoch
    return -(-images // batch_size) - (1 if images % batch_size == 1 and images > 1 else 0)
