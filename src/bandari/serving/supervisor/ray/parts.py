"""All of Ray in the supervisor: passes on to nodes, market, jobs, schedules and services what concerns them.

A part is added by one line in `RayParts.__init__`; `engine(name)` is how a part finds the Ray cluster that it is about.
Parts settle in their order: nodes first, as the others need a head.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bandari.serving.protocol import PartStatus, ServiceLoad, ServiceTable
from bandari.serving.ray.bodies import RAY_BODIES, RayVerb
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray.jobs import Jobs
from bandari.serving.supervisor.ray.nodes import Nodes
from bandari.serving.supervisor.ray.part import Engine, Part
from bandari.serving.supervisor.ray.schedules import Schedules
from bandari.serving.supervisor.ray.services import Services
from bandari.serving.supervisor.store import Record

_log = logging.getLogger(__name__)


class RayParts:
    """`forget` takes an address out of what is applied, for what came to its end by itself."""

    kinds = frozenset(RAY_BODIES)

    def __init__(self, cluster: Cluster, forget: Callable[[str], None]) -> None:
        self.cluster = cluster
        self.nodes = Nodes(cluster, forget)
        self.jobs = Jobs(cluster, self.engine)
        self.schedules = Schedules(self.jobs)
        self.services = Services(cluster, self.engine)
        self.parts: tuple[Part, ...] = (self.nodes, self.jobs, self.schedules, self.services)

    def engine(self, name: str) -> Engine | None:
        """The Ray cluster of a name; None when there is none."""
        return self.nodes.engines.get(name)

    def check(self, kind: str, name: str, body: Any) -> None:
        """Refused when a resource cannot be what is asked for; before it is on disk."""
        if kind == "raygroup" and name != f"{body.cluster}/{body.group}":
            raise Refused(f'cannot apply "{kind}.{name}": it is group "{body.group}" of cluster "{body.cluster}"')
        if kind == "rayschedule":
            self.schedules.check(name, body)
        if kind == "rayservice":
            self.services.check(name, body)

    def apply(self, kind: str, name: str, body: Any, outputs: Mapping[str, Any]) -> None:
        """Takes a resource that is on disk."""
        for part in self.parts:
            if kind in part.kinds:
                part.apply(kind, name, body, outputs)

    def delete(self, kind: str, name: str) -> None:
        """Ends what belongs to a resource that is gone from disk."""
        for part in self.parts:
            if kind in part.kinds:
                part.delete(kind, name)

    def adopt(self, record: Record, root: procfs.Stat | None) -> None:
        """Takes over a process of an earlier supervisor."""
        self.nodes.adopt(record, root)

    async def answer(self, cluster: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Does one verb; Refused when it cannot be done."""
        words = {verb.value: verb for verb in RayVerb}
        verb = words.get(str(body.get("verb", "")))
        if verb is None:
            raise Refused(f'cannot do "{body.get("verb", "")}" on a Ray cluster: it is none of {", ".join(words)}')
        for part in self.parts:
            if verb in part.verbs:
                return await part.answer(cluster, verb, body)
        raise Refused(f'cannot do "{verb.value}": this supervisor does not know how')

    def settle(self, *, stopping: bool) -> None:
        """Every part brings what runs to what is wanted; the trouble of one is not another's."""
        for part in self.parts:
            try:
                part.settle(stopping=stopping)
            except Exception:  # noqa: BLE001 - as for groups: one's trouble is not another's
                _log.exception("%s: cannot bring it to what is wanted", type(part).__name__.lower())

    def beat(self, now: float) -> None:
        """Once a second."""
        for part in self.parts:
            try:
                part.beat(now)
            except Exception:  # noqa: BLE001
                _log.exception("%s: cannot finish its look", type(part).__name__.lower())

    def status(self) -> tuple[PartStatus, ...]:
        """The lines of all parts."""
        return tuple(itertools.chain.from_iterable(part.status() for part in self.parts))

    def tables(self) -> tuple[ServiceTable, ...]:
        """Routes of services, for the gateway."""
        return self.services.tables()

    def loads(self, told: Sequence[Mapping[str, ServiceLoad]]) -> None:
        """What each linked gateway counted for the services."""
        self.services.loads(told)

    @property
    def done(self) -> bool:
        """Whether nothing of any part is left."""
        return all(part.done for part in self.parts)

    async def aclose(self) -> None:
        """Ends tasks and connections of all parts; processes go on."""
        for part in self.parts:
            await part.aclose()


def known(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(f'"{name}"' for name in sorted(names)) or "none"
