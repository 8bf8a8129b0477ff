"""A plan for people: what is created, changed and removed, what that does to them, and what is not served here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bandari.desired.secrets import mask_command
from bandari.pipeline import Planned
from bandari.pipeline.jobs import jobs_in
from bandari.planning.diff import ABSENT, FieldDiff
from bandari.planning.plan import Action, Change
from bandari.units import Memory

if TYPE_CHECKING:
    from bandari.analysis.ray_shapes import ResolvedRay

COLOURS = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DELETE: "red", Action.NO_OP: "white"}
LONGEST = 100
SIZES = frozenset({"memory", "object_store_memory"})
"""Fields that hold bytes."""


def plan_text(planned: Planned, *, colour: bool, verbose: bool = False) -> str:
    """The whole plan; the last line counts."""
    text = "\n".join(_lines(planned, verbose=verbose))
    return text if colour else click.unstyle(text)


def _lines(planned: Planned, *, verbose: bool) -> Iterator[str]:
    pending = planned.plan.pending
    yield f"Plan for cluster {click.style(planned.cluster, bold=True)} on this machine"
    if planned.note:
        yield click.style(f"  note: {planned.note}", fg="yellow")
    if pending:
        yield ""
    width = max((len(str(change.address)) for change in pending), default=0)
    for change in pending:
        yield from _change(change, width, verbose=verbose)
    for resolved in planned.checked.resolved.ray.values() if planned.checked.resolved else ():
        yield ""
        yield from _ray_lines(resolved)
    if planned.checked.not_served:
        yield from _not_served(planned)
    yield from _jobs(planned)
    yield ""
    yield summary(planned)


def _jobs(planned: Planned) -> Iterator[str]:
    """What `up` does when everything is ready."""
    bodies = jobs_in(planned.checked)
    if bodies:
        yield ""
    for body in bodies:
        tries = "once" if body.max_retries == 0 else f"at most {body.max_retries + 1} times"
        limit = f", {body.timeout:g} s each" if body.timeout else ""
        yield f"  then runs job {body.name} {tries}{limit}: {mask_command(body.entrypoint)}"
    if bodies:
        yield "  and takes the cluster down, whatever became of the job (up --keep leaves it)"


def _ray_lines(resolved: ResolvedRay) -> Iterator[str]:
    from bandari.cli.raytext import ray_lines

    return ray_lines(resolved)


def _change(change: Change, width: int, *, verbose: bool) -> Iterator[str]:
    sign = click.style(change.action.symbol, fg=COLOURS[change.action], bold=True)
    where = click.style(f"  {change.origin.file}:{change.origin.line}", dim=True) if change.origin.line else ""
    yield f"  {sign} {change.address!s:{width}}  {change.consequence}{where}".rstrip()
    if change.action is Action.UPDATE or verbose:
        yield from (f"      {line}" for field in change.fields for line in _field(field))


def _field(field: FieldDiff) -> Iterator[str]:
    if field.before is ABSENT:
        yield f"{field.name}: {_value(field, field.after)}"
    elif field.after is ABSENT:
        yield f"{field.name}: {_value(field, field.before)} -> (removed)"
    else:
        yield f"{field.name}: {_value(field, field.before)} -> {_value(field, field.after)}"


def _value(field: FieldDiff, value: Any) -> str:
    if str(field.path[-1]) in SIZES and isinstance(value, int):
        return Memory(value).human()
    text = mask_command(value if isinstance(value, str) else json.dumps(value, default=str))
    text = text or '""'
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _not_served(planned: Planned) -> Iterator[str]:
    yield ""
    yield (
        click.style("Not served here", fg="yellow", bold=True) + " (check and plan go on; up refuses what is marked !):"
    )
    for missing in planned.checked.not_served:
        found = missing.diagnostic
        mark = "!" if missing.blocking else "-"
        yield f"  {click.style(mark, fg='yellow')} {found.span}  {found.message}"
        if found.help:
            yield f"      fix: {found.help}"


def summary(planned: Planned) -> str:
    """`3 to create, 1 to change, 0 to remove`, or that there is nothing to do."""
    count = planned.plan.count
    if not planned.plan.pending:
        return "No changes: what runs is what the file says."
    parts = ((Action.CREATE, "to create"), (Action.UPDATE, "to change"), (Action.DELETE, "to remove"))
    return ", ".join(f"{count(action)} {words}" for action, words in parts) + "."
