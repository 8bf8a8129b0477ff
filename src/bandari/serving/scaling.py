"""How many replicas a group should have: the rules of the HPA and of KEDA as one pure, total function.

The local autoscaler runs `decide` on live samples, the simulator on traces; on Kubernetes the same `ScalingPolicy`
lowers to a KEDA ScaledObject, so the formulas here are theirs:

- resource targets: the HPA's replica calculator (kubernetes/pkg/controller/podautoscaler/replica_calculator.go);
- prometheus targets: KEDA hands `value / threshold` to the HPA as an external AverageValue metric, so
  ceil(value / threshold), with the HPA's tolerance (keda/pkg/scalers/prometheus_scaler.go); `activation` decides only
  between zero and one (keda/pkg/scaling/executor/scale_scaledobjects.go);
- several targets, stabilisation, rate limit: the HPA's defaults (horizontal.go, and "Algorithm details" and "Default
  Behavior" of https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/);
- requests in flight, and what a sleeping group wakes on, are ours: on one machine the gateway knows them.

A trigger without data gives no decision. While any trigger has none the group may grow and may not shrink.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bandari.desired.scaling import PrometheusTarget, ResourceKind, ResourceTarget, ScalingPolicy, TargetType
from bandari.serving.protocol import GroupLoad
from bandari.units import Memory

TARGET_OCCUPANCY = 0.7
"""Share of a replica's parallel slots that may be taken before another replica is wanted (Knative's default)."""
RATE_PERIOD = 15.0
"""Seconds in which the HPA may add 4 replicas or double them, whichever is more."""
RATE_REPLICAS = 4
_MANY = 2**31 - 1  # replica counts are int32 in Kubernetes
_LARGEST = 1e15  # beyond it a float no longer holds thousandths


@dataclass(frozen=True, slots=True)
class NoData:
    """A trigger that gave no value; `reason` is for people, without secrets."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReplicaUsage:
    """What one ready replica uses: cores over the last 15 s or so (metrics-server's resolution) and since it is ready,
    and bytes; None while that is not known.
    """

    cpu: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """What is known at one moment.

    `replicas`: one entry for each replica that is ready and not draining. `queries`: in the order of `policy.queries`.
    `load`: None while the gateway has not reported. `cpu_request` in cores and `memory_request` in bytes are the 100 %
    of Utilization targets. `slots`: requests that one replica serves at the same time.
    """

    replicas: tuple[ReplicaUsage, ...] = ()
    queries: tuple[float | NoData, ...] = ()
    load: GroupLoad | None = None
    cpu_request: float = 0.0
    memory_request: float = 0.0
    slots: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """How many replicas there should be, and one line for people that says why."""

    replicas: int
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """What `decide` has to remember of a group; a fresh one never shrinks a group before its windows have passed."""

    recommendations: tuple[tuple[int, float], ...] = ()
    """Each count that was recommended, with the last time it was."""
    changes: tuple[tuple[int, float], ...] = ()
    """Replicas added (or, negative, removed), and the look before: the decision that they came of."""
    replicas: int | None = None
    seen_at: float = 0.0
    requests_total: int | None = None
    active_at: float = 0.0
    """The last time there was any activity, or the first time the group was looked at."""


@dataclass(frozen=True, slots=True)
class _Vote:
    """What one trigger asks for; `replicas` None: no decision from it."""

    text: str
    replicas: int | None = None
    active: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """A count on its way to a decision, with what was done to it."""

    replicas: int
    notes: tuple[str, ...] = ()

    def to(self, replicas: int, note: str) -> _Step:
        return self if replicas == self.replicas else _Step(replicas, (*self.notes, f"({note})"))


