"""The bounds of the market state machine hold for every sequence of events; with a constant market it settles."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bandari.desired.ray import MarketType
from bandari.serving import spot
from bandari.serving.spot import Action, Drain, Launch, Market, Memory, Node, Rules, decide, settle

ZONES = ("a", "b", "c")
ON_DEMAND, SPOT, PREFER_SPOT = MarketType
BOUNDS = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda pair: (pair[0], pair[0] + pair[1]))


class World:
    """A group with the market around it: what is asked for is had where a zone has spot."""

    def __init__(self, rules: Rules, up: set[str], wanted: int) -> None:
        self.rules = rules
        self.up = up
        self.wanted = wanted
        self.now = 0.0
        self.nodes: dict[str, Node] = {}
        self.memory = Memory()
        self.names = count(1)

    @property
    def goal(self) -> int:
        return min(max(self.wanted, self.rules.min), self.rules.max)

    def settle(self) -> tuple[Action, ...]:
        before = dict(self.nodes)
        asked: list[str] = []

        def has_spot(zone: str) -> bool:
            asked.append(zone)
            return zone in self.up

        self.memory, actions = settle(
            self.rules, tuple(before.values()), self.memory, wanted=self.wanted, now=self.now, has_spot=has_spot
        )
        refused = [zone for zone in asked if zone not in self.up]
        assert len(refused) == len(set(refused)), "a zone that refused is not asked again at once"
        for action in actions:
            self._do(action, before)
        return actions

    def _do(self, action: Action, before: dict[str, Node]) -> None:
        match action:
            case Launch(market, zone):
                assert market is Market.ON_DEMAND or zone in self.up
                assert (self.rules.market, market) not in {(SPOT, Market.ON_DEMAND), (ON_DEMAND, Market.SPOT)}
                name = f"n{next(self.names)}"
                self.nodes[name] = Node(name, market, zone, ready=False, since=self.now)
            case Drain(name):
                node = self.nodes[name]
                assert not node.leaving
                others = sum(n.ready and not n.leaving for n in self.nodes.values()) - node.ready
                full = len(before) == self.rules.max
                assert not node.ready or others >= self.goal or (full and node.market is Market.ON_DEMAND)
                self.nodes[name] = replace(node, leaving=True)

    def start_all(self) -> None:
        self.nodes = {name: replace(node, ready=True) for name, node in self.nodes.items() if not node.leaving}

    def close(self, zone: str) -> None:
        """The market takes a zone: its nodes have their notice."""
        self.up.discard(zone)
        taken = {n.name for n in self.nodes.values() if n.market is Market.SPOT and n.zone == zone}
        self.nodes = {name: spot.leaving(n) if name in taken else n for name, n in self.nodes.items()}
        if taken:
            self.memory = spot.lost(self.memory, self.rules, zone, self.now)

    def toggle(self, zone: str) -> None:
        if zone in self.up:
            self.close(zone)
        else:
            self.up.add(zone)
            self.memory = spot.restored(self.memory, self.rules, zone, self.now)


class SpotMachine(RuleBasedStateMachine):
    """Any order of notices, losses, starts, restores and wishes."""

    world: World

    @initialize(
        market=st.sampled_from(MarketType),
        bounds=BOUNDS,
        up=st.sets(st.sampled_from(ZONES)),
        wanted=st.integers(0, 9),
        cross=st.booleans(),
        age=st.sampled_from((0.0, 300.0, 3600.0)),
    )
    def begin(
        self,
        *,
        market: MarketType,
        bounds: tuple[int, int],
        up: set[str],
        wanted: int,
        cross: bool,
        age: float,
    ) -> None:
        rules = Rules(market, *bounds, ZONES, cross_zone=cross, replacement_age=age)
        self.world = World(rules, up, wanted)

    @rule(seconds=st.sampled_from((1.0, 30.0, 400.0, 1500.0, 9000.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(wanted=st.integers(0, 9))
    def another_wish(self, wanted: int) -> None:
        self.world.wanted = wanted

    @rule(zone=st.sampled_from(ZONES))
    def the_market_turns(self, zone: str) -> None:
        self.world.toggle(zone)

    @rule(zone=st.sampled_from(ZONES))
    def a_zone_comes_back_and_nobody_says_so(self, zone: str) -> None:
        self.world.up.add(zone)

    @rule(number=st.integers(0, 30))
    def a_node_is_ready(self, number: int) -> None:
        if name := self._one(number):
            self.world.nodes[name] = replace(self.world.nodes[name], ready=True)

    @rule(number=st.integers(0, 30))
    def a_node_is_gone(self, number: int) -> None:
        if name := self._one(number):
            del self.world.nodes[name]

    def _one(self, number: int) -> str:
        names = sorted(self.world.nodes)
        return names[number % len(names)] if names else ""

    @rule()
    def the_leaving_ones_are_gone(self) -> None:
        self.world.nodes = {name: node for name, node in self.world.nodes.items() if not node.leaving}

    @rule()
    def all_is_settled(self) -> None:
        world = self.world
        world.settle()
        waits = world.rules.market is SPOT
        assert waits or len(world.nodes) >= world.rules.min
        staying = sum(not node.leaving for node in world.nodes.values())
        assert waits or staying >= world.goal or len(world.nodes) == world.rules.max
        assert world.rules.cross_zone or len({n.zone for n in world.nodes.values() if not n.leaving}) <= 1
        assert world.settle() == (), "asked again at once there is nothing left to do"

    @invariant()
    def never_above_the_maximum(self) -> None:
        world = getattr(self, "world", None)
        assert world is None or len(world.nodes) <= world.rules.max


SpotMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_the_bounds_hold_for_every_sequence_of_events = SpotMachine.TestCase


@given(
    market=st.sampled_from(MarketType),
    bounds=BOUNDS,
    changes=st.lists(st.tuples(st.sampled_from(ZONES), st.integers(1, 40)), max_size=8),
    up=st.sets(st.sampled_from(ZONES)),
    wanted=st.integers(0, 8),
    age=st.sampled_from((0.0, 3600.0)),
)
@settings(deadline=None)
def test_there_are_no_more_switches_than_the_market_gives_reason_for(
    *,
    market: MarketType,
    bounds: tuple[int, int],
    changes: list[tuple[str, int]],
    up: set[str],
    wanted: int,
    age: float,
) -> None:
    world = World(Rules(market, *bounds, ZONES, replacement_age=age), up, wanted)
    done = run(world, 60)
    for zone, rounds in changes:
        world.toggle(zone)
        done += run(world, rounds)
    done += run(world, 100)
    # A change may take every node, each is started anew, and each goes back to spot: a launch, a launch and a drain.
    assert done <= 3 * world.rules.max * (len(changes) + 1)
    assert run(world, 60) == 0, "the market is constant, and the group at rest"


def run(world: World, rounds: int) -> int:
    """Rounds of ten minutes in which all that was begun is finished; the number of actions."""
    done = 0
    for _ in range(rounds):
        done += len(world.settle())
        world.start_all()
        world.now += 600.0
    return done


def group(**changes: Any) -> Rules:
    return replace(Rules(PREFER_SPOT, 0, 4, ZONES), **changes)


def ready(name: str, market: Market, zone: str = "a", since: float = 0.0) -> Node:
    return Node(name, market, zone, ready=True, since=since)


def kinds(actions: tuple[Action, ...]) -> list[str]:
    return [action.market.value if isinstance(action, Launch) else "drain" for action in actions]


def test_spot_comes_first_and_on_demand_at_once_where_there_is_none() -> None:
    world = World(group(), {"b"}, 3)
    assert kinds(world.settle()) == ["spot"] * 3
    assert {node.zone for node in world.nodes.values()} == {"b"}
    world = World(group(), set(), 3)
    assert kinds(world.settle()) == ["on-demand"] * 3


def test_a_spot_group_waits_where_there_is_no_spot_and_goes_on_when_it_is_back() -> None:
    world = World(group(market=SPOT), set(), 2)
    assert world.settle() == ()
    world.toggle("c")
    assert kinds(world.settle()) == ["spot", "spot"]


def test_a_notice_brings_another_node_before_the_first_is_gone() -> None:
    world = World(group(), {"a", "b"}, 2)
    world.settle()
    world.start_all()
    world.close("a")
    world.close("b")
    assert kinds(world.settle()) == ["on-demand"] * 2
    assert len(world.nodes) == 4


def test_at_its_maximum_a_group_waits_for_the_leaving_node() -> None:
    world = World(group(max=2), {"a"}, 2)
    world.settle()
    world.start_all()
    world.close("a")
    assert world.settle() == ()
    world.start_all()
    assert kinds(world.settle()) == ["on-demand"] * 2


def test_a_spot_node_that_is_not_ready_in_time_is_covered_and_the_cover_goes_when_it_is() -> None:
    rules = group()
    slow = Node("s", Market.SPOT, "a", ready=False, since=0.0)
    assert decide(rules, [slow], Memory(), wanted=1, now=spot.PATIENCE - 1) == ()
    assert kinds(decide(rules, [slow], Memory(), wanted=1, now=spot.PATIENCE)) == ["on-demand"]
    cover = ready("o", Market.ON_DEMAND, since=spot.PATIENCE)
    assert decide(rules, [slow, cover], Memory(), wanted=1, now=spot.PATIENCE) == ()
    both = [replace(slow, ready=True), cover]
    assert decide(rules, both, Memory(), wanted=1, now=999.0) == (Drain("o", "enough others are ready"),)


def test_on_demand_is_exchanged_after_its_age_and_not_before() -> None:
    rules, node = group(), ready("o", Market.ON_DEMAND)
    assert decide(rules, [node], Memory(), wanted=1, now=3599.0) == ()
    assert kinds(decide(rules, [node], Memory(), wanted=1, now=3600.0)) == ["spot"]
    assert decide(group(market=ON_DEMAND), [node], Memory(), wanted=1, now=3600.0) == ()


def test_at_its_maximum_a_group_goes_back_to_spot_only_where_it_is_known_to_be() -> None:
    rules = group(max=1)
    node = ready("o", Market.ON_DEMAND)
    assert decide(rules, [node], Memory(), wanted=1, now=9999.0) == ()
    back = spot.restored(Memory(), rules, "b", 9000.0)
    assert decide(rules, [node], back, wanted=1, now=9999.0) == (Drain("o", "makes room for a spot node"),)


@given(st.floats(1.0, 1e5), st.integers(1, 5))
def test_trouble_fades_to_a_half_in_its_half_life(age: float, failures: int) -> None:
    rules, memory = group(), Memory()
    for _ in range(failures):
        memory = spot.refused(memory, rules, "a", 100.0)
    faded = memory.zone("a", 100.0 + age, rules.half_life).trouble
    assert faded == pytest.approx(failures * 0.5 ** (age / rules.half_life))


def test_a_zone_that_failed_is_left_alone_until_its_trouble_has_faded() -> None:
    rules = group(zones=("a",), replacement_age=0.0)
    memory = spot.refused(Memory(), rules, "a", 0.0)
    assert kinds(decide(rules, [], memory, wanted=1, now=rules.half_life)) == ["on-demand"]
    assert kinds(decide(rules, [], memory, wanted=1, now=rules.half_life + 1)) == ["spot"]


def test_many_nodes_lost_at_once_are_one_event_and_the_safer_zone_is_taken_next() -> None:
    rules = group(zones=("a", "b"))
    memory = Memory()
    for at in (0.0, 1.0, 2.0):
        memory = spot.lost(memory, rules, "a", at)
    assert memory.zone("a", 2.0, rules.half_life).losses == pytest.approx(1.0, rel=1e-4)
    later = 10 * rules.half_life
    assert decide(rules, [], memory, wanted=1, now=later) == (Launch(Market.SPOT, "b", "spot comes first"),)


def test_a_zone_that_has_one_node_alone_does_not_split_a_group_that_keeps_together() -> None:
    rules, left = group(cross_zone=False), {"a": 1, "b": 4, "c": 4}

    def take(zone: str) -> bool:
        left[zone] -= 1
        return left[zone] >= 0

    _, actions = settle(rules, (), Memory(), wanted=3, now=0.0, has_spot=take)
    assert [(a.market.value, a.zone) for a in actions if isinstance(a, Launch)] == [
        ("spot", "a"),
        ("on-demand", "a"),
        ("on-demand", "a"),
    ]


def test_a_cluster_that_keeps_to_one_zone_has_its_spot_nodes_in_one() -> None:
    world = World(group(cross_zone=False), {"b", "c"}, 4)
    world.settle()
    assert {node.zone for node in world.nodes.values()} == {"b"}
