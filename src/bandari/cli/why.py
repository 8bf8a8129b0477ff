"""`bandari why`: what is not as it should be or waits for something, and what holds it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster, cluster_option, file_argument
from bandari.cli.output import Output, verb
from bandari.diagnostics import did_you_mean
from bandari.errors import Terminal

SETTLED = {"ready", "idle"}


@click.command()
@click.argument("name", required=False)
@file_argument(short=False)
@cluster_option
@verb
def why(out: Output, name: str | None, option: str | None, cluster: str | None) -> int:
    """Say of NAME, or of every part, what it waits for, what holds it back, and why it has the size it has."""
    chosen = chosen_cluster(cluster, None, option)
    parts = pipeline.status(chosen).get("parts", ())
    if name and not any(name in _names(part) for part in parts):
        near = did_you_mean(name, [known for part in parts for known in _names(part)])
        fix = f"did you mean {near!r}?" if near else f"there are: {', '.join(part['name'] for part in parts) or 'none'}"
        raise Terminal(f"cannot find a part {name!r} in {chosen!r}", fix=fix)
    rows = [row for part in parts if name in (None, *_names(part)) for row in _rows(chosen, part)]
    out.document({"cluster": chosen, "reasons": rows})
    for row in rows:
        out.text(f"{row['part']}: {row['reason']}")
    if not rows:
        out.text("everything runs as it should, and nothing waits")
    return 0


def _names(part: Mapping[str, Any]) -> set[str]:
    return {part["name"], f"{part['kind']}.{part['name']}", part["name"].rpartition("/")[2]}


def _rows(cluster: str, part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    where = f"{part['kind']} {part['name']}"
    for reason in (*_stuck(part), *_demands(cluster, part)):
        yield {"part": where, "kind": part["kind"], "name": part["name"], "reason": reason}


def _stuck(part: Mapping[str, Any]) -> Iterator[str]:
    if part["state"] not in SETTLED or part.get("reason"):
        yield f"is {part['state']}, {part['ready']} of {part['replicas']} ready" + (
            f": {part['reason']}" if part.get("reason") else ""
        )
    for replica in part.get("detail", ()):
        if (
            replica["state"] not in SETTLED
            and replica.get("reason")
            and replica["reason"] not in part.get("reason", "")
        ):
            yield f"{replica['name']} is {replica['state']}: {replica['reason']}"
    if part.get("scaling"):
        yield f"has {part['replicas']}: {part['scaling']}"


def _demands(cluster: str, part: Mapping[str, Any]) -> list[str]:
    """What Ray's scheduler cannot place, of the line of a Ray cluster."""
    if part["kind"] != "ray":
        return []
    from bandari.pipeline.asking import ask_ray
    from bandari.serving.ray.bodies import RayVerb

    return [str(line) for line in ask_ray(cluster, part["name"], RayVerb.WHY).get("lines", ())]
