"""The choice of a replica, by its rules."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.routing import pick


@dataclass(frozen=True, slots=True)
class Replica:
    usable: bool
    in_flight: int
    slots: int


replicas = st.lists(st.builds(Replica, st.booleans(), st.integers(0, 9), st.integers(1, 4)), max_size=6)
turns = st.integers(0, 100)


@given(replicas, turns)
def test_only_a_usable_replica_is_picked_and_one_is_whenever_there_is_one(present: list[Replica], turn: int) -> None:
    picked = pick(present, turn)
    assert (picked is None) == (not any(r.usable for r in present))
    assert picked is None or picked.usable


@given(replicas, turns)
def test_no_usable_replica_with_a_free_slot_has_fewer_requests_than_the_picked_one(
    present: list[Replica], turn: int
) -> None:
    if picked := pick(present, turn):
        free = [r.in_flight for r in present if r.usable and r.in_flight < r.slots]
        full = [r.in_flight for r in present if r.usable]
        assert picked.in_flight == min(free or full)
        assert not free or picked.in_flight < picked.slots


@given(st.integers(1, 6), st.integers(0, 5), turns)
def test_equals_are_picked_in_turn(count: int, in_flight: int, turn: int) -> None:
    present = [Replica(True, in_flight, 4) for _ in range(count)]
    picked = [pick(present, turn + n) for n in range(count)]
    assert {id(replica) for replica in picked} == {id(replica) for replica in present}


@given(st.integers(1, 5), st.integers(1, 40))
def test_requests_that_stay_are_spread_evenly(count: int, requests: int) -> None:
    loads = [0] * count
    for turn in range(requests):
        present = [Replica(True, load, 4) for load in loads]
        picked = pick(present, turn)
        loads[next(n for n, replica in enumerate(present) if replica is picked)] += 1
    assert max(loads) - min(loads) <= 1
