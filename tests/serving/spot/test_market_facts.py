"""The market of a Ray cluster on this machine: what it takes, gives back, and remembers over a new supervisor."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.serving.spot import Action, Drain, Launch, Node
from bandari.serving.spot import Market as Bought
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray.market import MARKET_FILE, Market, chosen

CLUSTER = RayClusterBody("demo", RayNodeBody(), zones=("z1", "z2"), cross_zone=True, notice=90.0)
GROUP = RayGroupBody("demo", "gpu", RayNodeBody({"CPU": 1}), max=4, market="PREFER_SPOT")


def act(market: Market, nodes: Sequence[Node], wanted: int, now: float) -> list[tuple[str, str]]:
    found: Sequence[Action] = market.act(CLUSTER, GROUP, nodes, wanted=wanted, existing={}, now=now)
    return [(action.market.value, action.zone) for action in found if isinstance(action, Launch)]


def node(name: str, zone: str, market: Bought = Bought.SPOT) -> Node:
    return Node(name, market, zone, ready=True, since=0.0)


def test_what_is_taken_away_cannot_be_had_until_it_is_given_back(tmp_path: Path) -> None:
    market = Market(tmp_path)
    assert act(market, (), 2, 0.0) == [("spot", "z1"), ("spot", "z2")]
    market.preempt(CLUSTER, GROUP, (), zone="", notice=None, now=10.0)
    assert act(market, (), 2, 20.0) == [("on-demand", "z1"), ("on-demand", "z2")]
    assert act(market, (), 1, 20.0 + 1e6) == [("on-demand", "z1")], "faded trouble does not bring it back"
    market.restore(CLUSTER, GROUP, zone="", now=2e6)
    assert {name for name, _ in act(market, (), 2, 2e6)} == {"spot"}


def test_one_zone_is_taken_and_the_other_takes_its_nodes(tmp_path: Path) -> None:
    market = Market(tmp_path)
    nodes = (node("a", "z1"), node("b", "z2"), node("c", "z1", Bought.ON_DEMAND))
    assert market.preempt(CLUSTER, GROUP, nodes, zone="z1", notice=None, now=100.0) == {"a": 190.0}
    assert act(market, nodes, 3, 101.0) == [("spot", "z2")]
    assert market.closed("gpu") == ("z1",)
    assert market.restore(CLUSTER, GROUP, zone="", now=102.0) == ("z1",)
    assert market.closed("gpu") == ()
    assert market.notices == {"a": 190.0}, "a notice is not taken back"


def test_a_second_notice_does_not_move_the_first(tmp_path: Path) -> None:
    market = Market(tmp_path)
    nodes = (node("a", "z1"),)
    market.preempt(CLUSTER, GROUP, nodes, zone="z1", notice=5.0, now=100.0)
    assert market.preempt(CLUSTER, GROUP, nodes, zone="", notice=500.0, now=101.0) == {"a": 105.0}


def test_the_next_supervisor_finds_the_market_as_it_was(tmp_path: Path) -> None:
    market = Market(tmp_path)
    market.preempt(CLUSTER, GROUP, (node("a", "z1"),), zone="", notice=None, now=100.0)
    again = Market(tmp_path)
    assert again.notices == {"a": 190.0}
    assert again.closed("gpu") == ("z1", "z2")
    assert act(again, (), 1, 101.0) == [("on-demand", "z1")]
    again.keep(["gpu"], [])
    assert Market(tmp_path).notices == {}
    again.keep([], [])
    assert Market(tmp_path).closed("gpu") == ()
    again.remove()
    assert not (tmp_path / MARKET_FILE).exists()


@pytest.mark.parametrize("text", ["", "{", '{"version": 1, "notices": 4}', "\x00\xff"])
def test_a_market_that_cannot_be_read_is_an_open_one(tmp_path: Path, text: str) -> None:
    (tmp_path / MARKET_FILE).write_text(text, encoding="latin-1")
    assert act(Market(tmp_path), (), 1, 0.0) == [("spot", "z1")]


def test_the_facts_are_readable_to_their_owner_alone(tmp_path: Path) -> None:
    market = Market(tmp_path)
    market.preempt(CLUSTER, GROUP, (), zone="z2", notice=None, now=1.0)
    path = tmp_path / MARKET_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["closed"] == {"gpu": ["z2"]}


def test_nothing_is_taken_when_it_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    market = Market(folder)
    with pytest.raises(Refused, match="the market cannot be written"):
        market.preempt(CLUSTER, GROUP, (node("a", "z1"),), zone="", notice=None, now=1.0)
    assert market.notices == {}
    assert market.closed("gpu") == ()
    assert act(market, (), 1, 2.0) == [("spot", "z1")]


def test_what_makes_no_sense_is_refused_in_words(tmp_path: Path) -> None:
    market = Market(tmp_path)
    fixed = RayGroupBody("demo", "cpu", RayNodeBody(), market="ON_DEMAND")
    with pytest.raises(Refused, match='cannot preempt group "cpu": its nodes are on-demand'):
        market.preempt(CLUSTER, fixed, (), zone="", notice=None, now=1.0)
    with pytest.raises(Refused, match='cannot restore spot for group "cpu": its nodes are on-demand'):
        market.restore(CLUSTER, fixed, zone="", now=1.0)
    with pytest.raises(Refused, match='cannot find zone "z3" of Ray cluster "demo"'):
        market.preempt(CLUSTER, GROUP, (), zone="z3", notice=None, now=1.0)
    for notice in (-1.0, math.inf, math.nan):
        with pytest.raises(Refused, match="a notice of"):
            market.preempt(CLUSTER, GROUP, (), zone="", notice=notice, now=1.0)
    groups = {"gpu": GROUP}
    assert chosen(groups, "gpu") is GROUP
    with pytest.raises(Refused, match="the head"):
        chosen(groups, "head")
    with pytest.raises(Refused, match='cannot find worker group "gpus"') as refusal:
        chosen(groups, "gpus")
    assert refusal.value.fix == '"gpu"?'


def test_a_group_that_stands_at_the_cap_of_its_cluster_makes_room_before_it_goes_back_to_spot(tmp_path: Path) -> None:
    market = Market(tmp_path)
    nodes = [node("a", "z1", Bought.ON_DEMAND)]
    market.restore(CLUSTER, GROUP, zone="z1", now=1.0)
    assert market.act(CLUSTER, GROUP, nodes, wanted=2, existing={}, now=1e5, room=0) == (
        Drain("a", "makes room for a spot node"),
    )
    found = market.act(CLUSTER, GROUP, nodes, wanted=1, existing={}, now=1e5, room=1)
    assert [type(action) for action in found] == [Launch]


def test_a_cluster_that_keeps_to_one_zone_falls_back_to_on_demand_in_it(tmp_path: Path) -> None:
    market = Market(tmp_path)
    cluster = RayClusterBody("demo", RayNodeBody(), zones=("z1", "z2"))
    market.preempt(cluster, GROUP, (), zone="z2", notice=None, now=1.0)
    found = market.act(cluster, GROUP, (), wanted=2, existing={"z2": 1}, now=2.0)
    assert [(a.market.value, a.zone) for a in found if isinstance(a, Launch)] == [("on-demand", "z2")] * 2
