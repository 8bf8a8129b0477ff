"""Services of Ray Serve behind the gateway: which paths lead to which, and which version of it answers.

A request at or below a service's prefix goes on as it came, whatever its method, but for its path: the prefix is
replaced by the path of a version. The version is chosen by weight (smooth weighted round robin, as nginx does it), or
by the header `x-bandari-version`. The longest prefix wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bandari.serving.gateway import answers
from bandari.serving.gateway.metrics import GroupMetrics, Metrics
from bandari.serving.gateway.replica import Replica
from bandari.serving.protocol import ServiceLoad, ServiceTable, ServiceVersion, Upstream

if TYPE_CHECKING:
    from bandari.serving.gateway.exchange import Exchange
    from bandari.serving.gateway.limits import Limits

VERSION_HEADER = b"x-bandari-version"
_CONNECTIONS = 256
"""Most connections kept to a proxy of Serve's, which holds none of them by a thread."""
_PASSED = (b"accept-encoding", b"content-encoding")


class Version:
    """One version of a service, in the place of a group for the requests that it has."""

    def __init__(self, route: Route, told: ServiceVersion, limits: Limits, metrics: GroupMetrics) -> None:
        self.route = route
        self.told = told
        self.metrics = metrics
        self.table = route.table
        self.in_flight = 0
        self.note = b"x-bandari-version: %b\r\n" % told.version.encode("latin-1", "replace")
        """Header line of its answers."""
        self.turn = 0
        """What it is owed of the traffic, in percent of a request."""
        upstream = Upstream(f"{route.table.name}@{told.version}", told.host, told.port, slots=_CONNECTIONS)
        self.replica = Replica(upstream, limits, metrics.replica(upstream.id), _nothing)
        self.replica.note = b""
        self.base = self.replica.base = told.path.encode()
        self.replica.prefix = route.prefix.encode()

    def place(self, exchange: Exchange) -> None:
        """A request that failed on the way: again to a version that may be asked."""
        self.route.place(exchange)

    def take(self, exchange: Exchange) -> None:
        """Sends a request on, below the version's own path."""
        if exchange.group is not self:
            exchange.group = self
            self.metrics.requests += 1
        target = exchange.head.target
        exchange.target = self.base + target[len(self.replica.prefix) :] if self.base else target
        exchange.send_to(self.replica)

    def close(self) -> None:
        """The table knows it no more; what is under way goes on."""
        self.replica.retire()


