"""`bandari top`: what every process of a cluster uses now, as a table that renews itself on a terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster, cluster_option, file_argument
from bandari.cli.output import Output, verb
from bandari.units import Memory

if TYPE_CHECKING:
    from rich.table import Table

EVERY = 1.0
BAR = 12
COLOURS = {"ready": "green", "starting": "yellow", "backoff": "red", "unready": "red", "draining": "cyan"}


@click.command()
@file_argument()
@cluster_option
@click.option("--once", is_flag=True, help="Print one table and leave; the default where the output is no terminal.")
@verb
def top(out: Output, argument: str | None, option: str | None, cluster: str | None, once: bool) -> int:
    """Show CPU, memory and GPU of every replica and Ray node. Ctrl-C leaves."""
    name = chosen_cluster(cluster, argument, option)
    rows = usage(name)
    if out.terminal and not once:
        _live(name)
        return 0
    out.document({"cluster": name, "rows": rows})
    if not out.as_json:
        from rich.console import Console

        Console(width=None if out.terminal else 140).print(_table(name, rows))
    return 0


def usage(cluster: str) -> list[dict[str, Any]]:
    """One row for each process that serves: `cpu` in cores, `memory` in bytes, `gpu` 0 to 1 or None."""
    parts = pipeline.status(cluster).get("parts", ())
    nodes = {node["name"]: node for part in parts if part["kind"] == "ray" for node in _nodes(cluster, part["name"])}
    return [_row(part, replica, nodes.get(replica["name"], {})) for part in parts for replica in part.get("detail", ())]


def _nodes(cluster: str, ray: str) -> list[Mapping[str, Any]]:
    from bandari.pipeline.asking import ask_ray
    from bandari.serving.ray.bodies import RayVerb

    return list(ask_ray(cluster, ray, RayVerb.NODES).get("nodes", ()))


def _row(part: Mapping[str, Any], replica: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "part": f"{part['kind']} {part['name']}",
        "name": replica["name"],
        "state": replica["state"],
        "cpu": float(replica.get("cpu", 0.0)),
        "memory": int(replica.get("memory", 0)),
        "gpu": node.get("gpu"),
        "machine": str(node.get("machine", "")),
        "market": str(node.get("market", "on-demand")) if node else "",
        "zone": str(node.get("zone", "")),
    }


def _table(cluster: str, rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(
        box=None, pad_edge=False, header_style="bold", title=f"{cluster}: {_total(rows)}", title_justify="left"
    )
    for heading in ("PART", "NAME", "STATE", "STANDS FOR", "CPU", "", "MEMORY", "GPU"):
        table.add_column(heading, justify="right" if heading in ("CPU", "MEMORY", "GPU") else "left", no_wrap=True)
    most = max((row["cpu"] for row in rows), default=0.0)
    for row in rows:
        table.add_row(*_cells(row, most))
    return table


def _cells(row: Mapping[str, Any], most: float) -> tuple[str, ...]:
    stands = " ".join(word for word in (row["machine"], row["market"], row["zone"]) if word)
    colour = COLOURS.get(row["state"], "white")
    filled = round(BAR * row["cpu"] / max(most, 1.0))
    return (
        row["part"],
        row["name"],
        f"[{colour}]{row['state']}[/]",
        stands,
        f"{row['cpu']:.2f}",
        f"[green]{'█' * filled}[/][dim]{'·' * (BAR - filled)}[/]",
        Memory(row["memory"]).human(),
        "-" if row["gpu"] is None else f"{row['gpu']:.0%}",
    )


def _total(rows: list[dict[str, Any]]) -> str:
    cpu, memory = sum(row["cpu"] for row in rows), sum(row["memory"] for row in rows)
    return f"{len(rows)} processes, {cpu:.2f} cores, {Memory(memory).human()}"


def _live(cluster: str) -> None:
    from rich.live import Live

    with contextlib.suppress(KeyboardInterrupt), Live(_table(cluster, usage(cluster)), refresh_per_second=4) as picture:
        while True:
            time.sleep(EVERY)
            picture.update(_table(cluster, usage(cluster)))
