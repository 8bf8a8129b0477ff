"""Starts a replica inside limits and a mount namespace of its own, then becomes it: the pid stays the same.

Run by file name (`python -I -S enter.py JSON COMMAND...`), so that it imports nothing of the package and costs
milliseconds. Needs no rights: a user namespace allows the mounts. A mount path that does not exist is made in a copy of
its nearest existing parent, a tmpfs in which everything else is bound as it was; the real parent is not touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_NAMESPACES = (("user", _CLONE_NEWUSER), ("mnt", _CLONE_NEWNS))
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
EXIT_CANNOT = 120
"""Exit status when the namespace or a limit could not be had."""


def launcher(
    command: Sequence[str], *, mounts: Sequence[tuple[str, str, bool]] = (), root: str = "", data_limit: int = 0
) -> tuple[str, ...]:
    """The command that enters and then runs `command`. `mounts`: (folder, path to see it at, read only); `root`: a
    folder of its own, for the copy where one is needed; `data_limit`: RLIMIT_DATA in bytes.
    """
    wanted = json.dumps({"mounts": list(mounts), "root": root, "data_limit": data_limit})
    return (sys.executable, "-I", "-S", str(Path(__file__).resolve()), wanted, *command)


def joiner(command: Sequence[str], pid: int) -> tuple[str, ...]:
    """The command that runs `command` where process `pid`, started by `launcher` with mounts, is: for its probes."""
    return (sys.executable, "-I", "-S", str(Path(__file__).resolve()), json.dumps({"join": pid}), *command)


@functools.cache
def mount_namespaces_available() -> bool:
    """Whether this host lets a process without rights bind folders in a namespace of its own; found by doing it."""
    if not sys.platform.startswith("linux") or platform.machine() not in _PIVOT_ROOT:
        return False
    seen = "/bandari-trial/folder"
    with tempfile.TemporaryDirectory() as folder:
        if threading.active_count() == 1:
            return _forked_trial(folder, seen)
        trial = launcher(["/bin/sh", "-c", f"test -d {seen}"], mounts=[(folder, seen, True)], root=folder)
        try:
            return subprocess.run(trial, check=False, capture_output=True, timeout=10).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


def _forked_trial(folder: str, seen: str) -> bool:
    """The same in a copy of this process, which costs a tenth of a new interpreter; only safe without threads."""
    child = os.fork()
    if child == 0:
        bound = False
        with contextlib.suppress(OSError):
            _unshare()
            _place([(folder, seen, True)], Path(folder))
            bound = Path(seen).is_dir()
        os._exit(0 if bound else EXIT_CANNOT)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str = "none", flags: int = 0) -> None:
    text = [value.encode() for value in (source, target, kind)]
    _call("mount", *text, ctypes.c_ulong(flags), None)


def _bind(source: str, target: str, *, read_only: bool = False) -> None:
    _mount(source, target, flags=_MS_BIND | _MS_REC)
    if read_only:
        # What the source was mounted with is locked in a user namespace and must be repeated.
        kept = os.statvfs(target).f_flag & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        _mount("none", target, flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def _unshare() -> None:
    user, group = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _mount("none", "/", flags=_MS_REC | _MS_PRIVATE)


def _copy_of(folder: Path, copy: Path) -> None:
    """A tmpfs at `copy` in which every entry of `folder` is bound, links made anew."""
    entries = sorted(folder.iterdir())
    _mount("tmpfs", str(copy), "tmpfs")
    for entry in entries:
        place = copy / entry.name
        try:
            if entry.is_symlink():
                place.symlink_to(entry.readlink())
                continue
            _make(place, folder=entry.is_dir())
            _bind(str(entry), str(place))
        except OSError as error:
            sys.stderr.write(f"enter: {entry} is not seen inside: {error}\n")


def _make(place: Path, *, folder: bool) -> None:
    if folder:
        place.mkdir(exist_ok=True)
    else:
        place.touch()


def _pivot(copy: Path) -> None:
    """Makes `copy` the root of this process."""
    os.chdir(copy)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b".") != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"pivot_root: {os.strerror(number)}")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def _parent(path: Path) -> Path:
    """The nearest folder above that exists."""
    return next(parent for parent in path.parents if parent.is_dir())


def _cover(parent: Path, root: Path, copied: set[Path]) -> None:
    """Puts a copy in the place of `parent`."""
    root.mkdir(parents=True, exist_ok=True)
    _copy_of(parent, root)
    if parent == Path("/"):
        _pivot(root)
    else:
        _bind(str(root), str(parent))
        _call("umount2", os.fsencode(root), _MNT_DETACH)
    copied.add(parent)


def _place(mounts: Sequence[tuple[str, str, bool]], root: Path) -> None:
    """Binds all, outer paths first. The sources are opened before, as a mount may cover the way to the next; but after
    `/` is changed, as nothing can be bound from the old one.
    """
    copied: set[Path] = set()
    if any(not Path(path).exists() and _parent(Path(path)) == Path("/") for _, path, _ in mounts):
        _cover(Path("/"), root, copied)
    opened = [(os.open(source, os.O_PATH), Path(source).is_dir(), Path(path), ro) for source, path, ro in mounts]
    for handle, folder, path, read_only in sorted(opened, key=lambda item: len(item[2].parts)):
        if not path.exists():
            # Inside a copy of `/` only the copied level can be written to: deeper ones are bound.
            if (parent := _parent(path)) not in copied:
                _cover(parent, root, copied)
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path, folder=folder)
        _bind(f"/proc/self/fd/{handle}", str(path), read_only=read_only)
        os.close(handle)


def _join(pid: int) -> None:
    handles = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), kind) for name, kind in _NAMESPACES]
    for handle, kind in handles:
        _call("setns", handle, kind)
        os.close(handle)
    os.chdir("/")


def _enter(wanted: dict[str, Any]) -> None:
    here = Path.cwd()
    if pid := wanted.get("join"):
        _join(pid)
    if mounts := wanted.get("mounts"):
        _unshare()
        _place(mounts, Path(wanted["root"]))
        os.chdir(here if here.is_dir() else "/")
    if limit := wanted.get("data_limit"):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main(argv: list[str]) -> int:
    """Does not return when all went well."""
    try:
        _enter(json.loads(argv[0]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot enter the namespace of the replica: {error}\n")
        return EXIT_CANNOT
    try:
        os.execvp(argv[1], argv[1:])  # noqa: S606 - becoming the replica is the purpose
    except OSError as error:
        sys.stderr.write(f'cannot run "{argv[1]}": {os.strerror(error.errno or 0).lower()}\n')
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
