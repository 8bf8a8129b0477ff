"""`bandari plan`: what `up` would do."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_file, file_argument, options_of, target_options
from bandari.cli.output import PENDING, Output, invalid, verb
from bandari.cli.plantext import plan_text
from bandari.diagnostics import Diagnostic
from bandari.planning.saved import SavedPlan


@click.command()
@file_argument()
@target_options
@click.option("--offline", is_flag=True, help="Compare with what was last applied; ask nobody.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes.")
@click.option("-o", "--out", "saved", metavar="PLAN", help="Save the plan, to be applied by `bandari up PLAN`.")
@click.option("-v", "--verbose", is_flag=True, help="Show every field of what is created.")
@verb
def plan(
    out: Output,
    argument: str | None,
    option: str | None,
    target: str | None,
    stand_in: tuple[str, ...],
    skip: tuple[str, ...],
    offline: bool,
    exit_code: bool,
    saved: str | None,
    verbose: bool,
) -> int:
    """Show what `up` would do to make FILE real, with the consequence of each change."""
    path = chosen_file(argument, option)
    planned = pipeline.plan(path, options_of(target, stand_in, skip), offline=offline)
    if saved and _is_something_else(Path(saved)):
        return out.refusal(f"cannot write the plan to {saved!r}: what is there is no saved plan", "name another file")
    out.document(invalid(planned.diagnostics, (c.to_json() for c in planned.plan.pending)))
    out.findings(_advice(planned), planned.checked.sources)
    out.text(plan_text(planned, colour=out.terminal, verbose=verbose))
    if saved:
        write_private(Path(saved), pipeline.save(planned).to_text())
        out.text(f"\nsaved: {saved} (apply it with `bandari up {saved}`)")
    return PENDING if exit_code and planned.plan.pending else 0


def _is_something_else(path: Path) -> bool:
    """Whether writing a plan there would destroy a file that is none."""
    return path.exists() and (not path.is_file() or SavedPlan.parse(path.read_text(errors="replace")) is None)


def _advice(planned: pipeline.Planned) -> list[Diagnostic]:
    """Findings that the plan's own list of what is not served here does not show."""
    listed = {m.diagnostic for m in planned.checked.not_served}
    return [d for d in planned.diagnostics if d not in listed]


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
