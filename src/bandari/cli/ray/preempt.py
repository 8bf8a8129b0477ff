"""`bandari ray preempt`: plays the spot market of a Ray cluster on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from bandari.cli.output import Output, verb
from bandari.cli.ray.target import chosen_ray, ray_option
from bandari.pipeline.asking import ask_ray
from bandari.serving.ray.bodies import RayVerb


@click.command()
@click.argument("group")
@click.option("--zone", metavar="ZONE", default="", help="One zone [all zones of the cluster].")
@click.option(
    "--notice", metavar="SECONDS", type=float, help="From the notice to the loss of a node [as the file says, or 120]."
)
@click.option("--restore", is_flag=True, help="Give spot back instead of taking it away.")
@ray_option
@verb
def preempt(out: Output, group: str, zone: str, notice: float | None, *, restore: bool, cluster: str | None) -> int:
    """Take spot capacity away from GROUP: its spot nodes get their notice, and none can be had until --restore."""
    if restore and notice is not None:
        raise click.UsageError("--notice and --restore do not go together: what is restored has no notice")
    if notice is not None and not (math.isfinite(notice) and notice >= 0):
        raise click.BadParameter(f"{notice:g} is not 0 seconds or more", param_hint="--notice")
    name, ray = chosen_ray(cluster)
    place = {"group": group, "zone": zone}
    where = f'group "{group}" of "{ray}"' + (f" in {zone}" if zone else "")
    facts = {"cluster": name, "ray": ray, "group": group, "zone": zone, "restored": restore}
    if restore:
        ask_ray(name, ray, RayVerb.RESTORE, place)
        out.document({**facts, "nodes": []})
        out.text(f"spot can be had again for {where}")
        return 0
    answer = ask_ray(name, ray, RayVerb.PREEMPT, place | ({} if notice is None else {"notice": notice}))
    rows = _leaving(ask_ray(name, ray, RayVerb.NODES).get("nodes", ()), answer.get("nodes", ()))
    out.document({**facts, "nodes": rows})
    out.text(f"no spot can be had for {where} until --restore")
    _show(out, rows)
    return 0


def _leaving(nodes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The nodes that were named, with where they are and when they go; 0: gone already."""
    known = {node["name"]: node for node in nodes}
    return [
        {
            "name": name,
            "zone": known.get(name, {}).get("zone", ""),
            "leaves_at": known.get(name, {}).get("leaves_at", 0.0),
        }
        for name in names
    ]


def _show(out: Output, rows: Sequence[Mapping[str, Any]]) -> None:
    now = time.time()
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        left = max(0.0, row["leaves_at"] - now)
        out.text(f"  {row['name']:{width}}  {row['zone']}  " + (f"goes in {left:.0f} s" if left else "goes now"))
    if not rows:
        out.text("  no spot node of it runs there")
