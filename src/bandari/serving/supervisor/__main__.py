"""`python -m bandari.serving.supervisor --state DIR --cluster NAME`: started by the guard."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import sys
from pathlib import Path

from bandari.serving.guard import EXIT_STOPPED
from bandari.serving.supervisor.core import Supervisor, on_signals

LOCK_FILE = "supervisor.lock"
EXIT_SECOND = 75
"""Another supervisor has the folder (EX_TEMPFAIL)."""
EXIT_ENDED = 1
"""Ended by a signal; what it started goes on."""


async def _serve(folder: Path, cluster: str) -> bool:
    supervisor = Supervisor(folder, cluster)
    on_signals()
    with contextlib.suppress(asyncio.CancelledError):
        await supervisor.run()
        return True
    return False


def main() -> int:
    """0 when stopped on purpose, else the guard starts it again."""
    parser = argparse.ArgumentParser(prog="bandari.serving.supervisor")
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--cluster", required=True)
    arguments = parser.parse_args()
    folder = arguments.state.resolve()
    os.umask(0o077)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return EXIT_SECOND
    return EXIT_STOPPED if asyncio.run(_serve(folder, arguments.cluster)) else EXIT_ENDED


if __name__ == "__main__":
    sys.exit(main())
