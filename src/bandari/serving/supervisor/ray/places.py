"""Where a Ray cluster stands on this machine: its loopback addresses, ports and short temp folders.

Unix sockets have paths of 107 bytes at most and Ray adds some 65 of its own, so temp folders are not in the state
folder: they are `/tmp/bandari-ray-<uid>/<8 hex digits of state folder and cluster>/<number of the node>`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from bandari.serving.ray.commands import DASHBOARD_PORT, SERVE_PORT
from bandari.serving.supervisor.environment import CannotStart

HEAD_NUMBER = 1
LAST_NUMBER = 254
_GCS_FILE = "gcs"
_FIRST_GCS_PORT = 20_000
_GCS_PORTS = 12_000
"""Below the ports that Linux gives to outgoing connections (from 32768)."""
_NETS = 250
_FIRST_NET = 2


def _digest(state: Path, cluster: str) -> bytes:
    return hashlib.sha256(f"{state}\0{cluster}".encode()).digest()


def base() -> Path:
    """The folder of this user."""
    return Path("/tmp") / f"bandari-ray-{os.geteuid()}"  # noqa: S108 - its owner is checked in `own_base`


def cluster_folder(state: Path, cluster: str) -> Path:
    """The temp folder of a Ray cluster."""
    return base() / _digest(state, cluster).hex()[:8]


def temp_folder(state: Path, cluster: str, number: int) -> Path:
    """Makes the temp folder of one node; CannotStart when it cannot be had."""
    own_base()
    folder = cluster_folder(state, cluster) / str(number)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f'cannot make the temp folder "{folder}": {os.strerror(error.errno or 0).lower()}') from error
    return folder


def own_base() -> None:
    """Makes the folder of this user; CannotStart when somebody else has it."""
    try:
        base().mkdir(mode=0o700, exist_ok=True)
        found = base().lstat()
    except OSError as error:
        raise CannotStart(f'cannot make the temp folder "{base()}": {os.strerror(error.errno or 0).lower()}') from error
    if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
        raise CannotStart(f'the temp folder "{base()}" belongs to somebody else; remove it')


def remove(folder: Path) -> None:
    """Removes a temp folder, and those above that are empty then."""
    shutil.rmtree(folder, ignore_errors=True)
    for above in (folder.parent, folder.parent.parent):
        if above == base() or above.parent == base():
            with contextlib.suppress(OSError):
                above.rmdir()


def subnet(state: Path, cluster: str, taken: Collection[str]) -> str:
    """`127.x.y` where nobody listens on the ports of a head; the same again for the same cluster if it can be."""
    seed = int.from_bytes(_digest(state, cluster)[:4], "big")
    for step in range(_NETS * _NETS):
        number = (seed + step) % (_NETS * _NETS)
        found = f"127.{_FIRST_NET + number // _NETS}.{_FIRST_NET + number % _NETS}"
        head = f"{found}.{HEAD_NUMBER}"
        if found not in taken and free(head, DASHBOARD_PORT) and free(head, SERVE_PORT):
            return found
    raise CannotStart(f"no loopback address has the ports {DASHBOARD_PORT} and {SERVE_PORT} free")


def free(address: str, port: int) -> bool:
    """Whether a port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def gcs_port(state: Path, cluster: str, taken: Collection[int]) -> int:
    """A port for a GCS, the same again for the same cluster if it can be. Two of them could listen on one port, as they
    set SO_REUSEPORT, and each would get some of what is meant for the other: so a port that another cluster of this
    user was given is left alone, even while its head is away.
    """
    own_base()
    seed = int.from_bytes(_digest(state, cluster)[4:8], "big")
    own = cluster_folder(state, cluster)
    with _locked_base():
        given = {_read(path) for path in base().glob(f"*/{_GCS_FILE}") if path.parent != own}
        for step in range(_GCS_PORTS):
            port = _FIRST_GCS_PORT + (seed + step) % _GCS_PORTS
            if port not in given and port not in taken and free("0.0.0.0", port):
                own.mkdir(mode=0o700, parents=True, exist_ok=True)
                (own / _GCS_FILE).write_text(str(port))
                return port
    raise CannotStart(f"no port is free from {_FIRST_GCS_PORT} to {_FIRST_GCS_PORT + _GCS_PORTS - 1}")


@contextlib.contextmanager
def _locked_base() -> Iterator[None]:
    """One supervisor of this user at a time, for the moment of a choice."""
    folder = os.open(base(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _read(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text())
    return 0


def any_port(taken: Collection[int]) -> int:
    """A port that is free on all interfaces."""
    while True:
        with socket.socket() as probe:
            probe.bind(("0.0.0.0", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def next_number(last: int, taken: Collection[int]) -> int:
    """The number of the next node, 2 to 254, those used lately last: Ray counts a killed node for some seconds more."""
    order: tuple[int, ...] = (*range(last + 1, LAST_NUMBER + 1), *range(HEAD_NUMBER + 1, last + 1))
    numbers = [number for number in order if number not in taken]
    if not numbers:
        raise CannotStart(f"a Ray cluster has at most {LAST_NUMBER} nodes here")
    return numbers[0]
