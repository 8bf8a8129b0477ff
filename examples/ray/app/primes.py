"""A job: counts the primes below a number, in parallel tasks."""  # noqa: INP001 - a folder of code that is shipped, no package

from __future__ import annotations

import sys
from itertools import pairwise

import ray

TASKS = 8


@ray.remote
def count(start: int, end: int) -> int:
    """How many primes there are from `start` up to `end`."""
    return sum(all(number % divisor for divisor in range(2, int(number**0.5) + 1)) for number in range(start, end))


def main(below: int) -> None:
    """Splits the range, counts each part as a task, prints the sum."""
    ray.init()
    edges = [2 + (below - 2) * part // TASKS for part in range(TASKS + 1)]
    counts = ray.get([count.remote(start, end) for start, end in pairwise(edges)])
    sys.stdout.write(f"{sum(counts)} primes below {below}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
