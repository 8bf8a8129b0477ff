"""Live progress of `up` and `down`: a moving picture on a terminal, plain lines elsewhere, nothing in JSON mode."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol, Self

import click

from bandari.cli.output import Output
from bandari.errors import DriverError
from bandari.planning.graph import Address
from bandari.planning.plan import Change
from bandari.units import Memory


class Progress(Protocol):
    """A planning.apply.Reporter that also hears of downloads and of waiting."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
    def started(self, change: Change) -> None: ...
    def done(self, change: Change) -> None: ...
    def failed(self, change: Change, error: DriverError) -> None: ...
    def left_out(self, change: Change, because: Address) -> None: ...
    def fetched(self, group: str, done: int, total: int) -> None: ...
    def waiting(self, status: Mapping[str, Any]) -> None: ...


def progress_for(out: Output) -> Progress:
    """The picture that fits where the output goes."""
    if out.as_json:
        return Silent()
    return Live() if out.terminal else Lines()


class Silent:
    """Says nothing; also the base of the others."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def started(self, change: Change) -> None: ...
    def done(self, change: Change) -> None: ...
    def failed(self, change: Change, error: DriverError) -> None: ...
    def left_out(self, change: Change, because: Address) -> None: ...
    def fetched(self, group: str, done: int, total: int) -> None: ...
    def waiting(self, status: Mapping[str, Any]) -> None: ...


class Lines(Silent):
    """One line a moment, for logs and pipes; a download says each tenth."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.tenths: dict[str, int] = {}
        self.said = ""

    def say(self, text: str) -> None:
        click.echo(text)

    def started(self, change: Change) -> None:  # noqa: ARG002 - the moment is enough
        self.since = time.monotonic()

    def done(self, change: Change) -> None:
        self.say(f"  {change.action.symbol} {change.address} done ({time.monotonic() - self.since:.1f} s)")

    def failed(self, change: Change, error: DriverError) -> None:
        self.say(f"  ! {change.address} failed: {error}")
        if error.fix:
            self.say(f"      fix: {error.fix}")

    def left_out(self, change: Change, because: Address) -> None:
        self.say(f"  . {change.address} left out: it needs {because}")

    def fetched(self, group: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if total and tenth > self.tenths.get(group, 0):
            self.tenths[group] = tenth
            self.say(f"    {group}: {Memory(done).human()} of {Memory(total).human()}")

    def waiting(self, status: Mapping[str, Any]) -> None:
        text = _unready(status)
        if text and text != self.said:
            self.said = text
            self.say(f"    waiting for {text}")


class Live(Lines):
    """The same lines, with a spinner and a bar for each download at the bottom of the terminal."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        console = Console()
        self.bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self.spinner = Bars(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True)
        self.current: Bars | None = None
        self.tasks: dict[str, Any] = {}

    def __exit__(self, *exc: object) -> None:
        self._show(None)

    def say(self, text: str) -> None:
        printer = self.current.console.print if self.current else None
        if printer:
            printer(text, highlight=False, markup=False)
        else:
            click.echo(text)

    def _show(self, bars: Any) -> None:
        if self.current is not bars:
            if self.current:
                self.current.stop()
            self.current = bars
            if bars:
                bars.start()

    def started(self, change: Change) -> None:
        super().started(change)
        self._spin(f"{change.address}")

    def _spin(self, text: str) -> None:
        self._show(self.spinner)
        if "spinner" not in self.tasks:
            self.tasks["spinner"] = self.spinner.add_task(text, total=None)
        self.spinner.update(self.tasks["spinner"], description=text)

    def fetched(self, group: str, done: int, total: int) -> None:
        """Moves the bar of a download."""
        if not total:
            return
        self._show(self.bars)
        if group not in self.tasks:
            self.tasks[group] = self.bars.add_task(group, total=total)
        self.bars.update(self.tasks[group], completed=done, total=total)

    def waiting(self, status: Mapping[str, Any]) -> None:
        if text := _unready(status):
            self._spin(f"waiting for {text}")


def _unready(status: Mapping[str, Any]) -> str:
    """`chat: starting (0/1)`: the parts that are not ready yet; with their kind where two have one name."""
    parts = status.get("parts", ())
    names = [p["name"] for p in parts]
    titles = (p["name"] if names.count(p["name"]) == 1 else f"{p['kind']} {p['name']}" for p in parts)
    waits = (pair for pair in zip(titles, parts, strict=True) if pair[1]["ready"] < pair[1]["replicas"])
    return ", ".join(f"{title}: {p['state']} ({p['ready']}/{p['replicas']})" for title, p in waits)
