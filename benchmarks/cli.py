"""Section: what a command costs before it does anything."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import bandari
from benchmarks.figures import Figure, Section, Spread, ratios
from benchmarks.machine import ROOT
from benchmarks.processes import CannotMeasure, run_cpu_seconds

ROUNDS = 11
FULL = "examples/full-cluster.yaml"
HOW = f"""\
CPU is user and system time of the whole process from start to end (`wait4`), byte code compiled before;
{ROUNDS} rounds, each command once a round; the full file is `{FULL}`. The yardstick is the same interpreter
doing nothing (`python -c pass`). The packages are `bandari` without extras and
all that it requires; their size is that of the installed files without `.pyc`."""
PACKAGES, MIB = 12, 25.0
BANDARI = str(Path(sys.executable).with_name("bandari"))
BARE = "`python -c pass`"
COMMANDS: Mapping[str, tuple[tuple[str, ...], float | None]] = {
    BARE: ((sys.executable, "-c", "pass"), None),
    "`bandari --version`": ((BANDARI, "--version"), 0.05),
    "`bandari --help`": ((BANDARI, "--help"), 0.1),
    "`bandari check`, full file": ((BANDARI, "check", FULL), 0.4),
    "`bandari plan --offline`, full file": ((BANDARI, "plan", "--offline", "--target", "local", FULL), 0.4),
}
"""Name -> command and the seconds that it may take."""
TIMES_BARE = 4.0


def measure(folder: Path) -> Section:
    """The commands and the footprint of the base install."""
    home = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "XDG_DATA_HOME": str(folder / "data")}
    environment = {**os.environ, **home}
    os.chdir(ROOT)
    seen: dict[str, list[float]] = {}
    missing = []
    for name, (command, _) in COMMANDS.items():
        try:
            run_cpu_seconds(command, environment)
            seen[name] = []
        except CannotMeasure as reason:
            missing.append(f"{name}: {reason}")
    for _ in range(ROUNDS):
        for name, times in seen.items():
            times.append(run_cpu_seconds(COMMANDS[name][0], environment))
    return Section("Command line", HOW, (*_figures(seen), *_footprint()), missing=tuple(missing))


def _figures(seen: Mapping[str, Sequence[float]]) -> Iterator[Figure]:
    for name, times in seen.items():
        yield Figure(f"CPU of {name}", "s", Spread.of(times), COMMANDS[name][1])
    for name, times in seen.items():
        if name != BARE:
            goal = TIMES_BARE if name == "`bandari --version`" else None
            yield Figure(f"{name} / {BARE}", "x", Spread.of(ratios(times, seen[BARE])), goal)


def _footprint() -> Iterator[Figure]:
    names = required("bandari")
    yield Figure("packages of a base install", "", Spread.of([len(names)]), PACKAGES)
    size = sum(installed_bytes(name) for name in names)
    yield Figure("size of a base install", "MiB", Spread.of([size / 2**20]), MIB)


def required(root: str) -> frozenset[str]:
    """The distribution and, by their metadata here, all that it requires without an extra."""
    found: set[str] = set()
    ahead = [root]
    while ahead:
        name = re.sub(r"[-_.]+", "-", ahead.pop()).lower()
        if name in found:
            continue
        found.add(name)
        ahead += [line for line in map(_plain_requirement, metadata.requires(name) or ()) if line]
    return frozenset(found)


def _plain_requirement(line: str) -> str:
    """Its name, or nothing when it holds only elsewhere: for an extra, for Windows, for an older Python."""
    requirement, _, marker = line.partition(";")
    if re.search(r"extra|win32|Windows|python_version *<|implementation_name", marker):
        return ""
    match = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    assert match
    return match[0]


def installed_bytes(name: str) -> int:
    """Of its files; of bandari, which may be installed in place, those of its package."""
    if name == "bandari":
        files = list(Path(bandari.__file__).parent.rglob("*"))
    else:
        files = [Path(str(file.locate())) for file in metadata.files(name) or ()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())