def decide(
    policy: ScalingPolicy, samples: Samples, *, current: int, history: History, now: float
) -> tuple[Decision, History]:
    """The replicas that a group of `current` should have, and what to remember for the next time.

    `current` counts the replicas that are wanted now, starting ones included and draining ones not; `now` is any clock
    in seconds that does not go back. Asking twice at the same time changes nothing.
    """
    votes = tuple(_votes(policy, samples, current))
    active = any(vote.active for vote in votes) or _busy(samples.load, history)
    history = _seen(policy, samples.load, history, current=current, active=active, now=now)
    bounds = policy.bounds
    if (nearest := bounds.clamp(current)) != current:
        return Decision(nearest, f"{_count(current)} outside {bounds}: {nearest}"), history
    if bounds.min == bounds.max:
        return Decision(current, f"fixed at {_count(current)}"), history
    if current == 0:
        return _from_zero(samples.load, votes), history
    idle = "" if active or bounds.min > 0 else _idle(policy, samples, history, now)
    if idle is None:
        return Decision(0, f"idle for {now - history.active_at:.0f} s (cooldown {policy.cooldown:g} s): 0"), history
    step, history = _scaled(policy, votes, history, current=current, now=now)
    said = ", ".join(text for text in (*(vote.text for vote in votes), idle, _ignored(policy)) if text)
    return Decision(step.replicas, " ".join((said, *step.notes)) + f": {step.replicas}"), history


def _scaled(
    policy: ScalingPolicy, votes: tuple[_Vote, ...], history: History, *, current: int, now: float
) -> tuple[_Step, History]:
    """From the votes to a count of at least one, in bounds."""
    counts = [vote.replicas for vote in votes if vote.replicas is not None]
    if not counts:
        return _Step(current, ("(no decision)",)), history
    wanted = _Step(max(counts))
    if wanted.replicas < current and len(counts) < len(votes):
        return wanted.to(current, "not scaled down while a trigger has no data"), history
    floor, ceiling = max(1, policy.bounds.min), policy.bounds.max
    step = wanted.to(
        max(wanted.replicas, floor), f"min {floor}" if policy.bounds.min else "zero only after the cooldown"
    )
    step = step.to(min(step.replicas, ceiling), f"max {ceiling}")
    history = _recommended(history, step.replicas, now)
    step = _stabilised(policy, history, step, current=current, now=now)
    return _limited(history, step, current=current, now=now), history


# --- what each trigger asks for ----------------------------------------------------------------------------------


def _votes(policy: ScalingPolicy, samples: Samples, current: int) -> Iterator[_Vote]:
    for resource in policy.resources:
        yield _resource_vote(resource, samples, current=current, tolerance=policy.tolerance)
    for index, query in enumerate(policy.queries):
        value = samples.queries[index] if index < len(samples.queries) else NoData("not asked yet")
        yield _query_vote(query, value, current=current, tolerance=policy.tolerance)
    if policy.concurrency or not (policy.resources or policy.queries):
        yield _concurrency_vote(policy, samples, current=current)


def _resource_vote(target: ResourceTarget, samples: Samples, *, current: int, tolerance: float) -> _Vote:
    """The HPA's GetResourceReplicas and GetRawResourceReplicas: ceil(ready replicas * usage / target), and where that
    is not known of all: a ready replica without a reading counts as at its request when shrinking and as idle when
    growing, one that is not ready counts as idle when growing; a change that this turns round is none.
    """
    name = target.resource.value
    cpu = target.resource is ResourceKind.CPU
    readings = [usage.cpu if cpu else usage.memory for usage in samples.replicas]
    known = [_milli(value) for value in readings if value is not None and _usable(value)]
    request = samples.cpu_request if cpu else samples.memory_request
    scale = _Scale.of(target, request)
    if scale is None:
        return _absent(name, f"{target.type.value} needs a target and a request above 0")
    if not known:
        return _absent(name, "no usable reading" if readings else "no replica is ready")
    ratio = scale.ratio(sum(known), len(known))
    missing, unready = len(readings) - len(known), max(0, current - len(readings))
    filled = sum(known) + (missing * scale.filling if ratio < 1 else 0)
    count = len(known) + missing + (unready if ratio > 1 else 0)
    adjusted = scale.ratio(filled, count)
    wanted = _ceil(adjusted * count)
    turned = (ratio - 1) * (adjusted - 1) <= 0 or (adjusted - 1) * (wanted - current) < 0
    if turned or _within(adjusted, tolerance):
        wanted = current
    return _Vote(f"{name} {scale.text(sum(known), len(known))} on {_count(len(known))} -> {wanted}", wanted)


