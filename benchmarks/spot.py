"""The market state machine on spot markets, recorded and generated, beside static policies, SkyServe's rule and an
omniscient buyer. Recorded traces are not shipped: a folder of them is named by BANDARI_SPOT_TRACES.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandari.desired.ray import MarketType
from bandari.serving.spot import HALF_LIFE, REPLACEMENT_AGE, Rules
from benchmarks.figures import Figure, Section, Spread, Table, number
from benchmarks.machine import ROOT
from benchmarks.spot_optimum import optimum
from benchmarks.spot_replay import Beside, Ours, Outcome, Policy, SpotHedge, Trace, generated, read, replay, static

WANTED = 16
ROOM = 4
"""Nodes that the group may have beyond those that it wants, so that a quarter is exchanged at once."""
CAP = 6
"""Nodes in a zone of a market that is short of them."""
PRICES = ROOT / "benchmarks" / "spot_prices.json"
FOLDER = "BANDARI_SPOT_TRACES"
_NEAR = ROOT.parent / "shared" / "data" / "traces" / "spot-skypilot"
_WIDTH = 40
HOW = f"""\
A service of {WANTED} nodes, tick by tick: the market takes what it no longer has, what was launched a tick ago is
ready, then the policy buys. A node is paid from its launch, so a cold start is one paid tick. *Capacity* is ready
node-time over wanted node-time when nodes are lost without a notice; *with notice* is the same where each loss is told
120 s before. *x optimum* is the cost over that of a buyer who knows the whole trace and never lacks a node (a
minimum-cost flow). bandari runs as it ships (half-life {HALF_LIFE:g} s, replacement age {REPLACEMENT_AGE:g} s): nothing
is tuned to a trace. The spot price decides nothing, so one replay is priced at several ratios, which are data with
their sources (`benchmarks/spot_prices.json`). SpotHedge is the rule of SkyServe (skypilot 0.14.1) with 0 and 2 spare
nodes. The recorded market are V100s of 2023 (SkyPilot's spot traces, https://github.com/skypilot-org/spot-traces;
today's GPUs are scarcer), read from a folder that {FOLDER} names; the generated one is made from a seed. The goals are
about the first market; where zones are short of nodes, or there is one, no policy that uses spot has 99.5 % of the
capacity without a notice."""


@dataclass(frozen=True, slots=True)
class _Market:
    name: str
    trace: Trace
    promised: bool = False
    """Whether the goals are about it."""


def measure(folder: Path) -> Section:  # noqa: ARG001 - the signature of every section
    """Replays every policy on every market that is there."""
    prices = json.loads(PRICES.read_text(encoding="utf-8"))
    yardstick = float(prices[0]["ratio"])
    markets = list(_markets())
    figures: list[Figure] = []
    tables: list[Table] = []
    for market in markets:
        runs = {name: replay(market.trace, policy(), WANTED) for name, policy in policies(market.trace)}
        best = optimum(market.trace, WANTED, yardstick)
        tables.append(_table(market, runs, best, yardstick))
        if market is markets[0]:
            figures += _figures(market, runs["bandari"], best, yardstick)
            tables.append(_bars(market, runs))
            tables.append(_priced(market, runs, prices))
    figures.append(Figure("CPU of one decision for 16 nodes", "ms", Spread.of(decision_times(markets[0].trace)), 5.0))
    return Section("Spot markets", HOW, tuple(figures), tuple(tables))


def traces_folder() -> Path | None:
    """Where recorded traces are; None where there are none."""
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else _NEAR
    return folder if folder.is_dir() else None


def _markets() -> Iterator[_Market]:
    """The first gets the figures and the bars."""
    folder = traces_folder()
    single = sorted(folder.glob("availability__1-node__*.json.gz")) if folder else []
    pools = sorted(folder.glob("availability__16-node__*.json.gz")) if folder else []
    if single:
        yield _Market(f"recorded, {len(single)} zones with room for all", read(single, cap=WANTED), promised=True)
        yield _Market(f"recorded, {len(single)} zones with {CAP} nodes each", read(single, cap=CAP))
    if pools:
        yield _Market("recorded, one zone of 16 nodes", read(pools))
    yield _Market("generated, 3 zones with room for all", generated(3, 10_000, seed=4, cap=WANTED))


def policies(trace: Trace) -> Iterator[tuple[str, Callable[[], Policy]]]:
    """Ways to buy, each made anew for a replay."""
    zones, half = trace.zones, WANTED // 2
    on_demand, spot = MarketType.ON_DEMAND, MarketType.SPOT
    yield "all on-demand", lambda: static(on_demand, WANTED, zones)
    yield "spot only", lambda: static(spot, WANTED, zones)
    yield "half and half", lambda: Beside(static(on_demand, half, zones), static(spot, WANTED - half, zones))
    yield "SpotHedge +0", lambda: SpotHedge(zones, WANTED)
    yield "SpotHedge +2", lambda: SpotHedge(zones, WANTED, 2)
    yield "bandari", lambda: ours(zones)


def ours(zones: Sequence[str]) -> Ours:
    """A PREFER_SPOT group as it ships."""
    return Ours(Rules(MarketType.PREFER_SPOT, WANTED, WANTED + ROOM, tuple(zones)), WANTED)


def _hours(market: _Market) -> float:
    return WANTED * len(market.trace.ticks) * market.trace.gap / 3600.0


def _table(market: _Market, runs: dict[str, Outcome], best: float, price: float) -> Table:
    header = (
        "policy",
        "cost / on-demand",
        "x optimum",
        "capacity",
        "with notice",
        "time at target",
        "starts",
        "losses",
    )
    rows = [("omniscient", number(best / _hours(market)), "1", "100 %", "100 %", "100 %", "", "")]
    for name, run in runs.items():
        cost = run.cost(price)
        shares = (_percent(run.capacity), _percent(run.noticed), _percent(run.at_target))
        rows.append(
            (name, number(cost / _hours(market)), number(cost / best), *shares, f"{run.starts:,}", f"{run.losses:,}")
        )
    return Table(f"{market.name}; spot at {price:g} of on-demand", header, tuple(rows))


def _figures(market: _Market, run: Outcome, best: float, price: float) -> Iterator[Figure]:
    found = (
        ("cost, bandari / optimum", "x", run.cost(price) / best, 1.10),
        ("lacking node-time, bandari", "%", 100 * (1 - run.capacity), 0.5),
        (f"cost, bandari / on-demand, spot at {price:g}", "x", run.cost(price) / _hours(market), 0.40),
        ("cost, bandari / on-demand, spot at 0.5", "x", run.cost(0.5) / _hours(market), 0.60),
    )
    for name, unit, value, goal in found:
        yield Figure(f"{market.name}: {name}", unit, Spread.of([value]), goal if market.promised else None)


def _priced(market: _Market, runs: dict[str, Outcome], prices: Sequence[dict[str, object]]) -> Table:
    header = ("spot price", "ratio", "as of", *runs)
    rows = [
        (
            str(item["what"]),
            str(item["ratio"]),
            str(item["date"]),
            *(number(run.cost(float(str(item["ratio"]))) / _hours(market)) for run in runs.values()),
        )
        for item in prices
    ]
    return Table(f"{market.name}: cost over all on-demand, at prices with a date", header, tuple(rows))


def _bars(market: _Market, runs: dict[str, Outcome]) -> Table:
    """What was paid for, as bars: spot, on-demand, and what is lacking."""
    whole = _hours(market)
    rows = []
    for name, run in runs.items():
        spot, fixed = round(_WIDTH * run.spot_hours / whole), round(_WIDTH * run.on_demand_hours / whole)
        lacking = round(_WIDTH * (1 - run.capacity))
        rows.append((name, f"`{'s' * spot}{'D' * fixed}{'.' * lacking}`"))
    title = f"{market.name}: node-time paid (s spot, D on-demand, . lacking; {_WIDTH} marks are all that is wanted)"
    return Table(title, ("policy", "node-time"), tuple(rows))


def decision_times(trace: Trace, ticks: int = 2000) -> list[float]:
    """CPU milliseconds of a decision, once for each of several stretches of the trace."""
    found = []
    for start in range(0, min(len(trace.ticks), 5 * ticks), ticks):
        stretch = Trace(trace.zones, trace.gap, trace.ticks[start : start + ticks])
        began = time.process_time()
        replay(stretch, ours(trace.zones), WANTED)
        found.append((time.process_time() - began) * 1000 / len(stretch.ticks))
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