class Route:
    """One prefix of one service. `prefix` has no slash at its end, so that of all paths is empty."""

    def __init__(self, table: ServiceTable, limits: Limits, metrics: Metrics) -> None:
        self.table = table
        self.prefix = table.prefix.rstrip("/")
        self.versions: list[Version] = []
        self.leaving: list[Version] = []
        """No longer in the table, with requests under way."""
        self._limits = limits
        self._metrics = metrics

    def update(self, table: ServiceTable) -> None:
        """Takes what the table says."""
        self.table = table
        known = {_place(version.told): version for version in self.versions}
        self.versions = [self._version(known.pop(_place(told), None), told) for told in table.versions]
        self._leave(known.values())

    def _version(self, known: Version | None, told: ServiceVersion) -> Version:
        if known is None:
            metrics = self._metrics.service(self.table.name, told.version)
            return Version(self, told, self._limits, metrics)
        if known.told.weight != told.weight:
            known.turn = 0
        known.told, known.table = told, self.table
        return known

    def _leave(self, versions: Iterable[Version]) -> None:
        for version in versions:
            version.close()
            self.leaving.append(version)
        self.leaving = [version for version in self.leaving if version.in_flight]

    def close(self) -> None:
        """The table knows it no more."""
        self._leave(self.versions)
        self.versions = []

    def tick(self, now: float) -> None:
        """Closes connections that are not used."""
        for version in self.versions:
            version.replica.tick(now)

    # --- requests

    def covers(self, path: str) -> bool:
        """Whether a path is at or below the prefix."""
        prefix = self.prefix
        return path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/")

    def enter(self, exchange: Exchange) -> None:
        """A new request: says to the application whom it is from, then places it."""
        head = exchange.head
        if not head.target.startswith(b"/"):
            # As a proxy is asked, `http://host/path`: only what follows is for the application.
            head.target = b"/" + head.target.partition(b"://")[2].partition(b"/")[2]
        client = exchange.client
        head.passed.append(b"x-forwarded-for: %b\r\nx-forwarded-proto: %b\r\n" % (client.peer.encode(), client.scheme))
        if self.prefix:
            head.passed.append(b"x-forwarded-prefix: %b\r\n" % self.prefix.encode())
        for name, value in head.special:
            if name == b"host":
                head.passed.append(b"x-forwarded-host: %b\r\n" % value)
            elif name in _PASSED:
                head.passed.append(b"%b: %b\r\n" % (name, value))
        self.place(exchange)

    def place(self, exchange: Exchange) -> None:
        """Sends a request to the version that it names, or whose turn it is, or answers it."""
        name = self.table.name
        if wanted := exchange.head.version_wanted:
            version = next((v for v in self.versions if v.told.version == wanted), None)
            if version is None:
                exchange.refuse(answers.unknown_version(name, wanted))
                return
            version = version if version.replica.usable else None
        else:
            version = self._next()
        if version is None:
            tries = exchange.tries
            exchange.refuse(answers.upstream_failed(tries) if tries else answers.no_version(name))
        else:
            version.take(exchange)

    def _next(self) -> Version | None:
        best: Version | None = None
        total = 0
        for version in self.versions:
            weight = version.told.weight
            if weight <= 0 or not version.replica.usable:
                continue
            total += weight
            version.turn += weight
            if best is None or version.turn > best.turn:
                best = version
        if best:
            best.turn -= total
        return best

    def loads(self) -> Iterator[tuple[str, ServiceLoad]]:
        """For the supervisor, by `<service>@<version>`."""
        self.leaving = [version for version in self.leaving if version.in_flight]
        for version in (*self.versions, *self.leaving):
            metrics = version.metrics
            yield version.replica.id, ServiceLoad(version.in_flight, metrics.requests, metrics.failures)


class Routes:
    """All services, as the last table says."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.all: dict[tuple[str, str], Route] = {}
        self._limits = limits
        self._metrics = metrics
        self._gone: list[Route] = []
        self._longest_first: tuple[tuple[Route, ...], tuple[Route, ...]] = ((), ())

    def apply(self, tables: Iterable[ServiceTable]) -> None:
        """Takes in those of a table, whole."""
        before, self.all = self.all, {}
        for told in tables:
            key = (told.name, told.prefix)
            route = before.pop(key, None) or Route(told, self._limits, self._metrics)
            route.update(told)
            self.all[key] = route
        for route in before.values():
            route.close()
        self._gone = [route for route in (*self._gone, *before.values()) if _busy(route)]
        ordered = sorted(self.all.values(), key=lambda route: len(route.prefix), reverse=True)
        self._longest_first = (tuple(ordered), tuple(route for route in ordered if route.table.public))

    def find(self, path: str, *, public: bool) -> Route | None:
        """The service that a path leads to on a listener."""
        for route in self._longest_first[public]:
            if route.covers(path):
                return route
        return None

    def tick(self, now: float) -> None:
        """Now and then."""
        for route in self.all.values():
            route.tick(now)

    def loads(self) -> dict[str, ServiceLoad]:
        """For the supervisor; a service with several prefixes has one count for each version of it."""
        self._gone = [route for route in self._gone if _busy(route)]
        told: dict[str, ServiceLoad] = {}
        for route in (*self._gone, *self.all.values()):
            for name, load in route.loads():
                in_flight = load.in_flight + (told[name].in_flight if name in told else 0)
                told[name] = ServiceLoad(in_flight, load.requests_total, load.failures_total)
        return told


def _busy(route: Route) -> bool:
    return any(version.in_flight for version in (*route.versions, *route.leaving))


def _place(told: ServiceVersion) -> tuple[str, str, int, str]:
    return told.version, told.host, told.port, told.path


def _nothing(replica: Replica) -> None:
    """A version waits for nothing: a request that finds none ready is answered so."""
