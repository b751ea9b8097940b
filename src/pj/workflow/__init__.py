"""What the workflow needs around its jobs: logs, slots of GPUs, SLURM, outputs, checks before jobs."""
