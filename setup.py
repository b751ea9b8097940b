"""Put the workflow into the package that is installed; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("rules", "workflow", "profiles", "envs")


class WithWorkflow(build_py):
    """Copy the workflow to pj/snakemake, where `pj.workflow.location` finds it; a clone uses its own."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "pj", "snakemake")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.copy2("Snakefile", target)
        for name in FOLDERS:
            shutil.copytree(name, target / name, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": WithWorkflow})
