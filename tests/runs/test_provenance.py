import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = "from pj.runs.provenance import provenance; print(provenance()['commit'])"


def test_the_commit_is_that_of_the_package_and_not_of_a_project_that_it_is_installed_in(tmp_path):
    shutil.copytree(ROOT / "src" / "pj", tmp_path / "pj")

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", tmp_path, *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def recorded():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.check_output([sys.executable, "-c", CODE], env=environment, text=True).strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "a project")
    assert recorded() == "None"
    git("add", "pj")
    git("commit", "--quiet", "--message", "its source")
    assert recorded() == git("rev-parse", "--short=12", "HEAD")
