"""`bandari schema`: the JSON Schema of the cluster file, for editors."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "_as_json", is_flag=True, help="The schema is JSON in any case.")
def schema(_as_json: bool) -> int:
    """Print the JSON Schema of the cluster file; editors complete and check with it."""
    from bandari.specs.schema import schema as build

    click.echo(json.dumps(build(), indent=2, ensure_ascii=False))
    return 0
