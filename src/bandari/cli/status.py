"""`bandari status`: what runs, and why a part does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster, cluster_option, file_argument
from bandari.cli.output import FAILED, Output, verb
from bandari.units import Memory

COLOURS = {
    "ready": "green",
    "starting": "yellow",
    "backoff": "red",
    "failed": "red",
    "reverted": "red",
    "unready": "red",
}
FIELDS = ("kind", "name", "state", "ready", "replicas", "reason")
EXTRA = ("in_flight", "queued", "scaling", "model", "engine", "stand_in", "note")


@click.command()
@file_argument()
@cluster_option
@verb
def status(out: Output, argument: str | None, option: str | None, cluster: str | None) -> int:
    """Show what runs, and why a part does not. Exits with 1 while something is not ready."""
    name = chosen_cluster(cluster, argument, option)
    seen = pipeline.status(name)
    parts = [_part(part) for part in seen.get("parts", ())]
    out.document({"cluster": name, "ready": bool(seen.get("ready")), "parts": parts})
    for line in status_lines(name, seen):
        out.text(line if out.terminal else click.unstyle(line))
    return 0 if seen.get("ready") else FAILED


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: part.get(key, "") for key in FIELDS}
    row |= {key: part[key] for key in EXTRA if part.get(key)}
    return row | {"detail": part["detail"]} if part.get("detail") else row


def status_lines(cluster: str, seen: Mapping[str, Any]) -> Iterator[str]:
    """A line for each part, and one for each of its replicas."""
    word = "ready" if seen.get("ready") else "not ready"
    colour = "green" if seen.get("ready") else "yellow"
    yield f"cluster {click.style(cluster, bold=True)}: {click.style(word, fg=colour)}"
    parts = seen.get("parts", ())
    kinds = max((len(part["kind"]) for part in parts), default=0)
    names = max((len(part["name"]) for part in parts), default=0)
    for part in parts:
        yield from _part_lines(part, f"{part['kind']:{kinds}} {part['name']:{names}}")


def _part_lines(part: Mapping[str, Any], title: str) -> Iterator[str]:
    state = click.style(f"{part['state']:9}", fg=COLOURS.get(part["state"], "white"))
    traffic = (
        f"  {part.get('in_flight', 0)} in flight, {part.get('queued', 0)} queued" if part["kind"] == "group" else ""
    )
    yield f"  {title}  {state} {part['ready']}/{part['replicas']}{traffic}"
    if part.get("model"):
        yield f"      model: {part['model']} on {part.get('engine') or 'its command'}"
    if part.get("stand_in"):
        yield f"      {click.style('stand-in', fg='yellow')}: {part['stand_in']} answers under this name"
    if part.get("reason"):
        yield f"      reason: {part['reason']}"
    if part.get("note"):
        yield f"      {part['note']}"
    if part.get("scaling"):
        yield f"      scaling: {part['scaling']}"
    for replica in part.get("detail", ()):
        yield _replica_line(replica)


def _replica_line(replica: Mapping[str, Any]) -> str:
    count = replica.get("restarts", 0)
    restarts = f", {count} restart{'s' if count > 1 else ''}" if count else ""
    where = ""
    if replica.get("pid"):
        port = f", port {replica['port']}" if replica.get("port") else ""
        used = f"{replica.get('cpu', 0):.2f} cores, {Memory(int(replica.get('memory', 0))).human()}"
        where = f"  pid {replica['pid']}{port}, {used}"
    reason = f": {replica['reason']}" if replica.get("reason") and replica["state"] != "ready" else ""
    return f"      {replica['name']}  {replica['state']}{where}{restarts}{click.style(reason, dim=True)}"
