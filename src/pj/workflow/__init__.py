"""What Snakemake and SLURM need of us: jobs, slots of GPUs, checks before and around jobs."""
