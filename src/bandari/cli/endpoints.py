"""`bandari endpoints`: where each model group answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster, cluster_option, file_argument
from bandari.cli.output import Output, verb
from bandari.planning.graph import Address

EVERY_ADDRESS = ("0.0.0.0", "::", "")


@click.command()
@file_argument()
@cluster_option
@verb
def endpoints(out: Output, argument: str | None, option: str | None, cluster: str | None) -> int:
    """List the addresses of the model groups of a cluster."""
    rows = endpoint_rows(chosen_cluster(cluster, argument, option))
    out.document({"endpoints": rows})
    for line in endpoint_lines(rows):
        out.text(line)
    return 0


def endpoint_rows(cluster: str) -> list[dict[str, Any]]:
    """One row for each group and listener, in the shape of `endpoints --json`."""
    observed = pipeline.existing(cluster).recorded()
    gateway = observed.get(Address("local", "gateway", "gateway"))
    if gateway is None:
        return []
    routes = sorted((a.name, item.body) for a, item in observed.items() if a.kind == "route")
    return [row for group, body in routes for row in _rows(group, body, gateway.body, gateway.outputs)]


def _rows(
    group: str, route: Mapping[str, Any], gateway: Mapping[str, Any], outputs: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    yield {"group": group, "model": group, "url": f"http://127.0.0.1:{outputs['port']}/v1", "public": False}
    if route.get("public") and outputs.get("public_port"):
        scheme = "https" if gateway.get("tls_certificate") else "http"
        address = gateway.get("public_address", "0.0.0.0")
        host = socket.gethostname() if address in EVERY_ADDRESS else address
        yield {"group": group, "model": group, "url": f"{scheme}://{host}:{outputs['public_port']}/v1", "public": True}


def endpoint_lines(rows: list[dict[str, Any]]) -> list[str]:
    """For people: model, address, who may ask."""
    width = max((len(row["model"]) for row in rows), default=0)
    return [f"{row['model']:{width}}  {row['url']}  {_access(row)}" for row in rows]


def _access(row: Mapping[str, Any]) -> str:
    return "public, API key needed (bandari keys create NAME)" if row["public"] else "this machine only, no key"
