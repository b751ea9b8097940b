"""Pruning: orders of removal, masked and narrowed networks, and the curve of a finished run."""
