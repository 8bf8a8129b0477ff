"""`bandari check`: every finding about a file at once, without touching anything."""

from __future__ import annotations

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_file, file_argument, options_of, target_options
from bandari.cli.output import INVALID, Output, invalid, verb


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
        what = f"cluster {state.target.cluster!r} on {state.target.provider.value}, {len(state.servers())} model groups"
        out.text(f"{checked.file}: ok ({what})")
    return 0
