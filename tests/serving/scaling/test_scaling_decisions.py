"""The course of a group over time: windows, rate, zero, and what is said about each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bandari.desired.scaling import PrometheusTarget, ResourceKind, ResourceTarget, ScalingPolicy, TargetType
from bandari.serving.protocol import GroupLoad
from bandari.serving.scaling import Decision, History, NoData, ReplicaUsage, Samples, decide
from bandari.units import Bounds

CPU = (ResourceTarget(ResourceKind.CPU, TargetType.UTILIZATION, 50),)
LATENCY = (PrometheusTarget("http://127.0.0.1:9090", "p95", 20000, metric_name="latency_p95"),)


class Group:
    """A group that does at once what is decided."""

    def __init__(self, policy: ScalingPolicy, current: int) -> None:
        self.policy = policy
        self.current = current
        self.history = History()
        self.reason = ""

    def at(self, now: float, samples: Samples) -> int:
        decision, self.history = decide(self.policy, samples, current=self.current, history=self.history, now=now)
        self.current, self.reason = decision.replicas, decision.reason
        return self.current

    def busy(self, now: float, in_flight: int, queued: int = 0, *, total: int = 0) -> int:
        return self.at(now, Samples(load=GroupLoad(in_flight, queued, requests_total=total), slots=10))


def usage(percent: int, replicas: int) -> Samples:
    return Samples((ReplicaUsage(cpu=percent / 100),) * replicas, cpu_request=1, load=GroupLoad(0, 0))


def test_a_decision_is_told_in_one_line() -> None:
    group = Group(ScalingPolicy(Bounds(1, 3), resources=CPU), 2)

    group.at(0, usage(83, 2))

    assert group.reason == "cpu 83 % of 50 % on 2 replicas -> 4 (max 3): 3"


def test_a_metric_name_cannot_break_the_line() -> None:
    target = replace(LATENCY[0], metric_name="p95\nof all")
    group = Group(ScalingPolicy(Bounds(1, 3), queries=(target,)), 1)

    group.at(0, Samples(queries=(45000,)))

    assert group.reason == "prometheus p95 of all 45000 / 20000 -> 3: 3"


@pytest.mark.parametrize(("current", "expected"), [(0, 2), (1, 2), (9, 4)])
def test_a_count_outside_the_bounds_is_corrected_at_once_and_without_data(current: int, expected: int) -> None:
    group = Group(ScalingPolicy(Bounds(2, 4), resources=CPU), current)

    assert group.at(0, Samples()) == expected
    assert "outside 2..4" in group.reason


def test_equal_bounds_are_a_fixed_count() -> None:
    group = Group(ScalingPolicy(Bounds(2, 2), resources=CPU), 2)

    assert group.at(0, usage(100, 2)) == 2
    assert group.reason == "fixed at 2 replicas"


# --- windows and rate --------------------------------------------------------------------------------------------


def test_scaling_down_waits_for_the_highest_recommendation_of_its_window_to_pass() -> None:
    group = Group(ScalingPolicy(Bounds(1, 10)), 1)
    assert group.busy(0, 28) == 4
    assert group.busy(100, 14) == 4
    assert group.reason == "14 in flight, 0 queued / 7 -> 2 (not below the highest of 300 s): 4"
    assert group.busy(299, 7) == 4
    assert group.busy(300, 7) == 2
    assert group.busy(399, 7) == 2
    assert group.busy(400, 7) == 1


def test_a_group_that_is_seen_for_the_first_time_does_not_shrink_before_the_window_has_passed() -> None:
    group = Group(ScalingPolicy(Bounds(1, 10)), 5)
    assert group.busy(0, 0) == 5
    assert group.busy(299, 0) == 5
    assert group.busy(300, 0) == 1


def test_scaling_up_waits_for_the_lowest_recommendation_of_its_window() -> None:
    group = Group(ScalingPolicy(Bounds(1, 10), stabilization_up=60), 1)
    assert group.busy(0, 28) == 1
    assert group.reason == "28 in flight, 0 queued / 7 -> 4 (not above the lowest of 60 s): 1"
    assert group.busy(30, 21) == 1
    assert group.busy(59, 28) == 1
    assert group.busy(60, 28) == 3
    assert group.busy(90, 28) == 4


def test_a_group_grows_by_four_or_doubles_within_fifteen_seconds() -> None:
    group = Group(ScalingPolicy(Bounds(1, 100)), 1)
    assert group.busy(0, 600) == 5
    assert group.reason == "600 in flight, 0 queued / 7 -> 86 (at most 5 within 15 s): 5"
    assert group.busy(1, 600) == 5
    assert group.busy(14, 600) == 5
    assert group.busy(15, 600) == 10
    assert group.busy(30, 600) == 20
    assert group.busy(90, 600) == 40


def test_asking_again_before_the_decision_is_carried_out_gives_the_same() -> None:
    policy = ScalingPolicy(Bounds(1, 100))
    samples = Samples(load=GroupLoad(600, 0), slots=10)
    history = History()
    answers = []
    for now in (0.0, 0.1, 0.2):
        decision, history = decide(policy, samples, current=1, history=history, now=now)
        answers.append(decision.replicas)

    assert answers == [5, 5, 5]


def test_the_history_does_not_grow_with_time() -> None:
    group = Group(ScalingPolicy(Bounds(0, 5)), 1)
    for second in range(2000):
        group.busy(second, (second * 7) % 40, total=second)

    assert len(group.history.recommendations) <= 6
    assert len(group.history.changes) <= 16


# --- missing data ------------------------------------------------------------------------------------------------


def test_while_a_trigger_has_no_data_a_group_grows_but_does_not_shrink() -> None:
    policy = ScalingPolicy(Bounds(1, 10), resources=CPU, queries=LATENCY, stabilization_down=0)
    group = Group(policy, 4)

    def cpu(percent: int) -> Samples:
        return replace(usage(percent, group.current), queries=(NoData("no answer"),))

    assert group.at(0, cpu(10)) == 4
    assert group.reason == (
        "cpu 10 % of 50 % on 4 replicas -> 1, no data from prometheus latency_p95 (no answer) "
        "(not scaled down while a trigger has no data): 4"
    )
    assert group.at(1, cpu(75)) == 6


def test_without_any_data_nothing_is_decided() -> None:
    group = Group(ScalingPolicy(Bounds(1, 10), queries=LATENCY, stabilization_down=0), 4)

    assert group.at(0, Samples(queries=(NoData("no answer"),))) == 4
    assert group.reason == "no data from prometheus latency_p95 (no answer) (no decision): 4"


# --- zero --------------------------------------------------------------------------------------------------------


def test_an_idle_group_goes_to_zero_after_its_cooldown_and_wakes_on_a_queued_request() -> None:
    group = Group(ScalingPolicy(Bounds(0, 10), cooldown=60), 2)
    assert group.busy(0, 3, total=1) == 2
    assert group.busy(10, 0, total=1) == 2
    assert group.busy(59, 0, total=1) == 2
    assert "idle for 59 s of 60 s" in group.reason
    assert group.busy(60, 0, total=1) == 0
    assert group.reason == "idle for 60 s (cooldown 60 s): 0"
    assert group.busy(61, 0, total=1) == 0
    assert group.reason == "idle, wakes on a request: 0"
    assert group.busy(62, 0, 30, total=31) == 1
    assert group.reason == "30 queued: 1"
    assert group.busy(63, 0, 30, total=31) == 5


def test_a_request_that_came_and_went_between_two_looks_keeps_a_group_awake() -> None:
    group = Group(ScalingPolicy(Bounds(0, 1), cooldown=60), 1)
    group.busy(0, 0, total=1)
    group.busy(50, 0, total=2)
    assert group.busy(60, 0, total=2) == 1
    assert group.busy(110, 0, total=2) == 0


def test_a_gateway_that_starts_anew_is_no_request_lost() -> None:
    group = Group(ScalingPolicy(Bounds(0, 1), cooldown=60), 1)
    group.busy(0, 0, total=100)
    assert group.busy(60, 0, total=0) == 1
    assert group.busy(120, 0, total=0) == 0


def test_a_group_with_a_minimum_never_goes_to_zero() -> None:
    group = Group(ScalingPolicy(Bounds(1, 3), cooldown=1, stabilization_down=1), 3)
    group.busy(0, 0)
    assert group.busy(10_000, 0) == 1


def test_while_the_gateway_is_silent_nobody_says_that_a_group_is_idle() -> None:
    group = Group(ScalingPolicy(Bounds(0, 3), resources=CPU, cooldown=1, stabilization_down=0), 2)
    group.at(0, usage(10, 2))
    assert group.at(1000, replace(usage(10, 1), load=None)) == 1
    assert "not to zero while the gateway has not reported" in group.reason


def test_a_trigger_without_data_keeps_a_group_from_zero() -> None:
    group = Group(ScalingPolicy(Bounds(0, 3), queries=LATENCY, cooldown=1), 1)
    silent = Samples(queries=(NoData("no answer"),), load=GroupLoad(0, 0))
    group.at(0, silent)
    assert group.at(1000, silent) == 1
    assert "not to zero while a trigger has no data" in group.reason


def test_a_query_above_its_activation_wakes_one_replica_and_keeps_it_awake() -> None:
    target = replace(LATENCY[0], activation=50000)
    group = Group(ScalingPolicy(Bounds(0, 5), queries=(target,), cooldown=60), 0)

    def p95(value: float) -> Samples:
        return Samples(queries=(value,), load=GroupLoad(0, 0))

    assert group.at(0, p95(50000)) == 0
    assert group.at(1, p95(50001)) == 1
    assert group.at(2, p95(50001)) == 3
    assert group.at(61, p95(50001)) == 3
    # Below the activation KEDA goes to zero even where the threshold alone would ask for two.
    assert group.at(62, p95(40000)) == 3
    assert group.at(121, p95(40000)) == 0


def test_activation_decides_only_between_zero_and_one() -> None:
    target = replace(LATENCY[0], activation=50000)
    group = Group(ScalingPolicy(Bounds(1, 5), queries=(target,)), 1)

    assert group.at(0, Samples(queries=(40000,))) == 2


def test_after_a_restart_the_cooldown_is_counted_anew() -> None:
    idle = Samples(load=GroupLoad(0, 0))
    policy = ScalingPolicy(Bounds(0, 3), cooldown=60)

    decision, history = decide(policy, idle, current=1, history=History(), now=5000)
    assert decision.replicas == 1

    assert decide(policy, idle, current=1, history=history, now=5060)[0] == Decision(
        0, "idle for 60 s (cooldown 60 s): 0"
    )


def test_recommendations_outside_of_changed_bounds_count_as_the_nearest_one_inside() -> None:
    group = Group(ScalingPolicy(Bounds(1, 10)), 1)
    assert group.busy(0, 28) == 4
    group.policy = ScalingPolicy(Bounds(1, 3))
    assert group.busy(1, 7) == 3
    assert group.busy(2, 7) == 3
    assert group.busy(300, 7) == 1
