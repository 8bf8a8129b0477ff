"""The groups by the models they answer for, as the supervisor's last table says, and the requests held for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bandari.serving import routing
from bandari.serving.gateway import answers
from bandari.serving.gateway.exchange import Exchange
from bandari.serving.gateway.limits import Limits
from bandari.serving.gateway.metrics import GroupMetrics, Metrics
from bandari.serving.gateway.replica import Replica
from bandari.serving.gateway.routes import Routes
from bandari.serving.protocol import GatewayLoad, GatewayTable, GroupLoad, GroupTable, Upstream

_NO_GROUP = "the group was removed"
_ASLEEP = "no replica of the group is ready, and none is starting"
_TOO_LATE = "no replica became ready in time"
_UNTOLD = "the supervisor has not said yet which groups there are"


class Group:
    """One group: its replicas, `held` requests in the order of their coming, and what was counted."""

    def __init__(self, table: GroupTable, limits: Limits, metrics: GroupMetrics, urgent: Callable[[], None]) -> None:
        self.table = table
        self.metrics = metrics
        self.note = b""
        """Header line of its answers."""
        self.in_flight = 0
        self.replicas: list[Replica] = []
        self.leaving: list[Replica] = []
        """No longer in the table, with requests under way."""
        self.held: dict[Exchange, float] = {}
        """Request -> when it gives up."""
        self._limits = limits
        self._urgent = urgent
        self._turn = 0

    # --- the table

    def update(self, table: GroupTable) -> None:
        """Takes what the table says, then lets go what was held if it can."""
        self.table = table
        self.note = b""
        if table.stand_in:
            self.note = b"x-bandari-stand-in: %b\r\n" % table.stand_in.encode("latin-1", "replace")
        known = {(r.id, r.host, r.port): r for r in self.replicas}
        self.replicas = [self._replica(known.pop((u.id, u.host, u.port), None), u) for u in table.upstreams]
        self._leave(known.values())

    def _replica(self, known: Replica | None, upstream: Upstream) -> Replica:
        if known is None:
            return Replica(upstream, self._limits, self.metrics.replica(upstream.id), self._changed)
        known.update(upstream)
        return known

    def _leave(self, replicas: Iterable[Replica]) -> None:
        for replica in replicas:
            replica.retire()
            self.leaving.append(replica)
        self.leaving = [replica for replica in self.leaving if replica.in_flight]

    def close(self) -> None:
        """The table knows it no more; what is under way goes on."""
        self._leave(self.replicas)
        self.replicas = []
        for exchange in self._let_go():
            exchange.refuse(answers.not_ready(_NO_GROUP))

    def _changed(self, replica: Replica) -> None:
        if replica in self.leaving and not replica.in_flight:
            self.leaving.remove(replica)
        if replica.usable:
            self.release()
        else:
            self._urgent()

    # --- requests

    def place(self, exchange: Exchange) -> None:
        """Sends a request to a replica, or holds it while one may come, or answers it."""
        self._turn += 1
        replica = routing.pick(self.replicas, self._turn)
        if replica is not None:
            exchange.send_to(replica)
        elif not self.table.waking:
            answer = answers.upstream_failed(exchange.tries) if exchange.tries else answers.not_ready(_ASLEEP)
            exchange.refuse(answer)
        elif len(self.held) >= self.table.hold_limit:
            exchange.refuse(answers.queue_full(self.table.hold_limit))
        else:
            self.held[exchange] = exchange.hold() + self.table.hold_deadline
            self._urgent()

    def release(self) -> None:
        """Places again what is held, if a replica is there or none will come."""
        if self.held and (not self.table.waking or any(r.usable for r in self.replicas)):
            for exchange in self._let_go():
                self.place(exchange)

    def _let_go(self) -> Iterator[Exchange]:
        held, self.held = self.held, {}
        for exchange in held:
            exchange.let_go()
            yield exchange

    def tick(self, now: float) -> None:
        """Answers what was held for too long, and closes connections that are not used."""
        for exchange in [exchange for exchange, until in self.held.items() if until <= now]:
            del self.held[exchange]
            exchange.let_go()
            exchange.refuse(answers.not_ready(_TOO_LATE))
        for replica in self.replicas:
            replica.tick(now)

    def load(self) -> GroupLoad:
        """For the supervisor."""
        upstreams: dict[str, int] = {}
        for replica in (*self.replicas, *self.leaving):
            upstreams[replica.id] = upstreams.get(replica.id, 0) + replica.in_flight
        return GroupLoad(self.in_flight, len(self.held), upstreams, self.metrics.requests)


class Directory:
    """All groups. Before the first table `revision` is None and requests are held, whatever they ask for."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits = limits
        self.metrics = metrics
        self.groups: dict[str, Group] = {}
        self.routes = Routes(limits, metrics)
        self.revision: int | None = None
        self.keys: frozenset[str] = frozenset()
        self.early: dict[Exchange, float] = {}
        self.urgent: Callable[[], None] = lambda: None
        """Called when the supervisor ought to know the load at once."""
        self._models: tuple[dict[str, Group], dict[str, Group]] = ({}, {})
        self._gone: list[Group] = []

    def apply(self, table: GatewayTable) -> None:
        """Takes in a table, whole."""
        before, self.groups = self.groups, {}
        for told in table.groups:
            group = before.pop(told.name, None)
            if group is None:
                metrics = self.metrics.group(told.name, told.namespace)
                group = Group(told, self.limits, metrics, self._tell)
            group.update(told)
            self.groups[told.name] = group
        self.routes.apply(table.services)
        self.keys = frozenset(table.keys)
        self._models = (self._by_model(public=False), self._by_model(public=True))
        self.revision = table.revision
        for group in before.values():
            group.close()
        self._gone = [group for group in (*self._gone, *before.values()) if group.in_flight]
        early, self.early = self.early, {}
        for exchange in early:
            exchange.let_go()
            exchange.client.service.serve(exchange)
        for group in tuple(self.groups.values()):
            group.release()
        self.urgent()

    def _tell(self) -> None:
        self.urgent()

    def _by_model(self, *, public: bool) -> dict[str, Group]:
        groups = [group for group in self.groups.values() if group.table.public or not public]
        return {model: group for group in groups for model in group.table.models}

    def find(self, model: str, *, public: bool) -> Group | None:
        """The group that answers for a model on a listener."""
        return self._models[public].get(model)

    def models(self, *, public: bool) -> tuple[str, ...]:
        """The models that a listener shows."""
        groups = [group for group in self.groups.values() if group.table.public or not public]
        return tuple(dict.fromkeys(model for group in groups for model in group.table.models))

    def hold_early(self, exchange: Exchange) -> None:
        """Holds a request until the first table comes."""
        if len(self.early) >= self.limits.early_requests:
            exchange.refuse(answers.queue_full(self.limits.early_requests))
        else:
            self.early[exchange] = exchange.hold() + self.limits.early_seconds

    def forget(self, exchange: Exchange) -> None:
        """A held request whose client left."""
        self.early.pop(exchange, None)
        if isinstance(exchange.group, Group):
            exchange.group.held.pop(exchange, None)

    def tick(self, now: float) -> None:
        """Now and then."""
        for exchange in [exchange for exchange, until in self.early.items() if until <= now]:
            del self.early[exchange]
            exchange.let_go()
            exchange.refuse(answers.not_ready(_UNTOLD))
        for group in self.groups.values():
            group.tick(now)
        self.routes.tick(now)

    def load(self) -> GatewayLoad:
        """For the supervisor."""
        self._gone = [group for group in self._gone if group.in_flight]
        groups = {group.table.name: group.load() for group in (*self._gone, *self.groups.values())}
        return GatewayLoad(groups, self.revision or 0, self.routes.loads())
