"""What this machine has: processors, memory, GPUs, engines. Reads /proc, /sys and PATH; programs are asked for little.

A container's limits count, not its host's hardware: CPU affinity and quota, memory limit of cgroups v1 and v2.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from bandari.catalog.host import Host
from bandari.serving.enter import mount_namespaces_available
from bandari.units import Memory

ASK_SECONDS = 5.0
"""Longest wait for a program that is asked for its version or its GPUs."""
UNKNOWN = "unknown version"
UNLIMITED = 2**60
"""Memory limits from here on mean none: cgroup v1 writes a number near 2**63."""


def probe(environ: Mapping[str, str] | None = None, root: Path = Path("/")) -> Host:
    """This machine, as a child process of ours would see it; `root` holds proc and sys."""
    environ = os.environ if environ is None else environ
    return Host(
        system=platform.system(),
        cpus=cpus(root),
        memory=memory(root),
        gpus=gpus(environ, root),
        engines=engines(environ),
        mount_namespaces=mount_namespaces_available(),  # by the code that will do it
    )


# --- processors and memory ------------------------------------------------------------------------------------------


def cpus(root: Path = Path("/")) -> float:
    """Cores that this process may use: those of its affinity, or less by the quota of a cgroup."""
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return min([usable, *_quotas(root)])


def memory(root: Path = Path("/")) -> Memory:
    """Bytes: what the machine has, or less by the limit of a cgroup."""
    return Memory(int(min([_machine_memory(root), *_limits(root)])))


def _quotas(root: Path) -> Iterator[float]:
    for folder in _cgroups(root, ""):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal():
            yield int(quota) / int(period)
    for folder in _cgroups(root, "cpu"):
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal():
            yield int(quota) / int(period)


def _limits(root: Path) -> Iterator[int]:
    files = [folder / "memory.max" for folder in _cgroups(root, "")]
    files += [folder / "memory.limit_in_bytes" for folder in _cgroups(root, "memory")]
    for file in files:
        limit = _text(file)
        if limit.isdecimal() and int(limit) < UNLIMITED:
            yield int(limit)


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """The folders that limit this process, up to the root of the hierarchy; controller "" is cgroup v2's."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, separator, path = rest.partition(":")
        if not separator or controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controllers if controller else "")
        parts = Path(path.lstrip("/")).parts
        for length in range(len(parts), -1, -1):
            yield mount.joinpath(*parts[:length])
        if not controller:  # v2 beside v1 is mounted one level down
            yield mount / "unified"


def _machine_memory(root: Path) -> int:
    if found := re.search(r"MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo")):
        return int(found[1]) * 1024
    with contextlib.suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


# --- GPUs -------------------------------------------------------------------------------------------------------------


def gpus(environ: Mapping[str, str], root: Path = Path("/")) -> int:
    """NVIDIA GPUs: as nvidia-smi lists them, else as the driver does."""
    if program := shutil.which("nvidia-smi", path=environ.get("PATH")):
        return len(re.findall(r"^GPU \d+:", _ask((program, "-L"), environ), re.MULTILINE))
    folder = root / "proc/driver/nvidia/gpus"
    return len(list(folder.iterdir())) if folder.is_dir() else 0


# --- engines ----------------------------------------------------------------------------------------------------------


def engines(environ: Mapping[str, str]) -> dict[str, str]:
    """Engines that can be started here -> their version; nothing is imported to find out."""
    found = {name: version(environ) for name, version in ENGINES.items()}
    return {name: version for name, version in found.items() if version}


def _embedded(_environ: Mapping[str, str]) -> str:
    try:
        return importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _ray(_environ: Mapping[str, str]) -> str:
    """Of bandari's own environment; importing it would take a second."""
    try:
        return importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _llama_server(environ: Mapping[str, str]) -> str:
    """It prints `version: 6123 (79e0b68c)` among other lines."""
    program = shutil.which("llama-server", path=environ.get("PATH"))
    if not program:
        return ""
    said = _ask_once(program, "--version", environ.get("PATH", ""))
    found = re.search(r"version:\s*(\S+)", said)
    return found[1] if found else UNKNOWN


def _vllm(environ: Mapping[str, str]) -> str:
    """Asking vllm takes many seconds, so its version is read from the installation that its script belongs to."""
    program = shutil.which("vllm", path=environ.get("PATH"))
    if not program:
        return ""
    prefix = Path(program).resolve().parent.parent
    for folder in sorted(prefix.glob("lib/python3*/site-packages/vllm*.dist-info")):
        if found := re.fullmatch(r"vllm(?:_[a-z]+)?-(.+)\.dist-info", folder.name):
            return found[1]
    return UNKNOWN


ENGINES: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "xllamacpp": _embedded,
    "llama-server": _llama_server,
    "vllm": _vllm,
    "ray": _ray,
}


@cache
def _ask_once(program: str, flag: str, path: str) -> str:
    return _ask((program, flag), {**os.environ, "PATH": path})


def _ask(command: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """What a program prints, on either stream; empty when it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ASK_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")
