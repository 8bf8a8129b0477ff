"""`bandari doctor`: what this machine can run, and what it lacks."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from bandari._version import __version__
from bandari.cli.output import FAILED, Output, verb
from bandari.drivers.folders import Folders

LOCAL_MODULES = ("xllamacpp", "gguf", "uvloop", "httptools", "httpx", "psutil", "msgspec", "huggingface_hub")
MARKS = {"ok": ("ok", "green"), "missing": ("!!", "red"), "note": ("--", "yellow")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `state` is `ok`, `missing` (the local target does not work) or `note` (something is not to be had)."""

    what: str
    state: str
    detail: str
    fix: str = ""


@click.command()
@verb
def doctor(out: Output) -> int:
    """Say what this machine can run, and what it lacks for it."""
    found = tuple(_findings())
    out.document({"bandari": __version__, "checks": [asdict(f) for f in found]})
    for item in found:
        mark, colour = MARKS[item.state]
        line = f"{click.style(mark, fg=colour)}  {item.what:18} {item.detail}"
        out.text(line if out.terminal else click.unstyle(line))
        if item.fix:
            out.text(f"    fix: {item.fix}")
    return FAILED if any(f.state == "missing" for f in found) else 0


def _findings() -> Iterator[Finding]:
    yield Finding("bandari", "ok", f"{__version__}, Python {platform.python_version()}, {sys.prefix}")
    yield from system(platform.system(), platform.release())
    yield from _modules()
    yield from _engines()
    yield from _folders()


def system(name: str, release: str) -> Iterator[Finding]:
    """What an operating system can do: the local target needs Linux, all else does not."""
    if name == "Linux":
        yield Finding("system", "ok", f"Linux {release}: the local target runs here")
    else:
        detail = f"{name}: check, plan, render and remote targets work; the local target needs Linux"
        yield Finding("system", "missing", detail, "run the local target on a Linux machine")


def _modules() -> Iterator[Finding]:
    lost = [name for name in LOCAL_MODULES if importlib.util.find_spec(name) is None]
    if lost:
        yield Finding("local extra", "missing", f"not installed: {', '.join(lost)}", "pip install 'bandari[local]'")
    else:
        yield Finding("local extra", "ok", "everything that one machine runs is installed")


def _engines() -> Iterator[Finding]:
    from bandari.drivers.host import probe

    host = probe()
    yield Finding("host", "ok", f"{host.cpus:g} CPUs, {host.memory.human()} memory, {host.gpus} GPUs")
    for engine in ("xllamacpp", "llama-server", "vllm"):
        version = host.engines.get(engine)
        yield Finding(engine, "ok" if version else "note", version or "not found: groups that name it do not run here")
    ray = host.engines.get("ray")
    lacks = "not found: Ray clusters do not run here (pip install 'bandari[ray]')"
    yield Finding("ray", "ok" if ray else "note", ray or lacks)
    able = "a replica can have mounts of its own" if host.mount_namespaces else "mounts are only named in variables"
    yield Finding("mount namespaces", "ok" if host.mount_namespaces else "note", able)


def _folders() -> Iterator[Finding]:
    folders = Folders.of(os.environ)
    for what, path in (("state", folders.state), ("models", folders.models)):
        parent = next(p for p in (path, *path.parents) if p.exists())
        fits = parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)
        free = _free(parent)
        state = "ok" if fits else "missing"
        fix = "" if fits else f"make {parent} a writable folder, or set XDG_STATE_HOME and XDG_DATA_HOME"
        yield Finding(what, state, f"{path} ({free:.0f} GB free)" if fits else f"cannot write {path}", fix)


def _free(path: Path) -> float:
    seen = os.statvfs(path)
    return seen.f_bavail * seen.f_frsize / 1e9
