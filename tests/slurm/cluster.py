"""A SLURM of one node, on this machine and for this user alone, from Debian's packages.

    python tests/slurm/cluster.py FOLDER [COMMAND ...]

starts it below FOLDER, runs the command (a shell if there is none) with SLURM_CONF set, and ends it.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "srun")
# Accounting is left out, as on small sites; finished jobs go to a text file, which the tests read.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port_of_node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/finished.txt
MpiDefault=none
GresTypes=gpu
ReturnToService=2
KillWait=10
MinJobAge=300
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Return which of SLURM's programs are not installed; empty if all are."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return " ".join(name for name in PROGRAMS if not shutil.which(name, path=path))


@dataclass
class Cluster:
    """A SLURM below ``folder``: the environment for its clients, and its daemons."""

    folder: Path
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, program: str, *arguments: str) -> None:
        """Start a daemon; it is up within the second or soon after."""
        with (self.folder / f"{program}.out").open("a") as output:
            self.daemons[program] = subprocess.Popen(
                [program, *arguments],
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        time.sleep(1)

    def stop(self, program: str) -> None:
        """Stop a daemon and wait for its end."""
        daemon = self.daemons[program]
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def finished(self) -> list[dict[str, str]]:
        """Return the jobs that have ended: JobId, Name, JobState, TimeLimit, ReqGRES, Tres and so on."""
        lines = _lines(self.folder / "finished.txt")
        return [dict(part.partition("=")[::2] for part in line.split() if "=" in part) for line in lines]

    def calls(self, client: str) -> list[str]:
        """Return how sbatch, scontrol or another client was called, each time."""
        return _lines(self.folder / f"{client}.txt")

    def wait_until_idle(self) -> None:
        """Wait for the node; raise RuntimeError if it does not come up."""
        state = ""
        for _ in range(60):
            if any(daemon.poll() is not None for daemon in self.daemons.values()):
                break
            command = ["sinfo", "--noheader", "--format=%T"]
            found = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
            state = found.stdout.strip() or found.stderr.strip()
            if state == "idle":
                return
            time.sleep(0.5)
        raise RuntimeError(f"the node does not come up ({state}); logs are in {self.folder}")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Start munge, slurmctld and slurmd below ``folder``; yield the cluster, and end it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state", "spool"):
        (folder / name).mkdir(exist_ok=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    _wrap(folder, path)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    environment["PATH"] = os.pathsep.join([str(folder / "bin"), path])
    ports = _free_ports(2)
    host = socket.gethostname().partition(".")[0]
    values = {"folder": folder, "host": host, "port": ports[0], "port_of_node": ports[1]}
    values |= {"user": getpass.getuser(), "cores": os.cpu_count(), "memory": _memory()}
    (folder / "slurm.conf").write_text(CONFIG.format(**values), encoding="utf-8")
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n", encoding="utf-8")
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    cluster = Cluster(folder, environment)
    try:
        cluster.start("munged", "--foreground", "--force", f"--socket={folder}/munge.sock", *files)
        cluster.start("slurmctld", "-D")
        cluster.start("slurmd", "-D", "-N", host)
        cluster.wait_until_idle()
        yield cluster
        subprocess.run(["scancel", "--user", getpass.getuser()], env=environment, check=False, timeout=30)
    finally:
        for program in reversed(cluster.daemons):
            cluster.stop(program)


def _wrap(folder: Path, path: str) -> None:
    """Put clients in front of SLURM's own, which note how they were called, and let jobs find this cluster.

    The executor takes SLURM's variables out of a job's environment before it calls srun, and a cluster of
    this user alone has no /etc/slurm.
    """
    (folder / "bin").mkdir(exist_ok=True)
    for name in ("sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo"):
        wrapper = folder / "bin" / name
        real = shutil.which(name, path=path)
        note = f'printf "%s\\n" "$*" >> {folder}/{name}.txt'
        call = f'SLURM_CONF={folder}/slurm.conf exec {real} "$@"'
        wrapper.write_text(f"#!/bin/sh\n{note}\n{call}\n", encoding="utf-8")
        wrapper.chmod(0o755)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for found in sockets:
        found.bind(("127.0.0.1", 0))
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def _memory() -> int:
    """Return megabytes for jobs: most of what the machine has."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20 * 0.9)


if __name__ == "__main__":
    with running(Path(sys.argv[1]).absolute()) as found:
        sys.exit(subprocess.run(sys.argv[2:] or ["bash"], env=found.environment, check=False).returncode)
