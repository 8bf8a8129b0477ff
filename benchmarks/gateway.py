"""Section: what the gateway costs, beside HAProxy and beside a plain aiohttp proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.driving import PLAIN, drive, stream_body
from benchmarks.figures import Columns, Figure, Section, Spread, Table, differences, medians, number, ratios
from benchmarks.processes import CannotMeasure, Side, cpu_seconds, pss_mib
from benchmarks.proxies import SIDES, Proxy, upstreams

ROUNDS = 7
CONNECTIONS = 64
EVENTS = 50
PACE = 0.005
FIRST_TOKENS = 300
HOW = f"""\
Each proxy is one process before the same two upstreams; load, proxy and upstream are processes of their own on
the same machine. {CONNECTIONS} connections, each sending its next request when the answer is whole. *CPU* is
user and system time of the proxy's process over the window, divided by the requests: the figure that survives a
busy machine. {ROUNDS} rounds, the order of the sides turning; a ratio is taken within a round.

- *request*: POST of about 250 bytes of JSON, answered by about 350 bytes.
- *stream*: the same with `stream`, answered by {EVENTS} server-sent events, {PACE * 1000:g} ms apart.
- *HAProxy*: `leastconn`, one thread, `http-reuse always`, `http-no-delay` (without it tokens are held back); it
  does not read `model`. *Routing on the body*: the same with `json_query` on `model`, which is the work that
  the gateway does.
- *aiohttp*: a reverse proxy of 40 lines on uvloop that reads `model` (`benchmarks/aiohttp_proxy.py`).
- *added time to first token*: median of {FIRST_TOKENS} streams, one at a time over one connection, less the
  same without a proxy."""
OURS = "bandari"
MOST = 2.0
"""Goals: times HAProxy's CPU, and milliseconds to the first token."""

WHOLE: Columns = {"a second": ("per_second", 1.0), "p50, ms": ("p50", 1000.0), "p99, ms": ("p99", 1000.0)}


def measure(folder: Path) -> Section:
    """All sides that can be started here."""
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(upstreams(folder))
        sides, missing = _started(stack, SIDES, folder, ports)
        requests = _rounds(sides, PLAIN, seconds=0.6)
        streams = _rounds(sides, stream_body(EVENTS, PACE), seconds=1.0)
        first = _first_tokens(sides, ports[0])
        memory = {side.name: pss_mib(side.pid) for side in sides}
    figures = [*_cpu("request", requests), *_cpu(f"stream of {EVENTS} events", streams), *_added(first)]
    tables = (
        _speed("Requests as fast as they go", requests, WHOLE),
        _speed("Streams at their pace", streams, {**WHOLE, "first token p50, ms": ("first_p50", 1000.0)}),
        Table("Memory afterwards", ("side", "PSS, MiB"), tuple((name, number(size)) for name, size in memory.items())),
    )
    return Section("Gateway", HOW, tuple(figures), tables, tuple(missing))


def _started(
    stack: contextlib.ExitStack, wanted: Mapping[str, Proxy], folder: Path, ports: tuple[int, ...]
) -> tuple[list[Side], list[str]]:
    sides, missing = [], []
    for name, proxy in wanted.items():
        try:
            sides.append(stack.enter_context(proxy(folder, ports)))
        except CannotMeasure as reason:
            missing.append(f"{name}: {reason}")
    return sides, missing


Rounds = Mapping[str, list[Mapping[str, float]]]


def turned(sides: list[Side], turn: int) -> Iterator[Side]:
    """All sides, another one first each time."""
    start = turn % len(sides) if sides else 0
    yield from sides[start:] + sides[:start]


def _rounds(sides: list[Side], body: str, *, seconds: float) -> Rounds:
    """Per side and round what the load saw, with `cpu`: microseconds a request."""
    seen: dict[str, list[Mapping[str, float]]] = {side.name: [] for side in sides}
    for side in sides:
        drive(side.port, body, connections=CONNECTIONS, seconds=0.2)
    for turn in range(ROUNDS):
        for side in turned(sides, turn):
            before = cpu_seconds(side.pid)
            one = drive(side.port, body, connections=CONNECTIONS, seconds=seconds)
            seen[side.name].append({**one, "cpu": (cpu_seconds(side.pid) - before) / one["requests"] * 1e6})
    return seen


def _column(rounds: Rounds, side: str, name: str) -> list[float]:
    return [one[name] for one in rounds[side]]


def _cpu(what: str, rounds: Rounds) -> Iterator[Figure]:
    for name in rounds:
        yield Figure(f"CPU a {what}, {name}", "us", Spread.of(_column(rounds, name, "cpu")))
    if OURS not in rounds:
        return
    for name in (other for other in rounds if other != OURS):
        compared = ratios(_column(rounds, OURS, "cpu"), _column(rounds, name, "cpu"))
        goal = MOST if name == "HAProxy" else None
        yield Figure(f"CPU a {what}, bandari / {name}", "x", Spread.of(compared), goal)


def _first_tokens(sides: list[Side], direct: int) -> Mapping[str, list[float]]:
    """Milliseconds to the first token by side and round; `direct` among them."""
    every = [Side("direct", 0, direct), *(side for side in sides if side.name in {"HAProxy", OURS})]
    seen: dict[str, list[float]] = {side.name: [] for side in every}
    body = stream_body(2, 0.0)
    for turn in range(ROUNDS):
        for side in turned(every, turn):
            seen[side.name].append(drive(side.port, body, requests=FIRST_TOKENS)["first_p50"] * 1000)
    return seen


def _added(first: Mapping[str, list[float]]) -> Iterator[Figure]:
    yield Figure("time to first token, direct", "ms", Spread.of(first["direct"]))
    for name in (side for side in first if side != "direct"):
        added = differences(first[name], first["direct"])
        yield Figure(f"added time to first token, {name}", "ms", Spread.of(added), MOST if name == OURS else None)


def _speed(title: str, rounds: Rounds, columns: Columns) -> Table:
    rows = tuple((name, *medians(seen, columns)) for name, seen in rounds.items())
    return Table(f"{title}, {CONNECTIONS} connections", ("side", *columns), rows)
