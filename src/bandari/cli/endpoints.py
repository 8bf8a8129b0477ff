"""`bandari endpoints`: where each model group and each application of a service answers."""

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
    """List the addresses of the model groups and services of a cluster."""
    rows = endpoint_rows(chosen_cluster(cluster, argument, option))
    out.document({"endpoints": rows})
    for line in endpoint_lines(rows):
        out.text(line)
    return 0


def endpoint_rows(cluster: str) -> list[dict[str, Any]]:
    """One row for each group or application, and listener, in the shape of `endpoints --json`."""
    observed = pipeline.existing(cluster).recorded()
    gateway = observed.get(Address("local", "gateway", "gateway"))
    if gateway is None:
        return []
    routes = sorted((a.name, item.body) for a, item in observed.items() if a.kind == "route")
    services = sorted((a.name, item.body) for a, item in observed.items() if a.kind == "rayservice")
    listeners = {public: _listener(gateway.body, gateway.outputs, public=public) for public in (False, True)}
    rows = [row for group, body in routes for row in _rows(group, body, listeners)]
    return rows + [row for service, body in services for row in _service_rows(service, body, listeners)]


def _listener(gateway: Mapping[str, Any], outputs: Mapping[str, Any], *, public: bool) -> str:
    """Where a listener is asked; empty when there is none."""
    if not public:
        return f"http://127.0.0.1:{outputs['port']}"
    if not outputs.get("public_port"):
        return ""
    scheme = "https" if gateway.get("tls_certificate") else "http"
    address = gateway.get("public_address", "0.0.0.0")
    host = socket.gethostname() if address in EVERY_ADDRESS else address
    return f"{scheme}://{host}:{outputs['public_port']}"


def _open(body: Mapping[str, Any], listeners: Mapping[bool, str]) -> Iterator[tuple[bool, str]]:
    """The listeners at which something can be asked for."""
    yield False, listeners[False]
    if body.get("public") and listeners[True]:
        yield True, listeners[True]


def _rows(group: str, route: Mapping[str, Any], listeners: Mapping[bool, str]) -> Iterator[dict[str, Any]]:
    for public, base in _open(route, listeners):
        yield {"group": group, "model": group, "url": f"{base}/v1", "public": public}


def _service_rows(service: str, body: Mapping[str, Any], listeners: Mapping[bool, str]) -> Iterator[dict[str, Any]]:
    for application in body["applications"]:
        route = application["route_prefix"]
        named = {"service": service, "application": application["name"], "route": route}
        for public, base in _open(body, listeners):
            yield {**named, "url": f"{base}{route}", "public": public}


def endpoint_lines(rows: list[dict[str, Any]]) -> list[str]:
    """For people: model or application, address, who may ask."""
    width = max((len(_name(row)) for row in rows), default=0)
    return [f"{_name(row):{width}}  {row['url']}  {_access(row)}" for row in rows]


def _name(row: Mapping[str, Any]) -> str:
    return str(row["model"] if "model" in row else f"{row['service']}/{row['application']}")


def _access(row: Mapping[str, Any]) -> str:
    return "public, API key needed (bandari keys create NAME)" if row["public"] else "this machine only, no key"
