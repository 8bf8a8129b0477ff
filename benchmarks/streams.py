"""Section: many streams at once, through the gateway and straight to the model server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.driving import drive, stream_body
from benchmarks.figures import Figure, Section, Spread, Table, differences, number, ratios
from benchmarks.gateway import turned
from benchmarks.processes import Side, free_port, module, running, wait_for

from bandari.serving.models import builtin
from benchmarks import proxies

ROUNDS = 3
CONCURRENT = (1, 16, 256)
EVENTS = 25
PACE = 0.02
TOKENS = 24
SLOTS = 4
HOW = f"""\
*Paced*: two upstreams that send {EVENTS} events, {PACE * 1000:g} ms apart, so that a stream takes {
    (EVENTS - 1) * PACE:.2f} s however many there are. *llama.cpp*: one real replica of the built-in tiny model with {
    SLOTS
}
slots and {TOKENS} tokens a stream; it is the bottleneck, and more than {SLOTS} streams wait in it. {ROUNDS}
rounds, direct and through the gateway by turns; the tables show medians."""


@dataclass(frozen=True, slots=True)
class Case:
    """What stands behind the gateway, and what is asked of it."""

    name: str
    body: str
    seconds: float


PACED = Case("paced upstreams", stream_body(EVENTS, PACE), 1.5)
LLAMA = Case("llama.cpp", stream_body(TOKENS, 0.0), 1.5)
Seen = Mapping[int, Mapping[str, Sequence[Mapping[str, float]]]]
"""Streams at once -> side -> rounds."""


def measure(folder: Path) -> Section:
    """Both kinds of upstream."""
    figures: list[Figure] = []
    tables: list[Table] = []
    with proxies.upstreams(folder) as ports:
        _add(_seen(PACED, folder, ports), PACED, figures, tables)
    with _replica(folder) as port:
        _add(_seen(LLAMA, folder, (port,)), LLAMA, figures, tables)
    return Section("Streams", HOW, tuple(figures), tuple(tables))


def _seen(case: Case, folder: Path, ports: Sequence[int]) -> Seen:
    with contextlib.ExitStack() as stack:
        own = folder / case.name.replace(" ", "-")
        own.mkdir()
        sides = [Side("direct", 0, ports[0]), stack.enter_context(proxies.gateway(own, ports))]
        seen: dict[int, dict[str, list[Mapping[str, float]]]] = {}
        for count in CONCURRENT:
            rounds = seen.setdefault(count, {side.name: [] for side in sides})
            for turn in range(ROUNDS):
                for side in turned(sides, turn):
                    rounds[side.name].append(drive(side.port, case.body, connections=count, seconds=case.seconds))
    return seen


@contextlib.contextmanager
def _replica(folder: Path) -> Iterator[int]:
    """The embedded engine with the tiny model."""
    port, log = free_port(), folder / "llama.log"
    words = ("--model", str(builtin("tiny", folder)), "--host", "127.0.0.1", "--port", str(port))
    size = ("--parallel", str(SLOTS), "--ctx-size", str(512 * SLOTS))
    with running(module("bandari.serving.llama", *words, *size), log) as child:
        wait_for(child, port, log)
        drive(port, LLAMA.body, requests=3)
        yield port


def _add(seen: Seen, case: Case, figures: list[Figure], tables: list[Table]) -> None:
    for count, sides in seen.items():
        name = f"{case.name}, {count} at once"
        speed = ratios(*([one["per_second"] for one in sides[side]] for side in ("bandari", "direct")))
        figures.append(Figure(f"{name}: streams a second, bandari / direct", "x", Spread.of(speed)))
        first = differences(*([one["first_p50"] * 1000 for one in sides[side]] for side in ("bandari", "direct")))
        figures.append(Figure(f"{name}: added to the median time to first token", "ms", Spread.of(first)))
    tables.append(_table(seen, case))


def _table(seen: Seen, case: Case) -> Table:
    columns = {
        "a second": ("per_second", 1.0),
        "whole p50, ms": ("p50", 1000.0),
        "whole p99, ms": ("p99", 1000.0),
        "first token p50, ms": ("first_p50", 1000.0),
        "first token p99, ms": ("first_p99", 1000.0),
    }
    rows = []
    for count, sides in seen.items():
        for side, rounds in sides.items():
            cells = (Spread.of(one[key] for one in rounds).median * scale for key, scale in columns.values())
            rows.append((str(count), side, *map(number, cells)))
    return Table(f"Streams, {case.name}", ("at once", "side", *columns), tuple(rows))
