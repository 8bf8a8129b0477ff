"""Starts the load process and reads what it saw."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

from benchmarks.machine import ROOT
from benchmarks.processes import CannotMeasure, module

PLAIN = json.dumps(
    {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "You answer in one sentence."},
            {"role": "user", "content": "What is a harbour, and why would one build it here?"},
        ],
        "max_tokens": 24,
    }
)


def stream_body(events: int, pace: float) -> str:
    """Asks for a stream; `pace` seconds between events matter only to the upstream of this folder."""
    asked = json.loads(PLAIN)
    return json.dumps(asked | {"stream": True, "max_tokens": events, "metadata": {"pace": str(pace)}})


def drive(
    port: int, body: str, *, connections: int = 1, seconds: float = 0.0, requests: int = 0, failures: bool = False
) -> Mapping[str, float]:
    """What `benchmarks.load` prints; CannotMeasure when a request failed and none may."""
    words = ("--port", port, "--body", body, "--connections", connections, "--seconds", seconds, "--requests", requests)
    done = subprocess.run(
        module("benchmarks.load", *map(str, words)), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotMeasure(f"the load ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    seen: Mapping[str, float] = json.loads(done.stdout)
    if not seen["requests"] or (seen["failed"] and not failures):
        raise CannotMeasure(f"{seen['failed']:g} requests failed, {seen['requests']:g} succeeded")
    return seen
