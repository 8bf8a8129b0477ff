"""Section: many streams at once, through the gateway and straight to the model server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandari.serving.models import builtin
from benchmarks import proxies
from benchmarks.driving import drive, stream_body
from benchmarks.figures import Columns, Figure, Section, Spread, Table, differences, medians, ratios
from benchmarks.gateway import turned
from benchmarks.processes import CannotMeasure, Side, free_port, healthy, module, running, wait_for, wait_until

ROUNDS = 3
SECONDS = 1.5
LONGEST = 12.0
"""After this many seconds no further round of a case begins."""
CONCURRENT = (1, 16, 256)
EVENTS = 25
PACE = 0.02
TOKENS = 24
SLOTS = 4
HOW = f"""\
*Paced*: two upstreams that send {EVENTS} events, {PACE * 1000:g} ms apart, so that a stream takes
{(EVENTS - 1) * PACE:.2f} s however many there are. *llama.cpp*: one real replica of the built-in tiny model with
{SLOTS} slots, {TOKENS} tokens a stream and one thread, as a cluster starts it; it is the bottleneck, and more than
{SLOTS} streams wait in it. At most {ROUNDS} rounds, direct and through the gateway by turns; the tables show
medians."""


@dataclass(frozen=True, slots=True)
class Case:
    """What stands behind the gateway, and what is asked of it."""

    name: str
    body: str
    slots: int


PACED = Case("paced upstreams", stream_body(EVENTS, PACE), 512)
LLAMA = Case("llama.cpp", stream_body(TOKENS, 0.0), SLOTS)
COLUMNS: Columns = {
    "a second": ("per_second", 1.0),
    "whole p50, ms": ("p50", 1000.0),
    "whole p99, ms": ("p99", 1000.0),
    "first token p50, ms": ("first_p50", 1000.0),
    "first token p99, ms": ("first_p99", 1000.0),
    "failed": ("failed", 1.0),
}
Seen = Mapping[int, Mapping[str, Sequence[Mapping[str, float]]]]
"""Streams at once -> side -> rounds."""


def measure(folder: Path) -> Section:
    """Both kinds of upstream; one that cannot be measured leaves the other."""
    figures: list[Figure] = []
    tables: list[Table] = []
    missing: list[str] = []
    for case, behind in ((PACED, proxies.upstreams), (LLAMA, _replica)):
        try:
            with behind(folder) as ports:
                seen = _seen(case, folder, ports)
        except CannotMeasure as reason:
            missing.append(f"{case.name}: {reason}")
            continue
        figures += _figures(seen, case)
        rows = tuple(
            (str(n), side, *medians(rounds, COLUMNS)) for n, sides in seen.items() for side, rounds in sides.items()
        )
        tables.append(Table(f"Streams, {case.name}", ("at once", "side", *COLUMNS), rows))
    return Section("Streams", HOW, tuple(figures), tuple(tables), tuple(missing))


def _seen(case: Case, folder: Path, ports: Sequence[int]) -> Seen:
    with contextlib.ExitStack() as stack:
        own = folder / case.name.replace(" ", "-")
        own.mkdir()
        sides = [Side("direct", 0, ports[0]), stack.enter_context(proxies.gateway(own, ports, slots=case.slots))]
        seen: dict[int, dict[str, list[Mapping[str, float]]]] = {}
        for count in CONCURRENT:
            rounds = seen.setdefault(count, {side.name: [] for side in sides})
            until = time.monotonic() + LONGEST
            for turn in range(ROUNDS):
                for side in turned(sides, turn):
                    one = drive(side.port, case.body, connections=count, seconds=SECONDS, failures=True)
                    rounds[side.name].append(one)
                if time.monotonic() > until:
                    break
    return seen


@contextlib.contextmanager
def _replica(folder: Path) -> Iterator[tuple[int]]:
    """The embedded engine with the tiny model."""
    port, log = free_port(), folder / "llama.log"
    words = ("--model", str(builtin("tiny", folder)), "--host", "127.0.0.1", "--port", str(port))
    size = ("--parallel", str(SLOTS), "--ctx-size", str(512 * SLOTS), "--threads", "1")
    with running(module("bandari.serving.llama", *words, *size), log) as child:
        wait_for(child, port, log)
        wait_until(lambda: healthy(port), "llama.cpp was not ready")
        drive(port, LLAMA.body, requests=3)
        yield (port,)


def _figures(seen: Seen, case: Case) -> Iterator[Figure]:
    for count, sides in seen.items():
        name = f"{case.name}, {count} at once"
        speed = ratios(*([one["per_second"] for one in sides[side]] for side in ("bandari", "direct")))
        yield Figure(f"{name}: streams a second, bandari / direct", "x", Spread.of(speed))
        first = differences(*([one["first_p50"] * 1000 for one in sides[side]] for side in ("bandari", "direct")))
        yield Figure(f"{name}: added to the median time to first token", "ms", Spread.of(first))
    failed = [one["failed"] for sides in seen.values() for one in sides["bandari"]]
    yield Figure(f"{case.name}: failed streams in a round, bandari", "", Spread.of(failed), 0.0)
