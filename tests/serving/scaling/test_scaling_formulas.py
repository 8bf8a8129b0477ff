"""Tables of what the HPA and KEDA do themselves: their documented examples and the cases of their own tests."""

from __future__ import annotations

import math

import pytest

from bandari.desired.scaling import (
    ConcurrencyTarget,
    ExternalTrigger,
    PrometheusTarget,
    ResourceKind,
    ResourceTarget,
    ScalingPolicy,
    TargetType,
)
from bandari.serving.protocol import GroupLoad
from bandari.serving.scaling import Decision, History, NoData, ReplicaUsage, Samples, decide
from bandari.units import Bounds

WIDE = Bounds(1, 100)


def cpu_percent(target: float, *, bounds: Bounds = WIDE) -> ScalingPolicy:
    resources = (ResourceTarget(ResourceKind.CPU, TargetType.UTILIZATION, target),)
    return ScalingPolicy(bounds, resources=resources, stabilization_down=0)


def query(threshold: float, *, bounds: Bounds = WIDE, activation: float = 0) -> ScalingPolicy:
    target = PrometheusTarget("http://127.0.0.1:9090", "up", threshold, activation, metric_name="load")
    return ScalingPolicy(bounds, queries=(target,), stabilization_down=0)


def first(policy: ScalingPolicy, samples: Samples, current: int) -> Decision:
    """A decision without any history."""
    return decide(policy, samples, current=current, history=History(), now=1000)[0]


def cores(*values: float | None, request: float = 1) -> Samples:
    return Samples(tuple(ReplicaUsage(cpu=value) for value in values), cpu_request=request, load=GroupLoad(0, 0))


@pytest.mark.parametrize(
    ("current", "target", "samples", "expected"),
    [
        # "Algorithm details" of the documentation: 200m of 100m doubles, 50m of 100m halves.
        pytest.param(2, 100, cores(0.2, 0.2, request=0.1), 4, id="twice-the-target-doubles"),
        pytest.param(4, 100, cores(0.05, 0.05, 0.05, 0.05, request=0.1), 2, id="half-the-target-halves"),
        # The release note of tolerances (Kubernetes 1.33): 50 replicas at 90 % of 75 % become 60; +4 or x2 allows it.
        pytest.param(50, 75, cores(*[0.9] * 50), 60, id="release-note-of-1.33"),
        # replica_calculator_test.go, by the name of the case there.
        pytest.param(3, 30, cores(0.3, 0.5, 0.7), 5, id="ScaleUp"),
        pytest.param(3, 30, cores(0.5, 0.7), 4, id="ScaleUpUnreadyLessScale"),
        pytest.param(3, 40, cores(0.4), 3, id="ScaleUpUnreadyNoScale"),
        pytest.param(5, 50, cores(0.1, 0.3, 0.5, 0.25, 0.25), 3, id="ScaleDown"),
        pytest.param(5, 50, cores(0.1, 0.3, 0.5), 2, id="ScaleDownExcludeUnreadyPods"),
        pytest.param(3, 100, cores(1.01, 1.03, 1.02), 3, id="Tolerance"),
        pytest.param(4, 100, cores(0.4, 0.095, None, None), 3, id="MissingMetrics"),
        pytest.param(2, 100, cores(1.0, None), 2, id="MissingMetricsNoChangeEq"),
        pytest.param(2, 100, cores(1.9, None), 2, id="MissingMetricsNoChangeGt"),
        pytest.param(2, 100, cores(0.6, None), 2, id="MissingMetricsNoChangeLt"),
        pytest.param(3, 50, cores(0.45, None), 3, id="MissingMetricsUnreadyChange"),
        pytest.param(3, 50, cores(2.0, None), 4, id="MissingMetricsUnreadyScaleUp"),
        pytest.param(4, 100, cores(0.1, 0.1, 0.1, None), 2, id="MissingMetricsUnreadyScaleDown-like"),
    ],
)
def test_cpu_utilization_is_what_the_hpa_computes(current: int, target: float, samples: Samples, expected: int) -> None:
    assert expected == first(cpu_percent(target), samples, current).replicas


def test_utilization_is_cut_to_whole_percents_as_the_hpa_does() -> None:
    # 55.9 % is 55 % there, and 55/50 is still inside the tolerance.
    assert first(cpu_percent(50), cores(0.559, 0.559), 2).replicas == 2
    assert first(cpu_percent(50), cores(0.56, 0.56), 2).replicas == 3


@pytest.mark.parametrize(
    ("kind", "value", "used", "expected"),
    [
        (ResourceKind.CPU, 0.5, 1.2, 5),
        (ResourceKind.CPU, 0.5, 0.54, 2),
        (ResourceKind.MEMORY, 2e9, 3e9, 3),
        (ResourceKind.MEMORY, 2e9, 0.5e9, 1),
    ],
)
def test_an_average_value_needs_no_request(kind: ResourceKind, value: float, used: float, expected: int) -> None:
    policy = ScalingPolicy(
        WIDE, resources=(ResourceTarget(kind, TargetType.AVERAGE_VALUE, value),), stabilization_down=0
    )

    samples = Samples((ReplicaUsage(used, used), ReplicaUsage(used, used)))

    assert expected == first(policy, samples, 2).replicas


