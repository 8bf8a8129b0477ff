"""Ports: a free one for a replica, listening sockets for the gateway, and who holds one that is taken."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Collection
from pathlib import Path

FIRST_PRIVATE = 8000
FIRST_PUBLIC = 8080
FIRST_PUBLIC_TLS = 8443
_TRIES = 1000
_BACKLOG = 4096
"""Connections that wait while the gateway is being restarted (the kernel caps it at net.core.somaxconn)."""
_LISTEN = "0A"


class PortTaken(Exception):  # noqa: N818 - reads as the sentence it is
    """A port that the user named is in use; the text names the holder."""


def free_port(taken: Collection[int] = ()) -> int:
    """A port of 127.0.0.1 that nobody listens on and that is not in `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


def listen(address: str, port: int) -> socket.socket:
    """A listening socket; OSError when the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def listen_on(address: str, port: int) -> socket.socket:
    """The same for a port that the user named: PortTaken, with the holder, when it cannot be had."""
    try:
        return listen(address, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise PortTaken(f"cannot listen on {address}:{port}: {os.strerror(error.errno or 0).lower()}") from error
        raise PortTaken(f"cannot listen on {address}:{port}: the port is taken{holder(port)}") from error


def listen_from(address: str, first: int, taken: Collection[int] = ()) -> socket.socket:
    """A listening socket on the first free port from `first`."""
    for port in range(first, first + _TRIES):
        if port in taken:
            continue
        try:
            return listen(address, port)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise PortTaken(
                    f"cannot listen on {address}:{port}: {os.strerror(error.errno or 0).lower()}"
                ) from error
    raise PortTaken(f"cannot listen on {address}: no port is free from {first} to {first + _TRIES - 1}")


def holder(port: int) -> str:
    """` by process 123 (python -m http.server)` for who listens on the port; less where /proc does not tell."""
    inodes = _listening_inodes(port)
    for entry in sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        if _holds(entry, inodes):
            return f" by process {entry} ({_command(entry)})"
    return " by a process of another user" if inodes else ""


def _listening_inodes(port: int) -> set[str]:
    wanted = f"{port:04X}"
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        fields = (row.split() for row in rows)
        inodes |= {f[9] for f in fields if f[3] == _LISTEN and f[1].rpartition(":")[2] == wanted}
    return inodes


def _holds(pid: int, inodes: set[str]) -> bool:
    links = {f"socket:[{inode}]" for inode in inodes}
    try:
        return any(str(entry.readlink()) in links for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "?"
    return " ".join(words).strip()[:120]
