"""The run: measures section by section, prints, and after a whole run writes docs/benchmarks.md and result.json.

A goal that is missed is published like one that is met.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from benchmarks import cli, gateway, road, spot, streams
from benchmarks.figures import HEADER, Section, markdown_goals, markdown_section, summary
from benchmarks.machine import ROOT, described
from benchmarks.processes import CannotMeasure

SECTIONS: Mapping[str, Callable[[Path], Section]] = {
    "cli": cli.measure,
    "gateway": gateway.measure,
    "streams": streams.measure,
    "road": road.measure,
    "spot": spot.measure,
}
PAGE = ROOT / "docs" / "benchmarks.md"
RESULT = ROOT / "benchmarks" / "result.json"
INTRODUCTION = """\
# Benchmarks

Written by `make bench` (`benchmarks/run.py`), as it came out. Absolute times depend on the machine and on what
else runs on it, so what can be is a ratio or a difference against a yardstick in the same run; each figure is the
median of several rounds with the least and the most beside it. Goals are goals, not gates: a missed one stands here
as missed."""


def main(arguments: list[str]) -> int:
    """The exit code: 0 when everything was measured, 1 when not, 2 for a section that does not exist."""
    unknown = [name for name in arguments if name not in SECTIONS]
    if unknown:
        sys.stderr.write(f"cannot measure {', '.join(unknown)}: known are {', '.join(SECTIONS)}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that what was started is ended
    console = Console() if sys.stdout.isatty() else Console(width=130)
    machine = described()
    for name, words in machine.items():
        console.print(f"[dim]{name}:[/dim] {words}", highlight=False)
    done = [_measured(console, name) for name in arguments or SECTIONS]
    console.print(summary(done), highlight=False)
    if not arguments:
        write(machine, done)
        console.print(f"written: {PAGE.relative_to(ROOT)}, {RESULT.relative_to(ROOT)}")
    return int(any(section.missing for section in done))


def _measured(console: Console, name: str) -> Section:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bandari-bench-") as folder, console.status(f"measuring: {name}"):
        try:
            section = SECTIONS[name](Path(folder))
        except CannotMeasure as reason:
            section = Section(name, "", missing=(str(reason),))
    _show(console, section, time.monotonic() - began)
    return section


def _show(console: Console, section: Section, seconds: float) -> None:
    grid = Grid(*HEADER, title=f"{section.title} ({seconds:.0f} s)", title_justify="left")
    colours = {"met": "green", "not met": "red"}
    for figure in section.figures:
        grid.add_row(*figure.cells, style=colours.get(figure.verdict, ""))
    if section.figures:
        console.print(grid)
    for table in section.tables:
        more = Grid(*table.header, title=table.title, title_justify="left")
        for row in table.rows:
            more.add_row(*row)
        console.print(more)
    for line in section.missing:
        console.print(f"not measured: {line}", style="yellow", markup=False)


def write(machine: Mapping[str, str], sections: list[Section]) -> None:
    """The page that is committed, and the numbers that are not."""
    facts = "\n".join(f"- {name}: {words}" for name, words in machine.items())
    blocks = [INTRODUCTION, facts, f"**{summary(sections)}.**", markdown_goals(sections)]
    blocks += [block for section in sections for block in markdown_section(section)]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    document = {"version": 1, "machine": dict(machine), "sections": [asdict(section) for section in sections]}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
