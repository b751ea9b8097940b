"""What several runs on one GPU get done together.

    python benchmarks/sharing.py results/sharing.json [--networks lenet mlp resnet9] [--runs 1 2 4 8 12]

Each run is a process of its own, as the workflow's jobs are. All train the same network at once for some
seconds; what the file already holds is not measured again. Prints the steps per second of all runs together,
and how many times those of one run alone they are. Without a GPU it only checks that it runs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from trainer import SGD, keep, measured_before, random_images, specification, steps

from pj.training.device import configure
from pj.training.run import Training


def rate(network: str, options: argparse.Namespace, ready: Barrier) -> float:
    """Return the steps per second of this process, which begins when the others are ready."""
    conditions = configure(options.device, "auto", 1)
    dataset = random_images(network, options.images)
    taken = steps(Training(specification(network, options.batch, SGD), 0, dataset, conditions))
    for _ in range(options.piece):
        next(taken)
    conditions.synchronize()
    ready.wait()
    start, count = time.perf_counter(), 0
    while (now := time.perf_counter()) - start < options.seconds or not count:
        for _ in range(options.piece):
            next(taken)
        conditions.synchronize()
        count += options.piece
    return count / (now - start)


def worker(tasks: Connection, options: argparse.Namespace) -> None:
    """Answer each network and barrier with a rate, until there are no more."""
    while task := tasks.recv():
        tasks.send(rate(task[0], options, task[1]))


def measured(
    cells: Sequence[tuple[str, int]], options: argparse.Namespace
) -> Iterator[tuple[str, int, float]]:
    """Yield each network, number of runs, and the steps per second of all of them together."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(max(runs for _, runs in cells))]
    for _, end in pairs:
        context.Process(target=worker, args=(end, options), daemon=True).start()
        end.close()  # so that the end of a process is noticed
    with context.Manager() as manager:
        for network, runs in cells:
            ready = manager.Barrier(runs, timeout=120)
            for ours, _ in pairs[:runs]:
                ours.send((network, ready))
            try:
                yield network, runs, sum(ours.recv() for ours, _ in pairs[:runs])
            except EOFError:
                sys.exit(f"a run of {network} ended early; its message is above")
    for ours, _ in pairs:
        ours.send(None)


def main() -> None:
    """Measure what the file lacks, and print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--networks", nargs="+", default=["lenet", "mlp", "resnet9"])
    parser.add_argument("--runs", nargs="+", type=int, default=[1, 2, 4, 8, 12])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--images", type=int, default=12_800)
    parser.add_argument("--piece", type=int, default=20, help="steps between two looks at the clock")
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, per network and number")
    options = parser.parse_args()
    conditions = configure(options.device, "auto", 1).describe()
    found = measured_before(options.file, conditions | {"batch": options.batch, "images": options.images})
    cells = [(n, runs) for n in options.networks for runs in options.runs if f"{n} {runs}" not in found]
    if cells:
        for network, runs, total in measured(cells, options):
            found[f"{network} {runs}"] = total
            keep(options.file, found)
    print(found.pop("conditions"))
    for key, total in found.items():
        network, _, _ = key.partition(" ")
        alone = found.get(f"{network} 1")
        print(f"{key:12} {total:8.0f} steps/s" + (f"{total / alone:7.2f}x one run alone" if alone else ""))


if __name__ == "__main__":
    main()
