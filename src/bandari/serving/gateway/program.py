"""The program: takes the listening sockets that the supervisor opened, serves until it is told to end.

SIGTERM and SIGINT: closes the listeners, finishes what is under way within `--grace` seconds, exits 0; a second one
ends at once. Exits 1 when it cannot begin.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from bandari.errors import BandariError
from bandari.serving.gateway.access import AccessLog
from bandari.serving.gateway.downstream import Downstream
from bandari.serving.gateway.limits import Limits
from bandari.serving.gateway.link import Link
from bandari.serving.gateway.service import Service

_BACKLOG = 1024
_HANDSHAKE = 10.0


def main(words: Sequence[str]) -> int:
    """Runs; the exit code."""
    asked = _parser().parse_args(words)
    try:
        listeners = {"private": _listener(asked.private_fd)}
        if asked.public_fd is not None:
            listeners["public"] = _listener(asked.public_fd)
        tls = _tls(asked.tls_certificate, asked.tls_key) if asked.tls_certificate else None
    except BandariError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
    _allow_many_files()
    limits = Limits(**{f.name: getattr(asked, f.name) for f in dataclasses.fields(Limits)})
    access = AccessLog() if asked.access_log else None
    uvloop.run(_serve(listeners, tls, asked.link, limits=limits, access=access, grace=asked.grace))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bandari.serving.gateway", description="The gateway; started by the supervisor.")
    parser.add_argument("--private-fd", type=int, required=True, metavar="N", help="listening socket: all groups")
    parser.add_argument("--public-fd", type=int, metavar="N", help="listening socket: public groups, with a key")
    parser.add_argument("--link", type=Path, required=True, metavar="PATH", help="the supervisor's gateway.sock")
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="of the public listener, PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, PEM; none when it is in the same file")
    parser.add_argument("--grace", type=float, default=30.0, metavar="SECONDS", help="to finish what is under way")
    parser.add_argument("--access-log", action="store_true", help="one line of JSON a request on standard output")
    for limit in dataclasses.fields(Limits):
        kind = type(limit.default)
        parser.add_argument(f"--{limit.name.replace('_', '-')}", type=kind, default=limit.default, metavar="N")
    return parser


def _listener(number: int) -> socket.socket:
    try:
        listener = socket.socket(fileno=number)
        listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise BandariError(f"cannot listen on descriptor {number}: {error.strerror}") from error
    if not listening:
        raise BandariError(f"cannot listen on descriptor {number}: it is no listening socket")
    listener.setblocking(False)
    return listener


def _tls(certificate: Path, key: Path | None) -> ssl.SSLContext:
    for path in (certificate, key):
        try:
            if path is not None:
                path.open("rb").close()
        except OSError as error:
            raise BandariError(f"cannot read {str(path)!r}: {error.strerror}") from error
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.set_alpn_protocols(["http/1.1"])
    try:
        tls.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise BandariError(f"cannot use certificate {str(certificate)!r} with key {str(key)!r}: {error}") from error
    return tls


def _no_password() -> str:
    # Without this the library would ask a terminal.
    raise ValueError("the key has a password; give one without")


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(
    listeners: Mapping[str, socket.socket],
    tls: ssl.SSLContext | None,
    path: Path,
    *,
    limits: Limits,
    access: AccessLog | None,
    grace: float,
) -> None:
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    service = Service(limits, access)
    # The link has descriptors of its own, so that the sockets can be given back whatever the servers do with theirs.
    link = Link(path, {name: listener.dup() for name, listener in listeners.items()}, service.directory)
    servers = [await _listen(service, listener, tls, public=name == "public") for name, listener in listeners.items()]
    gc.freeze()
    await signals.get()
    for server in servers:
        server.close()
    link.withdraw()
    drained = service.drained()
    ends = {loop.create_task(drained.wait()), loop.create_task(signals.get())}
    await asyncio.wait(ends, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    link.close()
    if access:
        access.flush()
    sys.stderr.flush()
    # Whatever did not finish ends with the process; nothing here has to be taken apart.
    os._exit(0)


async def _listen(
    service: Service, listener: socket.socket, tls: ssl.SSLContext | None, *, public: bool
) -> asyncio.Server:
    secured = tls if public else None
    return await asyncio.get_running_loop().create_server(
        lambda: Downstream(service, public=public),
        sock=listener,
        ssl=secured,
        ssl_handshake_timeout=_HANDSHAKE if secured else None,
        backlog=_BACKLOG,
    )
