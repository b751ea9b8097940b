"""A run's folder: what it holds, what its readers accept, how it was made and with which code."""
