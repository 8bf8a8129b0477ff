"""A new version of a service takes the traffic in steps, or gives it back."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.ray import rollout
from bandari.serving.ray.rollout import Rollout, Rules, Seen

RULES = Rules(steps=(10, 50, 100), step_seconds=10, timeout=60, max_failures=0.05)
UP = Seen(ready=True, serving=True, deployed_at=0.0)


def serving(version: str = "v1") -> Rollout:
    """One version that has all of the traffic."""
    return rollout.advance(rollout.want(Rollout(), version, 0.0), RULES, {version: UP}, 1.0)


def percent(state: Rollout, seen: Mapping[str, Seen] | None = None) -> dict[str, int]:
    return rollout.weights(state, RULES, dict.fromkeys(state.present, UP) if seen is None else seen)


def test_the_first_version_serves_as_soon_as_it_is_healthy() -> None:
    state = rollout.want(Rollout(), "v1", 0.0)
    assert (state.present, percent(state, {})) == (("v1",), {"v1": 0})
    assert rollout.advance(state, RULES, {"v1": Seen(deployed_at=0.0)}, 5.0) == state
    assert percent(serving()) == {"v1": 100}


def test_the_first_version_that_fails_stays_and_serves_when_it_can() -> None:
    state = rollout.want(Rollout(), "v1", 0.0)
    state = rollout.advance(state, RULES, {"v1": Seen(failed=True, reason="no module")}, 1.0)
    assert (state.present, state.failed, state.reason) == (("v1",), "v1", "no module")
    state = rollout.advance(state, RULES, {"v1": UP}, 900.0)
    assert (state.current, state.failed) == ("v1", "")


def test_traffic_moves_in_steps_and_the_old_version_goes_when_it_is_idle() -> None:
    state = rollout.want(serving(), "v2", 10.0)
    seen = {"v1": UP, "v2": UP}
    told = []
    for now in (11, 20, 21, 30, 31, 40):
        state = rollout.advance(state, RULES, seen, now)
        told.append(percent(state)["v2"])
    assert told == [10, 10, 50, 50, 100, 100]
    state = rollout.advance(state, RULES, seen, 41.0)
    assert (state.current, state.coming, state.present) == ("v2", "", ("v2", "v1"))
    assert rollout.advance(state, RULES, {**seen, "v1": Seen(in_flight=1)}, 50.0).present == ("v2", "v1")
    assert rollout.advance(state, RULES, {**seen, "v1": Seen(in_flight=1)}, 72.0).present == ("v2",)
    assert rollout.advance(state, RULES, seen, 43.0).present == ("v2", "v1")
    assert rollout.advance(state, RULES, seen, 44.5).present == ("v2",)


def test_a_version_that_does_not_become_healthy_in_time_is_taken_back() -> None:
    state = rollout.want(serving(), "v2", 10.0)
    waiting = {"v1": UP, "v2": Seen(reason="starts")}
    assert rollout.advance(state, RULES, waiting, 900.0) == state, "it was not handed over yet"
    late = {"v1": UP, "v2": Seen(reason="starts", deployed_at=900.0)}
    assert rollout.advance(state, RULES, late, 960.0) == state
    state = rollout.advance(state, RULES, late, 961.0)
    assert (state.current, state.coming, state.failed) == ("v1", "", "v2")
    assert state.reason == "not healthy within 60 s: starts"
    assert rollout.want(state, "v2", 970.0) == state
    assert rollout.want(state, "v3", 970.0).coming == "v3"
    assert rollout.want(state, "v1", 970.0).failed == "v2"


def test_a_version_that_breaks_during_a_step_is_taken_back_at_once() -> None:
    state = rollout.advance(rollout.want(serving(), "v2", 10.0), RULES, {"v1": UP, "v2": UP}, 11.0)
    state = rollout.advance(state, RULES, {"v1": UP, "v2": Seen(failed=True, reason="it crashed")}, 12.0)
    assert (state.current, state.reason, percent(state)) == ("v1", "it crashed", {"v1": 100})
    assert state.present == ("v1", "v2")


def test_a_version_whose_requests_fail_is_taken_back() -> None:
    begun = Seen(ready=True, serving=True, requests=100, failures=50)
    state = rollout.advance(rollout.want(serving(), "v2", 10.0), RULES, {"v2": begun}, 11.0)

    def after(requests: int, failures: int, now: float) -> Rollout:
        found = Seen(ready=True, serving=True, requests=100 + requests, failures=50 + failures)
        return rollout.advance(state, RULES, {"v2": found}, now)

    assert after(19, 19, 15.0).coming == "v2", "too few to tell before the step is over"
    assert after(20, 2, 15.0).reason == "2 of its 20 requests failed"
    assert after(20, 1, 15.0).coming == "v2"
    assert after(4, 1, 21.0).failed == "v2"
    assert after(0, 0, 21.0).step == 1


def test_a_gateway_that_started_anew_counts_from_zero() -> None:
    begun = Seen(ready=True, serving=True, requests=100, failures=50)
    state = rollout.advance(rollout.want(serving(), "v2", 10.0), RULES, {"v2": begun}, 11.0)
    state = rollout.advance(state, RULES, {"v2": Seen(ready=True, serving=True, requests=30)}, 15.0)
    assert (state.step, state.requests) == (0, 0)


def test_wanting_the_current_version_again_ends_a_rollout() -> None:
    state = rollout.advance(rollout.want(serving(), "v2", 10.0), RULES, {"v1": UP, "v2": UP}, 11.0)
    back = rollout.want(state, "v1", 12.0)
    assert (back.current, back.coming, percent(back), dict(back.leaving)) == ("v1", "", {"v1": 100}, {"v2": 12.0})
    again = rollout.want(back, "v2", 13.0)
    assert (again.coming, dict(again.leaving)) == ("v2", {})


def test_a_third_version_takes_the_place_of_the_second() -> None:
    state = rollout.advance(rollout.want(serving(), "v2", 10.0), RULES, {"v1": UP, "v2": UP}, 11.0)
    state = rollout.want(state, "v3", 12.0)
    assert (state.current, state.coming, dict(state.leaving)) == ("v1", "v3", {"v2": 12.0})
    assert percent(state) == {"v1": 100, "v3": 0}


def test_what_one_version_cannot_take_the_other_gets() -> None:
    state = rollout.advance(rollout.want(serving(), "v2", 10.0), RULES, {"v1": UP, "v2": UP}, 11.0)
    assert percent(state, {"v1": Seen(), "v2": UP}) == {"v1": 0, "v2": 100}
    assert percent(state, {"v1": UP, "v2": Seen()}) == {"v1": 100, "v2": 0}
    assert percent(state, {}) == {"v1": 0, "v2": 0}


def test_all_versions_of_a_removed_service_drain() -> None:
    state = rollout.removed(rollout.want(serving(), "v2", 10.0), 20.0)
    assert (state.current, state.coming, dict(state.leaving)) == ("", "", {"v1": 20.0, "v2": 20.0})
    assert rollout.advance(state, RULES, {}, 24.0).present == ()


def test_steps_are_put_in_order_and_end_with_all() -> None:
    assert Rules(steps=(50, 5, 50, 0, 200)).ladder == (5, 50, 100)
    assert Rules(steps=()).ladder == (100,)


looks = st.builds(
    Seen,
    ready=st.booleans(),
    serving=st.booleans(),
    failed=st.booleans(),
    deployed_at=st.none() | st.just(0.0),
    in_flight=st.integers(0, 1),
    requests=st.integers(0, 100),
    failures=st.integers(0, 100),
)
acts = st.one_of(st.sampled_from(["v1", "v2", "v3"]), st.fixed_dictionaries(dict.fromkeys(["v1", "v2", "v3"], looks)))


@given(st.lists(acts, max_size=40))
def test_whatever_happens_traffic_goes_to_what_runs_and_never_to_what_leaves(told: list[str | dict[str, Seen]]) -> None:
    state, now = Rollout(), 0.0
    for act in told:
        now += 7.0
        before = state
        if isinstance(act, str):
            state = rollout.want(state, act, now)
            seen: dict[str, Seen] = {}
        else:
            state, seen = rollout.advance(state, RULES, act, now), act
        shares = rollout.weights(state, RULES, seen)
        assert set(shares) <= set(state.present) - set(state.leaving)
        assert sum(shares.values()) in {0, 100}
        assert all(seen[name].serving for name, share in shares.items() if share)
        assert state.current != state.coming or not state.current
        assert bool(before.current) <= bool(state.current), "a service that has served keeps a version"
        assert set(before.present) - set(state.present) <= set(before.leaving), "what runs drains before it goes"
