"""Points at which a test can make the supervisor kill itself, so that dying between any two steps is tried for real."""

from __future__ import annotations

import os
import signal

VARIABLE = "BANDARI_FAULT"
"""`point`, or `point:N` for its N-th passing. Tests that set it start the supervisor without a guard."""
POINTS = (
    "store.before-write",
    "store.before-rename",
    "store.after-rename",
    "apply.before-write",
    "apply.before-answer",
    "delete.before-write",
    "delete.before-answer",
    "spawn.before-intent",
    "spawn.after-intent",
    "spawn.after-start",
    "spawn.after-record",
    "exit.before-forget",
)
JOB_POINTS = ("job.taken", "job.opened", "job.submitted")
"""The same for jobs, which need a Ray cluster to be tried."""
_passed: dict[str, int] = {}


def fault(point: str) -> None:
    """Ends this process with SIGKILL when the environment names this point."""
    wanted, _, count = os.environ.get(VARIABLE, "").partition(":")
    if wanted != point:
        return
    _passed[point] = _passed.get(point, 0) + 1
    if _passed[point] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
