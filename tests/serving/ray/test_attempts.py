"""A job over its attempts: how often it is tried, and what it is called meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.ray import attempts
from bandari.serving.ray.attempts import AGAIN, OPEN, Job, JobState
from bandari.serving.ray.bodies import RayJobBody


def job(*, max_retries: int = 1, timeout: float | None = None) -> Job:
    return Job("train", "0a1b2c3d", RayJobBody("c", "python a.py", max_retries=max_retries, timeout=timeout), 100.0)


def failed(one: Job, state: JobState = JobState.FAILED) -> Job:
    return attempts.ended(attempts.accepted(attempts.opened(one, 100.0), 1), state, 110.0, "it fell", 1)


def test_a_job_that_fails_is_pending_until_its_next_attempt_and_failed_after_the_last() -> None:
    once = failed(job())
    assert (once.state, once.over) == (JobState.PENDING, False)
    twice = failed(once)
    assert (twice.state, twice.over, len(twice.attempts)) == (JobState.FAILED, True, 2)


def test_a_lost_job_is_called_lost_until_it_is_submitted_again() -> None:
    lost = failed(job(), JobState.LOST)
    assert (lost.state, lost.over) == (JobState.LOST, False)
    assert JobState.PENDING is attempts.opened(lost, 120.0).state


def test_the_next_attempt_waits_a_little_and_longer_each_time() -> None:
    once = failed(job(max_retries=9))
    assert not once.due(110.5)
    assert once.due(111.0)
    assert [attempts.wait(n) for n in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_each_attempt_has_an_id_of_its_own_that_only_its_job_has() -> None:
    once = failed(job())
    again = attempts.opened(once, 120.0)
    assert [a.id for a in again.attempts] == ["train-0a1b2c3d-1", "train-0a1b2c3d-2"]
    odd = attempts.opened(replace(job(), name="mein Job/ß"), 1.0)
    assert odd.last is not None
    assert odd.last.id == "mein-Job-0a1b2c3d-1"


def test_an_attempt_whose_time_is_up_is_a_failed_one_however_ray_calls_its_end() -> None:
    running = attempts.begun(attempts.accepted(attempts.opened(job(timeout=5), 100.0), 1), 101.0)
    assert not attempts.overdue(running, 105.0)
    assert attempts.overdue(running, 105.1)
    ended = attempts.ended(attempts.expelled(running), JobState.STOPPED, 106.0, "stopped")
    assert ended.last is not None
    assert (ended.last.state, ended.last.message) == (JobState.FAILED, "timed out after 5 s")
    assert not ended.over


def test_a_job_that_is_stopped_is_not_tried_again() -> None:
    stopped = attempts.ended(attempts.stop_asked(attempts.opened(job(), 100.0), 101.0), JobState.FAILED, 102.0)
    assert (stopped.state, stopped.over) == (JobState.STOPPED, True)
    waiting = attempts.stop_asked(failed(job()), 111.0)
    assert (waiting.state, waiting.over) == (JobState.STOPPED, True)
    fresh = attempts.stop_asked(job(), 101.0)
    assert (fresh.state, fresh.over) == (JobState.STOPPED, True)


def test_a_job_that_succeeds_while_it_is_stopped_has_succeeded() -> None:
    done = attempts.ended(attempts.stop_asked(attempts.opened(job(), 100.0), 101.0), JobState.SUCCEEDED, 102.0)
    assert JobState.SUCCEEDED is done.state


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert [attempts.free_name(n, t) for n, t in (("a", ()), ("b", "b"), ("b", ("b", "b-2")))] == ["a", "b-2", "b-3"]


def test_what_is_told_of_a_job_holds_nothing_of_its_environment() -> None:
    secret = replace(job(), body=replace(job().body, environment={"env_vars": {"TOKEN": "hunter2"}}))
    assert "hunter2" not in repr(attempts.status(failed(secret)))


EVENTS = st.lists(
    st.sampled_from(
        ["open", "accept", "begin", "expel", "stop", "give up", *(s.value for s in JobState if s not in OPEN)]
    ),
    max_size=60,
)


@given(EVENTS, st.integers(0, 4))
def test_whatever_happens_a_job_is_tried_at_most_once_more_than_its_retries_and_stays_over(
    events: list[str], retries: int
) -> None:
    one, now = job(max_retries=retries, timeout=1.0), 100.0
    for event in events:
        now += 20
        before = one
        one = step(one, event, now)
        assert len(one.attempts) <= retries + 1
        assert not before.over or one == replace(before, stopping=one.stopping)
        assert all(a.state not in OPEN for a in one.attempts[:-1])
        assert len({a.id for a in one.attempts}) == len(one.attempts)
        assert one.over or one.running or one.due(now + attempts.LONGEST_WAIT)
        assert one.over or one.state in {JobState.PENDING, JobState.RUNNING, JobState.LOST}
        assert not (one.over and one.last and one.last.state in OPEN)
    if one.over and not one.stopping and one.last and one.last.state in AGAIN:
        assert len(one.attempts) == retries + 1


def step(one: Job, event: str, now: float) -> Job:
    match event:
        case "open":
            return attempts.opened(one, now) if one.due(now) else one
        case "stop":
            return one if one.over else attempts.stop_asked(one, now)
        case "give up":
            return attempts.given_up(one, now, "gone")
        case "accept" | "begin" | "expel" if one.running:
            change = {"accept": lambda j: attempts.accepted(j, 1), "begin": lambda j: attempts.begun(j, now)}
            return change.get(event, attempts.expelled)(one)
        case "accept" | "begin" | "expel":
            return one
        case _:
            return attempts.ended(one, JobState(event), now)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_a_cluster_that_goes_takes_its_jobs_along(state: JobState) -> None:
    one = attempts.opened(job(), 100.0)
    one = attempts.begun(one, 101.0) if state is JobState.RUNNING else one
    gone = attempts.given_up(one, 105.0, "its Ray cluster was removed")
    assert (gone.state, gone.over) == (JobState.STOPPED, True)
    assert gone.message == "its Ray cluster was removed"
