"""Asks what `scaling.decide` needs to know, remembers what it has to remember, and answers at once.

The supervisor drives it on its asyncio loop, about every second and whenever a queue grows::

    autoscaler = Autoscaler()
    decision = autoscaler.decide(
        body.group,
        body.scaling,  # a ScalingPolicy
        current=3,  # replicas wanted now: starting ones count, draining ones do not
        usage=[ReplicaUsage(cpu=0.8, memory=2e9)],  # one entry for each replica that is ready and not draining
        load=table.get(body.group),  # the gateway's GroupLoad; None while it has not reported
        slots=body.slots,
        cpu_request=body.cpu,
        memory_request=body.memory,
        now=loop.time(),
    )
    decision.replicas  # how many there should be: start or drain the difference
    decision.reason  # PartStatus.scaling
    autoscaler.forget(body.group)  # when the group is gone
    await autoscaler.aclose()  # at the end

`decide` does not wait: a Prometheus trigger is asked in a task of its own, at most once in `policy.polling_interval`,
and a call in between uses the last answer. So a server that hangs holds up nobody, and a first decision says that the
trigger is not answered yet. Which replica to remove, and when to start one, is the supervisor's to choose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bandari.desired.scaling import PrometheusTarget, ScalingPolicy
from bandari.serving.protocol import GroupLoad
from bandari.serving.scaling import Decision, History, NoData, ReplicaUsage, Samples, decide

if TYPE_CHECKING:
    from bandari.serving.prometheus import Prometheus

__all__ = ["Autoscaler", "Decision", "ReplicaUsage"]

QUERY_TIMEOUT = 3.0
"""Seconds for one query, KEDA's default (KEDA_HTTP_DEFAULT_TIMEOUT)."""


@dataclass(slots=True, eq=False)
class _Trigger:
    """One query of one group: its last answer, when that was asked for, and the question under way."""

    target: PrometheusTarget
    answer: float | NoData = field(default_factory=lambda: NoData("not answered yet"))
    answer_asked_at: float | None = None
    asked_at: float | None = None
    task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


@dataclass(slots=True)
class _Group:
    history: History = field(default_factory=History)
    triggers: list[_Trigger] = field(default_factory=list)

    def follow(self, targets: Sequence[PrometheusTarget]) -> None:
        """One trigger for each target, in their order; an answer outlives only a target that did not change."""
        old = dict(enumerate(self.triggers))
        for index, target in enumerate(targets):
            if index not in old or old[index].target != target:
                old[index] = _Trigger(target)
        wanted = [old[index] for index in range(len(targets))]
        for trigger in self.triggers:
            if trigger not in wanted:
                trigger.cancel()
        self.triggers = wanted

    def cancel(self) -> None:
        for trigger in self.triggers:
            trigger.cancel()


class Autoscaler:
    """The histories and the last answers of all groups. `local_prometheus`: address of the one that runs here, if any.

    Belongs to one asyncio loop; no method blocks.
    """

    def __init__(self, *, local_prometheus: str | None = None, timeout: float = QUERY_TIMEOUT) -> None:
        self._local_prometheus = local_prometheus
        self._timeout = timeout
        self._groups: dict[str, _Group] = {}
        self._prometheus: Prometheus | None = None

    def decide(
        self,
        group: str,
        policy: ScalingPolicy,
        *,
        current: int,
        usage: Sequence[ReplicaUsage],
        load: GroupLoad | None,
        slots: int,
        cpu_request: float,
        memory_request: float,
        now: float,
    ) -> Decision:
        """The replicas that the group should have; see the top of this file. Queries need the running loop."""
        state = self._groups.setdefault(group, _Group())
        samples = Samples(
            replicas=tuple(usage),
            queries=self._answers(state, policy, now),
            load=load,
            cpu_request=cpu_request,
            memory_request=memory_request,
            slots=slots,
        )
        decision, state.history = decide(policy, samples, current=current, history=state.history, now=now)
        return decision

    def forget(self, group: str) -> None:
        """Drops everything about a group; one of the same name starts afresh."""
        if state := self._groups.pop(group, None):
            state.cancel()

    async def aclose(self) -> None:
        """Ends all questions under way and closes the connections."""
        tasks = [t.task for state in self._groups.values() for t in state.triggers if t.task is not None]
        for group in list(self._groups):
            self.forget(group)
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._prometheus is not None:
            await self._prometheus.aclose()

    def _answers(self, state: _Group, policy: ScalingPolicy, now: float) -> tuple[float | NoData, ...]:
        """The last answer of each query, in order; asks again where it is time to."""
        if policy.bounds.min == policy.bounds.max:
            return ()
        state.follow(policy.queries)
        for trigger in state.triggers:
            self._ask_when_due(trigger, policy.polling_interval, now)
        return tuple(self._fresh(trigger, policy.polling_interval, now) for trigger in state.triggers)

    def _ask_when_due(self, trigger: _Trigger, interval: float, now: float) -> None:
        under_way = trigger.task is not None and not trigger.task.done()
        if under_way or (trigger.asked_at is not None and now - trigger.asked_at < interval):
            return
        trigger.asked_at = now
        trigger.task = asyncio.get_running_loop().create_task(self._ask(trigger, now))

    async def _ask(self, trigger: _Trigger, asked_at: float) -> None:
        trigger.answer = await self._client().query(trigger.target, timeout=self._timeout)
        trigger.answer_asked_at = asked_at

    def _fresh(self, trigger: _Trigger, interval: float, now: float) -> float | NoData:
        """The last answer, unless nobody asked for so long (a suspended machine) that it says nothing about now."""
        at = trigger.answer_asked_at
        if at is None or now - at <= 2 * interval + self._timeout:
            return trigger.answer
        return NoData(f"its last answer is {now - at:.0f} s old")

    def _client(self) -> Prometheus:
        """The HTTP client costs a tenth of a second and 10 MB, which a file without such a trigger does not pay."""
        from bandari.serving.prometheus import Prometheus  # noqa: PLC0415

        if self._prometheus is None:
            self._prometheus = Prometheus(local=self._local_prometheus)
        return self._prometheus
