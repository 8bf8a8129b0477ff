"""Starts a replica inside limits and a mount namespace of its own, then becomes it: the pid stays the same.

Run by file name (`python -I -S enter.py JSON COMMAND...`), so that it imports nothing of the package and costs
milliseconds. Needs no rights: a user namespace allows the mounts. A mount path that does not exist is made in a copy of
its nearest existing parent, a tmpfs in which everything else is bound as it was; the real parent is not touched.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
EXIT_CANNOT = 120
"""Exit status when the namespace or a limit could not be had."""


def launcher(
    command: Sequence[str], *, mounts: Sequence[tuple[str, str, bool]] = (), root: str = "", data_limit: int = 0
) -> tuple[str, ...]:
    """The command that enters and then runs `command`. `mounts`: (folder, path to see it at, read only); `root`: an
    unused path for the copy of `/` where one is needed; `data_limit`: RLIMIT_DATA in bytes.
    """
    wanted = json.dumps({"mounts": list(mounts), "root": root, "data_limit": data_limit})
    return (sys.executable, "-I", "-S", str(Path(__file__).resolve()), wanted, *command)


@functools.cache
def mount_namespaces_available() -> bool:
    """Whether this host lets a process without rights bind folders in a namespace of its own; found by doing it."""
    if not sys.platform.startswith("linux") or platform.machine() not in _PIVOT_ROOT:
        return False
    trial = launcher(["/bin/sh", "-c", "exit 0"], mounts=[("/", "/bandari-trial/deep", True)], root="")
    try:
        return subprocess.run(trial, check=False, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


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


def _copy_of(folder: str, copy: str) -> None:
    """A tmpfs at `copy` in which every entry of `folder` is bound, links made anew."""
    _mount("tmpfs", copy, "tmpfs")
    for entry in os.scandir(folder):
        place = os.path.join(copy, entry.name)  # noqa: PTH118 - pathlib would normalise
        try:
            if entry.is_symlink():
                Path(place).symlink_to(os.readlink(entry.path))
                continue
            if entry.is_dir():
                Path(place).mkdir()
            else:
                Path(place).touch()
            _bind(entry.path, place)
        except OSError as error:
            sys.stderr.write(f"enter: {entry.path} is not seen inside: {error}\n")


def _make(path: str, root: str, *, folder: bool) -> None:
    """Makes a place to bind on, in a copy of its nearest existing parent."""
    target = Path(path)
    if target.exists():
        return
    parent = next(p for p in target.parents if p.is_dir())
    if str(parent) == "/":
        # A tmpfs is the one place where a folder can be made for sure: /proc is always there to be covered for it.
        _enter_root(root)
    elif not _is_copy(str(parent)):
        staging = "/proc/self/task" if not root else root
        Path(root).mkdir(parents=True, exist_ok=True) if root else None
        _copy_of(str(parent), staging)
        _bind(staging, str(parent))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.mkdir() if folder else target.touch()


_copies: set[str] = set()


def _is_copy(folder: str) -> bool:
    return folder in _copies


def _enter_root(root: str) -> None:
    if _is_copy("/"):
        return
    staging = root or "/tmp"  # noqa: S108 - covered in this namespace only
    if root:
        Path(root).mkdir(parents=True, exist_ok=True)
    held = os.open("/", os.O_PATH | os.O_DIRECTORY)
    _copy_of("/", staging)
    os.chdir(staging)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b".") != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"pivot_root: {os.strerror(number)}")
    _call("umount2", b".", _MNT_DETACH)
    os.close(held)
    os.chdir("/")
    _copies.add("/")


def _place(mounts: Sequence[Sequence[object]], root: str) -> None:
    for source, path, read_only in mounts:
        _make(str(path), root, folder=Path(str(source)).is_dir())
        _bind(str(source), str(path), read_only=bool(read_only))


def main(argv: list[str]) -> int:
    """Does not return when all went well."""
    wanted = json.loads(argv[0])
    here = Path.cwd()
    try:
        if wanted["mounts"]:
            _unshare()
            _place(wanted["mounts"], wanted["root"])
            os.chdir(here if here.is_dir() else "/")
        if limit := wanted["data_limit"]:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
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
