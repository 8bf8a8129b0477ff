"""`bandari render`: the resources that a file compiles to, as text, without a secret's value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import yaml

from bandari import pipeline
from bandari.cli.arguments import chosen_file, file_argument, options_of, target_options
from bandari.cli.output import Output, verb
from bandari.planning.diff import redact
from bandari.planning.graph import Resource


@click.command()
@file_argument()
@target_options
@click.option("-o", "--out", "folder", metavar="FOLDER", help="Write one file a resource there instead.")
@verb
def render(
    out: Output,
    argument: str | None,
    option: str | None,
    target: str | None,
    stand_in: tuple[str, ...],
    skip: tuple[str, ...],
    folder: str | None,
) -> int:
    """Print the resources that FILE compiles to, in the order in which they are applied. Opens no connection."""
    graph = pipeline.rendered(chosen_file(argument, option), options_of(target, stand_in, skip))
    documents = [_document(resource) for resource in graph.in_order()]
    out.document({"resources": documents})
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for document in documents:
            path = Path(folder) / f"{str(document['address']).replace('/', '.')}.yaml"
            path.write_text(yaml.safe_dump(document, sort_keys=False))
            out.text(str(path))
    elif documents:
        out.text(yaml.safe_dump_all(documents, sort_keys=False).rstrip())
    return 0


def _document(resource: Resource) -> dict[str, Any]:
    return {
        "address": str(resource.address),
        "after": sorted(map(str, resource.after)),
        "origin": str(resource.origin),
        "body": redact(resource.body, resource.secret),
    }