@pytest.mark.parametrize(
    ("current", "threshold", "value", "expected"),
    [
        # replica_calculator_test.go: ScaleUpPerPodCMExternal, ScaleDownPerPodCMExternal, TolerancePerPodCMExternal.
        pytest.param(3, 2150, 8600, 4, id="ScaleUpPerPodCMExternal"),
        pytest.param(5, 2867, 8600, 3, id="ScaleDownPerPodCMExternal"),
        pytest.param(3, 2900, 8600, 3, id="TolerancePerPodCMExternal"),
        # The cluster file's own example: p95 latency in milliseconds against 20 s.
        pytest.param(1, 20000, 45000, 3, id="latency-above"),
        pytest.param(1, 20000, 21000, 1, id="latency-in-tolerance"),
        pytest.param(3, 20000, 100, 1, id="latency-below"),
        pytest.param(1, 0.3, 0.9, 3, id="thousandths-not-binary-fractions"),
        pytest.param(2, 10, -5, 1, id="a-negative-value-counts-as-zero"),
        pytest.param(2, 10, 0, 1, id="zero"),
    ],
)
def test_a_query_gives_ceil_of_value_over_threshold(
    current: int, threshold: float, value: float, expected: int
) -> None:
    samples = Samples(queries=(value,), load=GroupLoad(0, 0))

    assert expected == first(query(threshold), samples, current).replicas


@pytest.mark.parametrize(
    ("slots", "in_flight", "queued", "expected"),
    [
        (4, 3, 0, 1),  # 3 of 2.8 is inside the tolerance
        (4, 4, 0, 2),
        (4, 4, 10, 5),
        (1, 1, 0, 2),
        (8, 0, 0, 1),
    ],
)
def test_without_a_trigger_seventy_percent_of_the_slots_is_the_target(
    slots: int, in_flight: int, queued: int, expected: int
) -> None:
    samples = Samples(load=GroupLoad(in_flight, queued), slots=slots)

    assert expected == first(ScalingPolicy(WIDE, stabilization_down=0), samples, 1).replicas


def test_a_concurrency_target_of_the_file_replaces_the_default() -> None:
    policy = ScalingPolicy(WIDE, concurrency=ConcurrencyTarget(2))

    assert first(policy, Samples(load=GroupLoad(3, 3), slots=100), 1).replicas == 3


def test_a_trigger_of_the_file_replaces_the_default_target() -> None:
    samples = Samples((ReplicaUsage(cpu=0.5),), cpu_request=1, load=GroupLoad(50, 50), slots=1)

    assert first(cpu_percent(50), samples, 1).replicas == 1


def test_a_trigger_that_only_kubernetes_can_evaluate_is_said_and_the_default_target_stands_in() -> None:
    policy = ScalingPolicy(WIDE, external=(ExternalTrigger("kafka", {}),))

    decision = first(policy, Samples(load=GroupLoad(6, 0), slots=4), 1)

    assert decision == Decision(3, "6 in flight, 0 queued / 2.8 -> 3, kafka not evaluated here: 3")


def test_the_largest_of_several_triggers_wins() -> None:
    policy = ScalingPolicy(
        WIDE, resources=cpu_percent(50).resources, queries=query(10).queries, concurrency=ConcurrencyTarget(1)
    )
    usage = (ReplicaUsage(cpu=1.0),)

    def wanted(value: float, in_flight: int) -> int:
        samples = Samples(usage, queries=(value,), load=GroupLoad(in_flight, 0), cpu_request=1)
        return first(policy, samples, 1).replicas

    assert wanted(10, 1) == 2
    assert wanted(30, 1) == 3
    assert wanted(30, 4) == 4


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
def test_a_reading_that_cannot_be_is_no_data(value: float) -> None:
    decision = first(cpu_percent(50), cores(value), 1)

    assert decision == Decision(1, "no data from cpu (no usable reading) (no decision): 1")


@pytest.mark.parametrize(
    ("policy", "samples", "said"),
    [
        (cpu_percent(0), cores(0.5), "no data from cpu (Utilization needs a target and a request above 0)"),
        (cpu_percent(math.nan), cores(0.5), "no data from cpu (Utilization needs a target and a request above 0)"),
        (cpu_percent(50), cores(0.5, request=0), "no data from cpu (Utilization needs a target and a request above 0)"),
        (cpu_percent(50), cores(), "no data from cpu (no replica is ready)"),
        (query(0), Samples(queries=(3,), load=GroupLoad(0, 0)), "the threshold 0 is not above 0"),
        (
            query(1),
            Samples(queries=(math.nan,), load=GroupLoad(0, 0)),
            "no data from prometheus load (the value is nan)",
        ),
        (query(1), Samples(load=GroupLoad(0, 0)), "no data from prometheus load (not asked yet)"),
        (query(1), Samples(queries=(NoData("no answer"),)), "no data from prometheus load (no answer)"),
        (ScalingPolicy(WIDE), Samples(), "no data from requests (the gateway has not reported)"),
    ],
)
def test_what_is_missing_is_said(policy: ScalingPolicy, samples: Samples, said: str) -> None:
    decision = first(policy, samples, 3)

    assert decision.replicas == 3
    assert said in decision.reason
    assert "(no decision): 3" in decision.reason
