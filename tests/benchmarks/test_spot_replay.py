"""The replay counts right, the optimum is one, and the machine keeps near it on markets that it does not know."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandari.desired.ray import MarketType
from benchmarks import spot
from benchmarks.figures import markdown_section
from benchmarks.spot_optimum import optimum
from benchmarks.spot_replay import Beside, SpotHedge, Trace, generated, read, replay, static

HOUR = 3600.0


def trace(*columns: str, gap: float = HOUR) -> Trace:
    """A zone from `101`: nodes that it has, tick by tick."""
    return Trace(tuple("abc"[: len(columns)]), gap, tuple(zip(*(map(int, column) for column in columns), strict=True)))


def test_a_node_is_paid_from_its_launch_and_of_use_a_tick_later() -> None:
    run = replay(trace("1111"), static(MarketType.SPOT, 1, "a"), 1)
    assert (run.spot_hours, run.on_demand_hours, run.starts, run.losses) == (4.0, 0.0, 1, 0)
    assert run.capacity == run.at_target == 0.75
    assert run.cost(0.5) == 2.0


def test_what_the_market_takes_is_lost_at_once_and_a_notice_gives_back_a_part() -> None:
    run = replay(trace("110000", "111111"), SpotHedge(("a", "b"), 1), 1, notice=900.0)
    assert run.losses == 1
    assert run.capacity == 4 / 6
    assert run.noticed == pytest.approx((4 + 900 / HOUR) / 6)


def test_half_and_half_lacks_half_where_there_is_no_spot() -> None:
    zones = ("a",)
    halves = Beside(static(MarketType.ON_DEMAND, 2, zones), static(MarketType.SPOT, 2, zones))
    run = replay(trace("0000"), halves, 4)
    assert (run.spot_hours, run.on_demand_hours) == (0.0, 2 * 4.0)
    assert run.capacity == 0.5 * 3 / 4


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 2), min_size=1, max_size=5), st.sampled_from((0.1, 0.3, 0.9)))
@settings(deadline=None)
def test_the_optimum_is_the_least_of_all_plans(ticks: list[tuple[int, int]], price: float) -> None:
    market = Trace(("a", "b"), HOUR, tuple(ticks))
    for wanted in (1, 2):
        assert optimum(market, wanted, price) == pytest.approx(cheapest(market, wanted, price))


def cheapest(market: Trace, wanted: int, price: float) -> float:
    """By trying: for each tick how many nodes are in each zone; starts are paid a tick before."""
    costs = {(0, 0, 0): 0.0}
    before = market.ticks[0]
    for now in market.ticks:
        rooms = [min(a, b) for a, b in zip(now, before, strict=True)]
        places = [(a, b, wanted - a - b) for a, b in product(*(range(room + 1) for room in rooms)) if a + b <= wanted]
        costs = {at: min(cost + _step(was, at, price) for was, cost in costs.items()) for at in places}
        before = now
    return min(costs.values())


def _step(was: tuple[int, ...], at: tuple[int, ...], price: float) -> float:
    prices = (price, price, 1.0)
    started = sum(max(0, n - m) * p for n, m, p in zip(at, was, prices, strict=True))
    return started + sum(n * p for n, p in zip(at, prices, strict=True))


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_on_markets_that_it_does_not_know_the_machine_is_cheap_and_lacks_little(seed: int) -> None:
    market = generated(3, 1500, seed=seed, cap=spot.WANTED)
    run = replay(market, spot.ours(market.zones), spot.WANTED)
    whole = spot.WANTED * len(market.ticks) * market.gap / HOUR
    assert run.cost(0.3) < 0.5 * whole
    assert run.capacity > 0.97
    assert run.cost(0.3) < 1.25 * optimum(market, spot.WANTED, 0.3)


@given(st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_where_zones_are_short_on_demand_fills_up(seed: int) -> None:
    market = generated(2, 1000, seed=seed, cap=3)
    run = replay(market, spot.ours(market.zones), spot.WANTED)
    assert run.on_demand_hours > run.spot_hours
    assert run.capacity > 0.98


def test_a_market_without_spot_costs_what_on_demand_does_and_has_no_losses() -> None:
    market = trace("0" * 500, gap=195.0)
    run = replay(market, spot.ours(market.zones), spot.WANTED)
    fixed = replay(market, static(MarketType.ON_DEMAND, spot.WANTED, market.zones), spot.WANTED)
    assert (run.cost(0.3), run.starts, run.losses) == (fixed.cost(0.3), spot.WANTED, 0)


@pytest.mark.skipif(spot.traces_folder() is None, reason=f"recorded spot traces are no part of this; {spot.FOLDER}")
def test_on_the_recorded_market_it_is_within_a_tenth_of_the_optimum_with_995_thousandths_of_the_capacity() -> None:
    folder = spot.traces_folder()
    assert folder
    files = sorted(folder.glob("availability__1-node__*.json.gz"))
    market = read(files, cap=spot.WANTED)
    run = replay(market, spot.ours(market.zones), spot.WANTED)
    hedge = replay(market, SpotHedge(market.zones, spot.WANTED, 2), spot.WANTED)
    assert run.cost(0.3) <= 1.10 * optimum(market, spot.WANTED, 0.3)
    assert run.capacity >= 0.995
    assert run.cost(0.3) < hedge.cost(0.3)
    assert run.capacity > hedge.capacity


def test_the_section_names_every_policy_and_promises_nothing_where_no_market_was_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(spot.FOLDER, str(tmp_path / "nowhere"))
    section = spot.measure(tmp_path)
    text = "\n".join(markdown_section(section))
    for name, _ in spot.policies(generated(1, 1, seed=0, cap=1)):
        assert f"| {name} |" in text
    assert all(math.isfinite(figure.spread.median) for figure in section.figures)
    assert [figure.name for figure in section.figures if figure.verdict] == ["CPU of one decision for 16 nodes"]
    assert section.missing == ()
