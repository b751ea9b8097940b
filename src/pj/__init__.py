"""Re-run the ablations of a paper or report, several seeds each, and say which of its claims hold."""

__version__ = "0.1.0"
