"""Pruning: in which order units go, masked and narrowed networks, and the curve of a finished run."""
