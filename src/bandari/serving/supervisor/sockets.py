"""The unix sockets of a cluster's folder, whatever the length of its path.

A socket's name may have 107 bytes; a longer path is reached through an open descriptor of its folder.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

_LONGEST = 100


def listen_unix(path: Path) -> socket.socket:
    """A listening socket of mode 0600 in the place of whatever was there."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _through_folder(path, listener.bind)
        listener.listen(64)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def connect_unix(path: Path, *, timeout: float = 5.0) -> socket.socket:
    """A connected socket; OSError when nobody listens."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout)
    try:
        _through_folder(path, client.connect)
    except OSError:
        client.close()
        raise
    return client


def _through_folder(path: Path, act: object) -> None:
    assert callable(act)
    if len(os.fsencode(path)) <= _LONGEST:
        act(str(path))
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        act(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
