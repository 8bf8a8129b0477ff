"""What a client or a replica may take: sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Each is an option of the program."""

    head_bytes: int = 64 * 2**10
    """Request line and headers of a request; more is 431."""
    body_bytes: int = 32 * 2**20
    """Body of a request; more is 413."""
    head_seconds: float = 10.0
    """From the first byte of a request to the end of its headers; then 408."""
    body_seconds: float = 30.0
    """Between two pieces of a body, and a tenth of the time for all of it; then 408."""
    idle_seconds: float = 75.0
    """Between two requests on a connection."""
    send_seconds: float = 60.0
    """A client that takes nothing of its answer for this long is cut off."""
    connect_seconds: float = 2.0
    """To open a connection to a replica."""
    answer_seconds: float = 600.0
    """Between two pieces of a replica's answer, and before the first."""
    reuse_seconds: float = 4.0
    """An unused connection to a replica; below the 5 s after which llama.cpp's server and uvicorn close theirs."""
    down_seconds: float = 0.5
    """A replica that failed is not asked for this long, unless the supervisor says more."""
    attempts: int = 3
    """How often one request may fail on replicas that had taken it whole: it may be the cause."""
    early_requests: int = 256
    """Requests held before the first table of the supervisor."""
    early_seconds: float = 60.0
    """Longest time that these are held."""
