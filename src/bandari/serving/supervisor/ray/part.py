"""What the parts of Ray in the supervisor have in common, and what they know of each other.

`parts.RayParts` holds one of each (nodes, jobs, services) and passes on what concerns them; the supervisor's core knows
`RayParts` alone. Everything runs on the supervisor's one loop: no method may block, and what takes time is a task of
the part's own. What must survive the supervisor is on disk before it is acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from bandari.serving.protocol import PartStatus
from bandari.serving.ray.bodies import RayClusterBody, RayVerb


class Engine(Protocol):
    """A Ray cluster as jobs and services see it."""

    name: str

    @property
    def body(self) -> RayClusterBody | None:
        """As applied; None while it is being removed."""
        ...

    @property
    def dashboard(self) -> str:
        """`http://127.x.y.1:8265`, the base of the jobs and Serve REST API; empty while the head is not ready."""
        ...

    @property
    def epoch(self) -> int:
        """Grows with each start of the head: jobs of an earlier one are lost, its detached actors are not."""
        ...

    @property
    def serve(self) -> tuple[str, int]:
        """Host and port of Serve's HTTP proxy on the head."""
        ...

    @property
    def bin(self) -> str:
        """The folder of the environment's programs (`python`, `ray`)."""
        ...


class Part(Protocol):
    """One concern. `kinds` of resources and `verbs` of Op.RAY that are its own."""

    kinds: frozenset[str]
    verbs: frozenset[RayVerb]

    def apply(self, kind: str, name: str, body: Any, outputs: Mapping[str, Any]) -> None:
        """Takes a resource that is on disk already; `body` is the dataclass of its kind. Also called at the start of a
        supervisor for what was applied before.
        """
        ...

    def delete(self, kind: str, name: str) -> None:
        """The resource is gone from disk: ends what belongs to it."""
        ...

    async def answer(self, cluster: str, verb: RayVerb, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Does one verb; control.Refused when it cannot be done."""
        ...

    def settle(self, *, stopping: bool) -> None:
        """Brings what runs to what is wanted; called after every change, so it must be cheap when nothing is to do."""
        ...

    def beat(self, now: float) -> None:
        """Once a second, by the loop's clock."""
        ...

    def status(self) -> Iterable[PartStatus]:
        """Its lines of the status."""
        ...

    @property
    def done(self) -> bool:
        """Whether nothing of it is left; asked while the supervisor stops."""
        ...

    async def aclose(self) -> None:
        """Ends its tasks and connections; processes go on."""
        ...
