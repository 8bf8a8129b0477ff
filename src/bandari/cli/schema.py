"""`bandari schema`: the JSON Schemas of the languages that are read, for editors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click


def _cluster() -> dict[str, Any]:
    from bandari.specs.schema import schema as build

    return build()


def _compute_config() -> dict[str, Any]:
    from bandari.specs.ray.schema import schema as build

    return build()


LANGUAGES: Mapping[str, Callable[[], dict[str, Any]]] = {"cluster": _cluster, "compute-config": _compute_config}


@click.command()
@click.argument("language", type=click.Choice(tuple(LANGUAGES)), default="cluster")
@click.option("--json", "_as_json", is_flag=True, help="The schema is JSON in any case.")
def schema(language: str, _as_json: bool) -> int:
    """Print the JSON Schema of the cluster file, or of a Ray compute config; editors complete and check with it."""
    click.echo(json.dumps(LANGUAGES[language](), indent=2, ensure_ascii=False))
    return 0
