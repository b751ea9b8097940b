"""A run's folder: its files, the checks on reading them, their provenance and the code they depend on."""
