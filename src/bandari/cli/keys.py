"""`bandari keys`: the API keys that open the public groups of a cluster."""

from __future__ import annotations

import time

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster, cluster_option
from bandari.cli.output import FAILED, Output, verb


@click.group()
def keys() -> None:
    """List, create and revoke the API keys that public model groups ask for."""


@keys.command("list")
@cluster_option
@verb
def list_keys(out: Output, cluster: str | None) -> int:
    """List the keys by name; the keys themselves are stored as hashes only."""
    from bandari.serving.keys import records

    found = records(pipeline.existing(chosen_cluster(cluster, None, None), kept=True).folder)
    out.document({"keys": [{"id": r.id, "name": r.name, "created": r.created} for r in found]})
    for record in found:
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created))
        out.text(f"{record.id}  {made}  {record.name}")
    if not found:
        out.text("no keys yet: `bandari keys create NAME` makes one")
    return 0


@keys.command("create")
@click.argument("name")
@cluster_option
@verb
def create_key(out: Output, name: str, cluster: str | None) -> int:
    """Create a key named NAME and print it: this once, it cannot be shown again."""
    from bandari.serving.keys import create

    driver = pipeline.existing(chosen_cluster(cluster, None, None))
    record, key = create(driver.folder, name, time.time())
    driver.refresh_keys()
    out.document({"id": record.id, "name": record.name, "key": key})
    out.text(key)
    if out.terminal:
        click.echo("kept as a hash only: copy it now, it is not shown again", err=True)
    return 0


@keys.command("revoke")
@click.argument("key")
@cluster_option
@verb
def revoke_key(out: Output, key: str, cluster: str | None) -> int:
    """Revoke KEY, given by its id or name: the gateway refuses it from its next request."""
    from bandari.serving.keys import records, revoke

    driver = pipeline.existing(chosen_cluster(cluster, None, None))
    record = revoke(driver.folder, key)
    if record is None:
        known = ", ".join(r.name for r in records(driver.folder)) or "none"
        out.document({"error": {"message": f"cannot revoke {key!r}: no such key"}})
        out.complaint(f"cannot revoke {key!r}: no such key", f"there are: {known}")
        return FAILED
    driver.refresh_keys()
    out.document({"id": record.id, "name": record.name, "revoked": True})
    out.text(f"revoked: {record.name}")
    return 0
