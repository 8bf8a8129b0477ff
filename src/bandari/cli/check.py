"""`bandari check`: every finding about a file at once, without touching anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_file, file_argument, options_of, target_options
from bandari.cli.output import INVALID, Output, invalid, verb

if TYPE_CHECKING:
    from bandari.desired.state import DesiredState


@click.command()
@file_argument()
@target_options
@verb
def check(
    out: Output,
    argument: str | None,
    option: str | None,
    target: str | None,
    stand_in: tuple[str, ...],
    skip: tuple[str, ...],
) -> int:
    """Find every mistake in FILE at once, with its place, its reason and its fix. Opens no connection."""
    checked = pipeline.check(chosen_file(argument, option), options_of(target, stand_in, skip))
    found = checked.diagnostics
    out.document(invalid(found))
    out.findings(found, checked.sources)
    if found.errors:
        return INVALID
    if checked.state is not None:
        state = checked.state
        out.text(f"{checked.file}: ok ({summary(state)})")
        for resolved in checked.ray.values():
            from bandari.cli.raytext import ray_lines

            lines = "\n".join(("", *ray_lines(resolved)))
            out.text(lines if out.terminal else click.unstyle(lines))
    return 0


def summary(state: DesiredState) -> str:
    """What the file describes, in one line."""
    provider = state.target.provider
    where = f"on {provider.value}" if provider else "on any target"
    counts = ((len(state.servers()), "model group"), (len(state.ray_clusters()), "Ray cluster"))
    parts = [f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count] or ["no model groups"]
    return f"cluster {state.target.cluster!r} {where}, {', '.join(parts)}"
