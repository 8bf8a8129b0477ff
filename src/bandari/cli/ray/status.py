"""`bandari ray status`: the nodes of a Ray cluster, what they stand for and use, and the jobs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from bandari.cli.output import FAILED, Output, verb
from bandari.cli.ray.target import chosen_ray, ray_option
from bandari.cli.ray.told import job_row, recent_job_lines
from bandari.cli.status import COLOURS
from bandari.pipeline import jobs
from bandari.units import Memory

_HEADINGS = ("NODE", "GROUP", "STATE", "STANDS FOR", "MARKET", "ZONE", "CPU", "MEMORY", "GPU", "ADDRESS")
_STATE = 2


@click.command()
@ray_option
@verb
def status(out: Output, cluster: str | None) -> int:
    """Show the nodes with the machines that they stand for, and the jobs. Exits with 1 while the head is not ready."""
    where, ray = chosen_ray(cluster)
    at = jobs.jobs_of(where, ray)
    nodes, rows = at.nodes(), at.rows()
    head = next((node for node in nodes if node.get("group") == "head"), {})
    ready = head.get("state") == "ready"
    known = {"cluster": where, "ray": ray, "ready": ready, "nodes": list(nodes)}
    out.document({**known, "jobs": [job_row(row) for row in rows]})
    word = click.style("ready" if ready else "not ready", fg="green" if ready else "yellow")
    lines = [f"Ray cluster {click.style(ray, bold=True)}: {word}", *node_lines(nodes), ""]
    lines += recent_job_lines(rows) if rows else ["no jobs"]
    for line in lines:
        out.text(line if out.terminal else click.unstyle(line))
    return 0 if ready else FAILED


def node_lines(nodes: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """A table, with the reason below a node that is not as it should be."""
    cells = [_HEADINGS, *map(_cells, nodes)]
    widths = [max(len(cell[n]) for cell in cells) for n in range(len(_HEADINGS))]
    for n, cell in enumerate(cells):
        padded = [f"{text:{width}}" for text, width in zip(cell, widths, strict=True)]
        if n:
            padded[_STATE] = click.style(padded[_STATE], fg=COLOURS.get(cell[_STATE], "white"))
        yield "  ".join(padded).rstrip()
        for words in _more(nodes[n - 1]) if n else ():
            yield f"    {words}"


def _cells(node: Mapping[str, Any]) -> tuple[str, ...]:
    machine, physical = node.get("machine", ""), node.get("physical", "")
    shape = f"{machine} ({physical})" if machine and physical else machine or physical or "this machine"
    gpu = node.get("gpu")
    return (
        node["name"],
        node["group"],
        node["state"],
        shape,
        node.get("market", "on-demand"),
        node.get("zone", ""),
        f"{node.get('cpu', 0.0):.2f}",
        Memory(int(node.get("memory", 0))).human(),
        "" if gpu is None else f"{gpu:.0%}",
        node.get("address", ""),
    )


def _more(node: Mapping[str, Any]) -> Iterable[str]:
    if node.get("leaves_at"):
        yield f"spot is taken away: goes in {max(0.0, node['leaves_at'] - time.time()):.0f} s"
    if node.get("reason") and node["state"] != "ready":
        yield str(node["reason"])
