"""The table of a process's life, walked by random events."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving import lifecycle
from bandari.serving.lifecycle import (
    ALIVE,
    TABLE,
    Effect,
    Event,
    EventKind,
    Lifecycle,
    Policy,
    State,
    backoff,
    due,
    step,
)

POLICY = Policy()
events = st.lists(st.tuples(st.sampled_from(EventKind), st.floats(0, 100)))


def walk(*kinds: EventKind, gap: float = 0.0) -> Lifecycle:
    life, now = Lifecycle(), 0.0
    for kind in kinds:
        life, _ = step(life, Event(kind), now, POLICY)
        now += gap
    return life


def test_every_edge_has_a_reason_that_reads_after_a_name() -> None:
    assert all(re.fullmatch(r"[a-z][a-zA-Z ]+", edge.reason) for edge in TABLE.values())


def test_every_state_is_reached() -> None:
    seen = {State.PENDING}
    while True:
        more = {edge.to for (state, _), edge in TABLE.items() if state in seen} - seen
        if not more:
            break
        seen |= more
    assert seen == set(State)


def test_nothing_but_a_start_leads_out_of_stopped() -> None:
    assert {kind for state, kind in TABLE if state is State.STOPPED} == {EventKind.START}


@pytest.mark.parametrize("state", [s for s in State if s is not State.STOPPED])
def test_every_state_ends_when_it_is_asked_to(state: State) -> None:
    """STOP, then the exits and deadlines that follow, leads to stopped from everywhere."""
    life = Lifecycle(state=state)
    for kind in (EventKind.STOP, EventKind.TIMEOUT, EventKind.EXITED, EventKind.EXITED):
        life, _ = step(life, Event(kind), 0, POLICY)
    assert life.state is State.STOPPED


@given(events)
def test_a_process_is_spawned_only_when_there_is_none(steps: list[tuple[EventKind, float]]) -> None:
    life, now = Lifecycle(), 0.0
    for kind, gap in steps:
        now += gap
        before = life
        life, effects = step(life, Event(kind), now, POLICY)
        if Effect.SPAWN in effects:
            assert before.state not in ALIVE
        if effects and Effect.SPAWN not in effects:
            assert before.state in ALIVE
        assert life.reason


@given(events)
def test_what_has_to_end_by_itself_has_a_deadline(steps: list[tuple[EventKind, float]]) -> None:
    life, now = Lifecycle(), 0.0
    for kind, gap in steps:
        now += gap
        life, effects = step(life, Event(kind), now, POLICY)
        waits = {State.BACKOFF, State.DRAINING, State.RESTARTING, State.STOPPING}
        assert life.state in waits or life.deadline is None
        if Effect.TERMINATE in effects:
            assert life.deadline is not None
        if life.state in {State.BACKOFF, State.DRAINING}:
            assert life.deadline is not None


def test_the_first_restart_comes_at_once_and_later_ones_back_off() -> None:
    assert [backoff(n, POLICY) for n in range(10)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_process_that_keeps_ending_waits_longer_each_time() -> None:
    life = walk(EventKind.START)
    waits = []
    for _ in range(5):
        life, _ = step(life, Event(EventKind.EXITED), 10.0, POLICY)
        assert life.deadline is not None
        waits.append(life.deadline - 10.0)
        life, _ = step(life, Event(EventKind.TIMEOUT), life.deadline, POLICY)
    assert waits == [0, 0.5, 1, 2, 4]
    assert life.restarts == 5


def test_a_minute_of_readiness_forgives_the_failures() -> None:
    life = Lifecycle(state=State.STARTING, failures=7)
    life, _ = step(life, Event(EventKind.PASSED), 100.0, POLICY)
    soon, _ = step(life, Event(EventKind.EXITED), 159.0, POLICY)
    late, _ = step(life, Event(EventKind.EXITED), 160.0, POLICY)
    assert (soon.failures, late.failures) == (8, 1)
    assert due(late, 160.0)
    assert not due(soon, 160.0)


def test_readiness_that_flaps_does_not_start_the_minute_anew() -> None:
    life = Lifecycle(state=State.STARTING, failures=3)
    for kind, now in (
        (EventKind.PASSED, 0.0),
        (EventKind.FAILED, 40.0),
        (EventKind.PASSED, 50.0),
        (EventKind.EXITED, 61),
    ):
        life, _ = step(life, Event(kind), now, POLICY)
    assert life.failures == 1


def test_the_reason_of_a_crash_stays_until_it_serves_again() -> None:
    life = walk(EventKind.START)
    life, _ = step(life, Event(EventKind.EXITED, "exit status 3"), 0, POLICY)
    life, _ = step(life, Event(EventKind.TIMEOUT), 0, POLICY)
    assert life.failure == "ended before it was ready: exit status 3"
    life, _ = step(life, Event(EventKind.PASSED), 1, POLICY)
    assert not life.failure


def test_a_hung_process_is_killed_when_it_does_not_end() -> None:
    life = walk(EventKind.START, EventKind.PASSED)
    life, effects = step(life, Event(EventKind.LIVENESS_FAILED, "no answer within 1 s"), 5.0, POLICY)
    assert (life.state, effects) == (State.RESTARTING, (Effect.TERMINATE,))
    life, effects = step(life, Event(EventKind.TIMEOUT), 7.0, POLICY)
    assert effects == (Effect.KILL,)
    life, _ = step(life, Event(EventKind.EXITED), 7.1, POLICY)
    assert life.state is State.BACKOFF


def test_a_draining_process_is_not_started_again() -> None:
    life = walk(EventKind.START, EventKind.PASSED, EventKind.DRAIN, EventKind.EXITED)
    assert life.state is State.STOPPED


def test_the_diagram_shows_every_edge() -> None:
    text = lifecycle.diagram()
    assert text.startswith("stateDiagram-v2")
    assert len(text.splitlines()) == len(TABLE) + 3
    assert "    backoff --> starting: timeout (starts again)" in text
