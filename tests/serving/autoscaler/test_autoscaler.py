"""The autoscaler on a real loop against a double of Prometheus; its clock is passed in."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bandari.desired.scaling import PrometheusTarget, ResourceKind, ResourceTarget, ScalingPolicy, TargetType
from bandari.serving.autoscaler import Autoscaler, Decision, ReplicaUsage
from bandari.serving.protocol import GroupLoad
from bandari.testing.prometheus import FakePrometheus, Reply
from bandari.units import Bounds

DEADLINE = 10.0
IDLE = GroupLoad(0, 0)


def latency(server: str, *, query: str = "p95", bounds: Bounds = Bounds(1, 5), **options: Any) -> ScalingPolicy:  # noqa: B008 - frozen
    target = PrometheusTarget(server, query, threshold=20000, metric_name=query)
    return ScalingPolicy(bounds, queries=(target,), **options)


class Supervisor:
    """Asks as the supervisor does, for a group of one replica unless said otherwise."""

    def __init__(self, autoscaler: Autoscaler) -> None:
        self.autoscaler = autoscaler

    def decide(
        self, policy: ScalingPolicy, now: float, *, group: str = "chat", current: int = 1, load: GroupLoad | None = IDLE
    ) -> Decision:
        return self.autoscaler.decide(
            group,
            policy,
            current=current,
            usage=[ReplicaUsage(cpu=0.9)] * current,
            load=load,
            slots=4,
            cpu_request=1,
            memory_request=0,
            now=now,
        )

    async def until(
        self, policy: ScalingPolicy, now: float, wanted: Callable[[Decision], bool], **options: Any
    ) -> Decision:
        """The first decision that is as wanted; the passed clock stands still."""
        await eventually(lambda: wanted(self.decide(policy, now, **options)))
        return self.decide(policy, now, **options)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another thread or process
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Supervisor]:
    autoscaler = Autoscaler(**options)
    try:
        yield Supervisor(autoscaler)
    finally:
        await autoscaler.aclose()


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def answered(decision: Decision) -> bool:
    return "not answered yet" not in decision.reason


def test_a_resource_target_is_decided_at_once_and_without_a_loop() -> None:
    policy = ScalingPolicy(
        Bounds(1, 3), resources=(ResourceTarget(ResourceKind.CPU, TargetType.UTILIZATION, 50),), stabilization_down=0
    )

    decision = Supervisor(Autoscaler()).decide(policy, 0)

    assert decision == Decision(2, "cpu 90 % of 50 % on 1 replica -> 2: 2")


def test_a_query_is_asked_in_the_background_and_decides_when_it_is_answered() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", 45000)
            async with running() as supervisor:
                policy = latency(prometheus.address)

                first = supervisor.decide(policy, 0)
                assert first == Decision(1, "no data from prometheus p95 (not answered yet) (no decision): 1")

                decision = await supervisor.until(policy, 0, answered)
                assert decision == Decision(3, "prometheus p95 45000 / 20000 -> 3: 3")

    on_a_loop(test)


def test_a_trigger_is_asked_once_in_its_interval_and_again_after_it() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", 45000)
            async with running() as supervisor:
                policy = latency(prometheus.address, polling_interval=15)
                await supervisor.until(policy, 0, answered)
                prometheus.set("p95", 65000)
                for now in range(1, 15):
                    assert supervisor.decide(policy, now).replicas == 3
                    await asyncio.sleep(0)
                assert len(prometheus.asked) == 1

                await supervisor.until(policy, 15, lambda decision: decision.replicas == 4)
                assert len(prometheus.asked) == 2

    on_a_loop(test)


def test_a_prometheus_that_hangs_delays_neither_the_loop_nor_another_group() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("stuck", Reply(b"", hangs=True))
            prometheus.set("p95", 45000)
            async with running(timeout=DEADLINE) as supervisor:
                stuck = latency(prometheus.address, query="stuck")
                supervisor.decide(stuck, 0, group="stuck")

                decision = await supervisor.until(latency(prometheus.address), 0, answered, group="chat")

                assert decision.replicas == 3
                assert not answered(supervisor.decide(stuck, 100, group="stuck"))
                assert [asked.parameters["query"] for asked in prometheus.asked].count("stuck") == 1

    on_a_loop(test)


def test_a_prometheus_that_hangs_is_given_up_and_asked_again() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", Reply(b"", hangs=True))
            async with running(timeout=0.5) as supervisor:
                policy = latency(prometheus.address)
                decision = await supervisor.until(policy, 0, answered)
                assert f"no answer from {prometheus.address} within 0.5 s" in decision.reason

                prometheus.set("p95", 45000)
                now = 15

                def answered_again() -> bool:
                    nonlocal now
                    decision = supervisor.decide(policy, now)
                    # On a busy machine the timeout may strike once more.
                    now += 15 if "no answer" in decision.reason and len(prometheus.asked) > now // 15 else 0
                    return decision.replicas == 3

                await eventually(answered_again)

    on_a_loop(test)


def test_an_answer_that_is_lost_takes_the_decision_with_it() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", 45000)
            async with running() as supervisor:
                policy = latency(prometheus.address)
                await supervisor.until(policy, 0, answered)
                prometheus.set("p95", Reply(b"", 503))

                decision = await supervisor.until(policy, 15, lambda decision: "503" in decision.reason, current=3)

                assert decision.replicas == 3
                assert "(no decision)" in decision.reason

    on_a_loop(test)


def test_an_answer_from_before_a_long_silence_is_not_used() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", 45000)
            async with running() as supervisor:
                policy = latency(prometheus.address)
                await supervisor.until(policy, 0, answered)

                decision = supervisor.decide(policy, 3600)

                assert decision.replicas == 1
                assert "its last answer is 3600 s old" in decision.reason
                assert (await supervisor.until(policy, 3600, lambda d: "old" not in d.reason)).replicas == 3

    on_a_loop(test)


def test_an_address_inside_a_cluster_says_that_no_local_prometheus_runs_yet() -> None:
    async def test() -> None:
        async with running() as supervisor:
            policy = latency("http://kube-prometheus-stack-prometheus.prometheus.svc.cluster.local:9090")

            decision = await supervisor.until(policy, 0, answered)

            assert decision.replicas == 1
            assert "no local Prometheus runs yet" in decision.reason

    on_a_loop(test)


def test_an_address_inside_a_cluster_is_asked_at_the_local_prometheus() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", 45000)
            async with running(local_prometheus=prometheus.address) as supervisor:
                policy = latency("http://prometheus.monitoring.svc.cluster.local:9090")

                assert (await supervisor.until(policy, 0, answered)).replicas == 3

    on_a_loop(test)


def test_a_changed_trigger_is_asked_at_once_and_the_old_answer_is_dropped() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", 45000)
            prometheus.set("p99", 85000)
            async with running() as supervisor:
                await supervisor.until(latency(prometheus.address), 0, answered)

                changed = latency(prometheus.address, query="p99")
                assert not answered(supervisor.decide(changed, 1))
                assert (await supervisor.until(changed, 1, answered)).replicas == 5

    on_a_loop(test)


def test_a_removed_trigger_is_asked_no_more() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", 45000)
            async with running() as supervisor:
                await supervisor.until(latency(prometheus.address), 0, answered)

                supervisor.decide(ScalingPolicy(Bounds(1, 5)), 100)
                supervisor.decide(ScalingPolicy(Bounds(2, 2), queries=latency(prometheus.address).queries), 200)
                await asyncio.sleep(0)

                assert len(prometheus.asked) == 1

    on_a_loop(test)


def test_histories_are_kept_by_group_until_it_is_forgotten() -> None:
    supervisor = Supervisor(Autoscaler())
    policy = ScalingPolicy(Bounds(1, 5))
    supervisor.decide(policy, 0, current=3)
    assert supervisor.decide(policy, 1, current=3).replicas == 3
    assert supervisor.decide(policy, 299, current=3).replicas == 3
    assert supervisor.decide(policy, 300, current=3).replicas == 1

    supervisor.autoscaler.forget("chat")
    supervisor.autoscaler.forget("never seen")
    assert supervisor.decide(policy, 301, current=3).replicas == 3


def test_forgetting_a_group_ends_its_question() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", Reply(b"", hangs=True))
            async with running(timeout=60) as supervisor:
                supervisor.decide(latency(prometheus.address), 0)
                await eventually(lambda: bool(prometheus.asked))
                supervisor.autoscaler.forget("chat")
                await eventually(lambda: len(asyncio.all_tasks()) == 1)

    on_a_loop(test)


def test_closing_ends_everything_under_way() -> None:
    async def test() -> None:
        with FakePrometheus() as prometheus:
            prometheus.set("p95", Reply(b"", hangs=True))
            async with running(timeout=60) as supervisor:
                supervisor.decide(latency(prometheus.address), 0)
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    on_a_loop(test)


def test_a_queued_request_wakes_a_group_at_once() -> None:
    supervisor = Supervisor(Autoscaler())
    policy = ScalingPolicy(Bounds(0, 5))

    assert supervisor.decide(policy, 0, current=0).replicas == 0
    assert supervisor.decide(policy, 0, current=0, load=GroupLoad(0, 1)).replicas == 1


@pytest.mark.parametrize("module", ["httpx", "msgspec"])
def test_a_supervisor_without_prometheus_triggers_does_not_load_an_http_client(module: str) -> None:
    code = f"import sys, bandari.serving.autoscaler as a; a.Autoscaler(); sys.exit({module!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
