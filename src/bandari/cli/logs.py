"""`bandari logs`: what a group, a replica or a part wrote."""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster, cluster_option, file_argument
from bandari.cli.output import Output, verb
from bandari.diagnostics import did_you_mean
from bandari.errors import Terminal
from bandari.serving.protocol import LOG_FOLDER

POLL = 0.1


@click.command()
@click.argument("name", required=False)
@file_argument(short=False)
@cluster_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option(
    "-n",
    "--tail",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Lines of the past to begin with; 0: none.",
)
@verb
def logs(out: Output, name: str | None, option: str | None, cluster: str | None, follow: bool, tail: int) -> int:
    """Print the log of NAME: a group (all its replicas), a replica, gateway, supervisor; without NAME all of them."""
    folder = pipeline.existing(chosen_cluster(cluster, None, option), kept=True).folder / LOG_FOLDER
    files = _files(folder, name)
    wide = max(len(path.stem) for path in files)
    for path in files:
        for line in _past(path, tail):
            _say(out, path.stem, line, wide if len(files) > 1 else 0)
    if follow:
        for part, line in _coming(folder, name, {path: path.stat().st_size for path in files}):
            _say(out, part, line, wide)
    return 0


def _say(out: Output, part: str, line: str, width: int) -> None:
    out.line({"part": part, "line": line}, f"{part:{width}} | {line}" if width else line)


def _files(folder: Path, name: str | None) -> list[Path]:
    """The logs of a part; Terminal with the nearest name when there is none."""
    known = {path.stem: path for path in sorted(folder.glob("*.log"))}
    found = [path for part, path in known.items() if name in (None, part, part.rpartition("-")[0])]
    if not found:
        near = did_you_mean(name or "", known)
        fix = f"did you mean {near!r}?" if near else f"there are logs of: {', '.join(known) or 'nothing yet'}"
        raise Terminal(f"cannot find a log of {name!r}", fix=fix)
    return found


def _past(path: Path, count: int) -> Iterator[str]:
    """The last lines, across rotated files (`NAME.log.1` is the newest of those)."""
    if count <= 0:
        return
    rotated = sorted(
        path.parent.glob(f"{path.name}.*"), key=lambda p: int(p.suffix[1:]) if p.suffix[1:].isdigit() else 0
    )
    last: deque[str] = deque(maxlen=count)
    for file in (*reversed(rotated), path):
        with file.open(errors="replace") as stream:
            last.extend(line.rstrip("\n") for line in stream)
    yield from last


def _coming(folder: Path, name: str | None, seen: dict[Path, int]) -> Iterator[tuple[str, str]]:
    """New lines of all files, for ever; a file that was rotated or appears later is read from its start."""
    rests: dict[Path, str] = {}
    while True:
        fresh = list(heapq.merge(*([(p.stem, line) for line in _fresh(p, seen, rests)] for p in _files(folder, name))))
        yield from fresh
        if not fresh:
            time.sleep(POLL)


def _fresh(path: Path, seen: dict[Path, int], rests: dict[Path, str]) -> list[str]:
    size = path.stat().st_size
    offset = seen.get(path, 0) if size >= seen.get(path, 0) else 0
    if size == offset:
        return []
    with path.open("rb") as stream:
        stream.seek(offset, os.SEEK_SET)
        text = rests.get(path, "") + stream.read().decode(errors="replace")
        seen[path] = stream.tell()
    *whole, rests[path] = text.split("\n")
    return whole
