"""Asks a head what is pending, and says what holds it back."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bandari.desired.ray import HEAD
from bandari.serving.lifecycle import State
from bandari.serving.protocol import plain
from bandari.serving.ray import limits
from bandari.serving.ray.autoscaling import node_labels, schedulable
from bandari.serving.ray.bodies import RayClusterBody, RayNodeBody
from bandari.serving.ray.why import Candidate, Demand, lines
from bandari.serving.supervisor import environment
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray.engine import RayEngine
from bandari.serving.supervisor.ray.head import PROVIDER_FOLDER

_PATIENCE = 60.0


async def why(engine: RayEngine) -> Mapping[str, Any]:
    """`lines` for the user, and the `demands` as data; Refused when the head does not answer."""
    body = engine.body
    if body is None or not engine.dashboard:
        return {"lines": [f'Ray cluster "{engine.name}": its head is not ready'], "demands": []}
    demands = await _pending(engine)
    told = lines(
        demands, tuple(_candidates(engine, body)), nodes=engine.workers.counted(body), maximum=body.max_resources
    )
    return {"lines": list(told) or ["nothing is pending"], "demands": [plain(demand) for demand in demands]}


async def _pending(engine: RayEngine) -> tuple[Demand, ...]:
    process = await asyncio.create_subprocess_exec(
        f"{engine.bin}/python",
        str(PROVIDER_FOLDER / "bandari_pending.py"),
        engine.gcs,
        env=environment.inherited(os.environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            output, errors = await process.communicate()
    except (TimeoutError, asyncio.CancelledError) as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        raise Refused(
            f'cannot ask Ray cluster "{engine.name}" what is pending: no answer within {_PATIENCE:g} s'
        ) from None
    try:
        return msgspec.json.decode(output.strip().splitlines()[-1], type=tuple[Demand, ...])
    except (msgspec.MsgspecError, IndexError):
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise Refused(f'cannot ask Ray cluster "{engine.name}" what is pending: {" ".join(last)}') from None


def _candidates(engine: RayEngine, body: RayClusterBody) -> Iterator[Candidate]:
    if schedulable(body.head):
        yield Candidate(HEAD, _to_ray(body.head), body.head.labels, nodes=1, max=1, fixed=True)
    for name, group in sorted(engine.workers.groups.items()):
        nodes = engine.workers.of(name)
        market = {"ON_DEMAND": "on-demand", "SPOT": "spot"}.get(group.market, "")
        yield Candidate(
            group=name,
            resources=_to_ray(group.node),
            labels={**group.node.labels, **node_labels(name, market=market, region=body.region, zone="")},
            counted=limits.counted(group.node),
            nodes=len(nodes),
            starting=sum(node.state in {State.PENDING, State.STARTING} for node in nodes),
            max=group.max,
            fixed=not body.autoscaled or group.min == group.max,
            held=engine.workers.trouble(name) or engine.workers.held(group),
        )


def _to_ray(node: RayNodeBody) -> Mapping[str, float]:
    return {**node.resources, "memory": node.memory, "object_store_memory": node.object_store_memory}