@dataclass(frozen=True, slots=True)
class _Scale:
    """A resource target in thousandths; the HPA counts in integers, and whole percents."""

    target: ResourceTarget
    request: int
    filling: int
    """What a replica without a reading is taken to use when the group would shrink."""

    @classmethod
    def of(cls, target: ResourceTarget, request: float) -> _Scale | None:
        if not (_usable(target.value) and _milli(target.value)):
            return None
        if target.type is TargetType.AVERAGE_VALUE:
            return cls(target, 0, _milli(target.value))
        if not (_usable(request) and _milli(request)):
            return None
        return cls(target, _milli(request), _milli(request) * max(100, math.ceil(target.value)) // 100)

    def ratio(self, used: int, replicas: int) -> float:
        if self.target.type is TargetType.AVERAGE_VALUE:
            return used // replicas / _milli(self.target.value)
        return self._percent(used, replicas) / self.target.value

    def text(self, used: int, replicas: int) -> str:
        if self.target.type is TargetType.UTILIZATION:
            return f"{self._percent(used, replicas)} % of {self.target.value:g} %"
        average = used / replicas / 1000
        if self.target.resource is ResourceKind.CPU:
            return f"{average:.3g} of {self.target.value:g} cores"
        return f"{Memory(round(average)).human()} of {Memory(round(self.target.value)).human()}"

    def _percent(self, used: int, replicas: int) -> int:
        return used * 100 // (self.request * replicas)


def _query_vote(target: PrometheusTarget, value: float | NoData, *, current: int, tolerance: float) -> _Vote:
    """KEDA's prometheus scaler. A value below 0 counts as 0 there (quantityFromFloat64), and so here."""
    name = " ".join(f"prometheus {target.metric_name}".split())
    if isinstance(value, NoData):
        return _absent(name, value.reason)
    if not math.isfinite(value):
        return _absent(name, f"the value is {value}")
    if not (_usable(target.threshold) and _milli(target.threshold)):
        return _absent(name, f"the threshold {target.threshold:g} is not above 0")
    wanted = _average(_milli(max(value, 0)), _milli(target.threshold), current=current, tolerance=tolerance)
    return _Vote(f"{name} {value:g} / {target.threshold:g} -> {wanted}", wanted, value > target.activation)


def _concurrency_vote(policy: ScalingPolicy, samples: Samples, *, current: int) -> _Vote:
    if samples.load is None:
        return _absent("requests", "the gateway has not reported")
    load = samples.load
    target = policy.concurrency.value if policy.concurrency else TARGET_OCCUPANCY * min(max(samples.slots, 1), _MANY)
    if not (_usable(target) and _milli(target)):
        return _absent("requests", f"the target {target:g} is not above 0")
    total = max(load.in_flight, 0) + max(load.queued, 0)
    wanted = _average(_milli(total), _milli(target), current=current, tolerance=policy.tolerance)
    return _Vote(f"{load.in_flight} in flight, {load.queued} queued / {target:g} -> {wanted}", wanted)


def _average(total: int, target: int, *, current: int, tolerance: float) -> int:
    """The HPA's GetExternalPerPodMetricReplicas: ceil(total / target), or `current` when that is near enough."""
    if current > 0 and _within(total / (target * current), tolerance):
        return current
    return _ceil(total / target)


# --- from and to zero --------------------------------------------------------------------------------------------


def _from_zero(load: GroupLoad | None, votes: tuple[_Vote, ...]) -> Decision:
    """KEDA activates to one replica, and the formulas go on from there; a held request does the same here."""
    if load and load.queued > 0:
        return Decision(1, f"{load.queued} queued: 1")
    if awake := [vote.text for vote in votes if vote.active]:
        return Decision(1, f"{', '.join(awake)}, active: 1")
    absent = [vote.text for vote in votes if vote.replicas is None]
    return Decision(0, ", ".join([*absent, "idle, wakes on a request: 0"]))


def _busy(load: GroupLoad | None, history: History) -> bool:
    """Whether the gateway has, or since the last look had, a request for the group."""
    if load is None:
        return False
    before = load.requests_total if history.requests_total is None else history.requests_total
    return load.in_flight > 0 or load.queued > 0 or load.requests_total != before


def _idle(policy: ScalingPolicy, samples: Samples, history: History, now: float) -> str | None:
    """What keeps an inactive group above zero; None when nothing does. KEDA too keeps it up while a trigger fails."""
    if samples.load is None:
        return "not to zero while the gateway has not reported"
    values = samples.queries[: len(policy.queries)]
    if sum(not isinstance(value, NoData) and math.isfinite(value) for value in values) < len(policy.queries):
        return "not to zero while a trigger has no data"
    idle = now - history.active_at
    return None if idle >= policy.cooldown else f"idle for {max(idle, 0.0):.0f} s of {policy.cooldown:g} s"


# --- windows and limits ------------------------------------------------------------------------------------------


def _seen(
    policy: ScalingPolicy, load: GroupLoad | None, history: History, *, current: int, active: bool, now: float
) -> History:
    """The history with this look at the group, without what no window reaches any more."""
    first = history.replicas is None
    delta = 0 if history.replicas is None else current - history.replicas
    changes = (*history.changes, (delta, history.seen_at))
    window = max(policy.stabilization_up, policy.stabilization_down)
    return replace(
        history,
        recommendations=((current, now),)
        if first
        else tuple((count, at) for count, at in history.recommendations if at > now - window),
        changes=tuple((n, at) for n, at in changes if n and at > now - RATE_PERIOD),
        replicas=current,
        seen_at=now,
        requests_total=history.requests_total if load is None else load.requests_total,
        active_at=now if first or active else history.active_at,
    )


def _recommended(history: History, count: int, now: float) -> History:
    others = tuple((n, at) for n, at in history.recommendations if n != count)
    return replace(history, recommendations=(*others, (count, now)))


def _stabilised(policy: ScalingPolicy, history: History, step: _Step, *, current: int, now: float) -> _Step:
    """The HPA's stabilizeRecommendationWithBehaviors: grow to the lowest recommendation of the window for growing,
    shrink to the highest of the window for shrinking.
    """
    up, down = policy.stabilization_up, policy.stabilization_down
    low = min([step.replicas, *(count for count, at in history.recommendations if at > now - up)])
    high = max([step.replicas, *(count for count, at in history.recommendations if at > now - down)])
    kept = min(max(current, low), high)
    if kept > step.replicas:
        return step.to(kept, f"not below the highest of {down:g} s")
    return step.to(kept, f"not above the lowest of {up:g} s")


def _limited(history: History, step: _Step, *, current: int, now: float) -> _Step:
    """The HPA's default scaleUp policies: within 15 s 4 more replicas, or as many again."""
    start = current - sum(count for count, at in history.changes if at > now - RATE_PERIOD)
    limit = max(start + RATE_REPLICAS, 2 * start, current)
    return step.to(min(step.replicas, limit), f"at most {limit} within {RATE_PERIOD:g} s")


# --- numbers and words -------------------------------------------------------------------------------------------


def _usable(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _milli(value: float) -> int:
    """Thousandths, in which Kubernetes counts metrics."""
    return round(min(value, _LARGEST) * 1000)


def _ceil(value: float) -> int:
    return math.ceil(min(value, _MANY))


def _within(ratio: float, tolerance: float) -> bool:
    return 1 - tolerance <= ratio <= 1 + tolerance


def _absent(name: str, reason: str) -> _Vote:
    return _Vote(f"no data from {name} ({' '.join(reason.split())})")


def _ignored(policy: ScalingPolicy) -> str:
    kinds = sorted({trigger.type for trigger in policy.external})
    return f"{', '.join(kinds)} not evaluated here" if kinds else ""


def _count(replicas: int) -> str:
    return "1 replica" if replicas == 1 else f"{replicas} replicas"
