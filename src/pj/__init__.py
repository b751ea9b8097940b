"""Two deep-learning course reports, re-run as one reproducible experiment."""

__version__ = "0.1.0"
