"""The probes that a model server gets when the file names none; the original's numbers, so a file means the same."""

from __future__ import annotations

from bandari.desired.workloads import HttpGet, Probe


def readiness(path: str, port: int) -> Probe:
    """First asked after 60 s; one machine counts an earlier success at once."""
    return _probe(path, port, initial_delay=60)


def liveness(path: str, port: int) -> Probe:
    """First asked after 240 s, when the largest models have been read."""
    return _probe(path, port, initial_delay=240)


def _probe(path: str, port: int, *, initial_delay: int) -> Probe:
    return Probe(
        http_get=HttpGet(path, port),
        initial_delay=initial_delay,
        period=5,
        timeout=30,
        success_threshold=1,
        failure_threshold=5,
    )
