"""Times, numbers of things and lists as people write them."""

from __future__ import annotations

from collections.abc import Sequence


def duration(seconds: float) -> str:
    """Return a time in words: ``42 s``, ``3:05 min``, ``2 h 10 min``, ``3 days 4 h``; ``?`` for NaN."""
    if seconds != seconds:
        return "?"
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
    if minutes < 2 * 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // (24 * 60)} days {minutes // 60 % 24} h"


def counted(count: int, noun: str) -> str:
    """Return such as ``1 claim`` or ``3 claims``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def some(names: Sequence[str], most: int) -> str:
    """Return a list in words: all names, or the first and ``and 3 more``."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
