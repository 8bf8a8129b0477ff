"""What holds for every policy, every sample and every past."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from bandari.desired.scaling import (
    ConcurrencyTarget,
    PrometheusTarget,
    ResourceKind,
    ResourceTarget,
    ScalingPolicy,
    TargetType,
)
from bandari.serving.protocol import GroupLoad
from bandari.serving.scaling import History, NoData, ReplicaUsage, Samples, decide
from bandari.units import Bounds

anything = st.floats()
counts = st.integers(-5, 10**6)
bounds = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda pair: Bounds(min(pair), max(pair)))
loads = st.builds(GroupLoad, counts, counts, requests_total=counts)
samples = st.builds(
    Samples,
    replicas=st.lists(st.builds(ReplicaUsage, st.none() | anything, st.none() | anything), max_size=5).map(tuple),
    queries=st.lists(anything | st.builds(NoData, st.text()), max_size=3).map(tuple),
    load=st.none() | loads,
    cpu_request=anything,
    memory_request=anything,
    slots=counts,
)
policies = st.builds(
    ScalingPolicy,
    bounds=bounds,
    resources=st.lists(
        st.builds(ResourceTarget, st.sampled_from(ResourceKind), st.sampled_from(TargetType), anything), max_size=2
    ).map(tuple),
    queries=st.lists(
        st.builds(PrometheusTarget, st.just(""), st.just(""), anything, anything, st.text()), max_size=2
    ).map(tuple),
    concurrency=st.none() | st.builds(ConcurrencyTarget, anything),
    cooldown=anything,
    stabilization_down=anything,
    stabilization_up=anything,
    tolerance=anything,
)
histories = st.builds(
    History,
    recommendations=st.lists(st.tuples(counts, anything), max_size=5).map(tuple),
    changes=st.lists(st.tuples(counts, anything), max_size=5).map(tuple),
    replicas=st.none() | counts,
    seen_at=anything,
    requests_total=st.none() | counts,
    active_at=anything,
)

sane = st.floats(0, 1000)
sane_policies = st.builds(
    ScalingPolicy,
    bounds=bounds,
    resources=st.lists(
        st.builds(ResourceTarget, st.sampled_from(ResourceKind), st.sampled_from(TargetType), st.floats(0.1, 200)),
        max_size=2,
    ).map(tuple),
    queries=st.lists(st.builds(PrometheusTarget, st.just(""), st.just(""), st.floats(0.1, 100), sane), max_size=2).map(
        tuple
    ),
    cooldown=sane,
    stabilization_down=sane,
    stabilization_up=sane,
)


@given(policies, samples, counts, histories, anything)
def test_a_decision_is_in_bounds_and_one_line_whatever_comes(
    policy: ScalingPolicy, sample: Samples, current: int, history: History, now: float
) -> None:
    decision, after = decide(policy, sample, current=current, history=history, now=now)

    assert policy.bounds.min <= decision.replicas <= policy.bounds.max
    assert decision.reason.endswith(str(decision.replicas)) or "fixed at" in decision.reason
    assert len(decision.reason.splitlines()) == 1
    assert repr(decide(policy, sample, current=current, history=history, now=now)) == repr((decision, after))


@given(policies, counts, histories, anything, st.text())
def test_without_data_a_count_in_bounds_stays(
    policy: ScalingPolicy, current: int, history: History, now: float, reason: str
) -> None:
    current = policy.bounds.clamp(current)
    nothing = Samples(queries=(NoData(reason),) * len(policy.queries))

    assert decide(policy, nothing, current=current, history=history, now=now)[0].replicas == current


@given(policies, samples, counts, histories, sane)
def test_zero_takes_a_minimum_of_zero_and_a_whole_cooldown_of_silence(
    policy: ScalingPolicy, sample: Samples, current: int, history: History, now: float
) -> None:
    assume(current > 0)
    decision, after = decide(policy, sample, current=current, history=history, now=now)

    if decision.replicas == 0:
        assert policy.bounds.min == 0
        assert policy.bounds.max == 0 or (
            sample.load is not None
            and sample.load.in_flight <= 0
            and sample.load.queued <= 0
            and now - after.active_at >= policy.cooldown
            and all(
                not isinstance(value, NoData) and value <= target.activation
                for target, value in zip(policy.queries, sample.queries, strict=False)
            )
        )


@given(bounds, st.integers(1, 1000))
def test_a_queued_request_wakes_exactly_one_replica(limits: Bounds, queued: int) -> None:
    assume(limits.min == 0 < limits.max)

    decision, _ = decide(ScalingPolicy(limits), Samples(load=GroupLoad(0, queued)), current=0, history=History(), now=0)

    assert decision.replicas == 1


@given(sane_policies, st.data(), st.integers(1, 20), st.lists(st.tuples(st.integers(0, 20), sane), max_size=5))
def test_more_load_never_means_fewer_replicas(
    policy: ScalingPolicy, data: st.DataObject, current: int, recommended: list[tuple[int, float]]
) -> None:
    now = 1000.0
    history = History(tuple(recommended), replicas=current, requests_total=0, active_at=data.draw(sane))
    ready = data.draw(st.integers(0, current))
    low = _load(data, policy, ready)
    high = Samples(
        replicas=tuple(ReplicaUsage(_more(data, u.cpu), _more(data, u.memory)) for u in low.replicas),
        queries=tuple(value if isinstance(value, NoData) else value + data.draw(sane) for value in low.queries),
        load=low.load and GroupLoad(low.load.in_flight + data.draw(counts_up), low.load.queued + data.draw(counts_up)),
        cpu_request=low.cpu_request,
        memory_request=low.memory_request,
        slots=low.slots,
    )

    def wanted(sample: Samples) -> int:
        return decide(policy, sample, current=current, history=history, now=now)[0].replicas

    assert wanted(low) <= wanted(high)


counts_up = st.integers(0, 50)


def _more(data: st.DataObject, value: float | None) -> float | None:
    return None if value is None else value + data.draw(sane)


def _load(data: st.DataObject, policy: ScalingPolicy, ready: int) -> Samples:
    usage = st.builds(ReplicaUsage, st.none() | st.floats(0, 4), st.none() | sane)
    return Samples(
        replicas=tuple(data.draw(usage) for _ in range(ready)),
        queries=tuple(data.draw(sane | st.just(NoData("silent"))) for _ in policy.queries),
        load=data.draw(st.none() | st.builds(GroupLoad, counts_up, counts_up)),
        cpu_request=data.draw(st.floats(0.1, 4)),
        memory_request=data.draw(st.floats(1, 1000)),
        slots=data.draw(st.integers(1, 16)),
    )


@given(st.integers(1, 20), st.floats(0.905, 1.095), st.sampled_from(["cpu", "query", "requests"]))
def test_inside_the_tolerance_nothing_moves(current: int, ratio: float, trigger: str) -> None:
    base = ScalingPolicy(Bounds(1, 100), stabilization_down=0)
    cpu = (ResourceTarget(ResourceKind.CPU, TargetType.AVERAGE_VALUE, 2),)
    by_trigger = {
        "cpu": (replace(base, resources=cpu), Samples((ReplicaUsage(cpu=2 * ratio),) * current)),
        "query": (
            replace(base, queries=(PrometheusTarget("", "", 10),)),
            Samples(queries=(10 * current * ratio,)),
        ),
        "requests": (
            replace(base, concurrency=ConcurrencyTarget(1000)),
            Samples(load=GroupLoad(round(1000 * current * ratio), 0)),
        ),
    }
    policy, sample = by_trigger[trigger]

    assert decide(policy, sample, current=current, history=History(), now=0)[0].replicas == current


@given(st.lists(st.tuples(st.floats(0.1, 120), st.integers(0, 200)), min_size=1, max_size=30), sane)
def test_a_group_never_shrinks_below_the_highest_recommendation_of_its_window(
    steps: list[tuple[float, int]], window: float
) -> None:
    policy = ScalingPolicy(Bounds(1, 50), stabilization_down=window, tolerance=0)
    seen: list[tuple[float, int]] = []
    history, current, now = History(), 1, 0.0
    for pause, in_flight in steps:
        now += pause
        before = current
        sample = Samples(load=GroupLoad(in_flight, 0), slots=10)
        decision, history = decide(policy, sample, current=current, history=history, now=now)
        seen.append((now, min(max(math.ceil(in_flight / 7), 1), 50)))
        current = decision.replicas
        if current < before:
            assert current >= max(count for at, count in seen if at > now - window or at == now)


@given(st.lists(st.tuples(st.floats(0.1, 20), st.integers(0, 2000)), min_size=1, max_size=30))
def test_within_fifteen_seconds_a_group_at_most_doubles_or_gains_four(steps: list[tuple[float, int]]) -> None:
    policy = ScalingPolicy(Bounds(1, 1000), stabilization_down=1e9)
    course: list[tuple[float, int]] = [(0.0, 3)]
    history, now = History(), 0.0
    for pause, in_flight in steps:
        now += pause
        current = course[-1][1]
        sample = Samples(load=GroupLoad(in_flight, 0), slots=1)
        decision, history = decide(policy, sample, current=current, history=history, now=now)
        course.append((now, decision.replicas))
        for at, count in course:
            if at > now - 15:
                assert decision.replicas <= max(2 * count, count + 4)
