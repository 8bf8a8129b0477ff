"""`bandari up`: shows the plan, asks, carries it out, waits until everything is ready."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_file, file_argument, options_of, target_options
from bandari.cli.endpoints import endpoint_lines, endpoint_rows
from bandari.cli.output import FAILED, INVALID, Output, verb
from bandari.cli.plantext import plan_text
from bandari.cli.progress import Progress, progress_for
from bandari.errors import StalePlan
from bandari.pipeline.jobs import jobs_in
from bandari.planning.saved import SavedPlan

LARGEST_PLAN = 16 * 2**20


@click.command()
@file_argument()
@target_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--keep", is_flag=True, help="Of a file with a job: leave its cluster up when the job is over.")
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait until everything is ready.")
@verb
def up(
    out: Output,
    argument: str | None,
    option: str | None,
    target: str | None,
    stand_in: tuple[str, ...],
    skip: tuple[str, ...],
    yes: bool,
    keep: bool,
    timeout: float,
) -> int:
    """Make FILE real, or apply a plan saved by `plan -o`. May be run again at any time: no change means no change."""
    progress = progress_for(out)
    planned = _planned(chosen_file(argument, option), options_of(target, stand_in, skip), progress)
    advice = [d for d in planned.diagnostics if d not in {m.diagnostic for m in planned.checked.not_served}]
    out.findings(advice, planned.checked.sources)
    out.text(plan_text(planned, colour=out.terminal))
    pipeline.refuse(planned)
    if planned.plan.pending and not yes:
        if not _agreed(out, planned):
            return INVALID
        again = _planned(chosen_file(argument, option), options_of(target, stand_in, skip), progress)
        if why := pipeline.save(planned).stale(pipeline.save(again)):
            raise StalePlan(f"cannot go on: {why} while the question stood; nothing was done, run it again")
    if bodies := jobs_in(planned.checked):
        from bandari.cli.job_file import run_file

        return run_file(out, planned.cluster, bodies, lambda o: _carry_out(o, planned, progress, timeout), keep=keep)
    return _carry_out(out, planned, progress, timeout)


def _planned(path: Path, options: pipeline.Options, progress: Progress) -> pipeline.Planned:
    """From a saved plan when the file is one; StalePlan when options come on top of it."""
    document = _saved(path)
    if document is None:
        return pipeline.plan(path, options, progress=progress.fetched)
    if options != pipeline.Options():
        raise StalePlan("cannot add options to a saved plan: --target, --stand-in and --skip belong to `plan -o`")
    return pipeline.replan(document, progress.fetched)


def _saved(path: Path) -> SavedPlan | None:
    """The plan in a file, None when it holds none: a plan is one JSON object, and small."""
    if not path.is_file() or path.stat().st_size > LARGEST_PLAN:
        return None
    return SavedPlan.parse(path.read_text(errors="replace"))


def _agreed(out: Output, planned: pipeline.Planned) -> bool:
    if out.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        changes = (c.to_json() for c in planned.plan.pending)
        out.refusal("cannot ask whether to go on: this is no terminal", "add --yes", planned.diagnostics, changes)
        return False
    if click.confirm("\nGo on?", default=False):
        return True
    out.text("Nothing was done.")
    return False


def _carry_out(out: Output, planned: pipeline.Planned, progress: Progress, timeout: float) -> int:
    with progress:
        result = pipeline.apply(planned, progress, progress.fetched)
        status = pipeline.settle(planned.cluster, timeout, progress.waiting) if result.ok else {}
    rows = endpoint_rows(planned.cluster) if result.ok else []
    ready = bool(status.get("ready"))
    out.document(
        {
            "cluster": planned.cluster,
            "ready": ready,
            "applied": [{"action": c.action.value, "address": str(c.address)} for c in result.done],
            "failed": [
                {"address": str(f.change.address), "message": str(f.error), "fix": f.error.fix} for f in result.failures
            ],
            "left_out": [str(c.address) for c in result.left_out],
            "endpoints": rows,
        }
    )
    if not result.ok:
        _tell_failure(out, result.left_out, len(result.done))
        return FAILED
    return _tell_end(out, planned.cluster, status, rows, timeout)


def _tell_failure(out: Output, left_out: tuple[Any, ...], done: int) -> None:
    out.text()
    out.text(f"{done} changes stand; left out because of the failure: {len(left_out)}.")
    out.text("Mend the cause and run `bandari up` again: it goes on from here.")


def _tell_unready(out: Output, cluster: str, status: Mapping[str, Any], timeout: float) -> None:
    parts = status.get("parts", ())
    if any(part["state"] in pipeline.GIVEN_UP for part in parts):
        out.complaint("a new version was given up; what served before goes on", "mend it and run `bandari up` again")
        return
    hopeless = any(map(pipeline.hopeless, parts))
    how = "not ready, and it falls again and again" if hopeless else f"not ready within {timeout:g} s"
    more = f"`bandari status --cluster {cluster}` and `bandari logs NAME` show more"
    out.complaint(f"{how}; everything stays and goes on trying", more)


def _tell_end(out: Output, cluster: str, status: Mapping[str, Any], rows: list[dict[str, Any]], timeout: float) -> int:
    if not status.get("ready"):
        waiting = [p for p in status.get("parts", ()) if p["ready"] < p["replicas"] or p.get("reason")]
        for part in waiting:
            out.complaint(f"{part['kind']} {part['name']} is {part['state']}: {part.get('reason', '')}")
        _tell_unready(out, cluster, status, timeout)
        return FAILED
    out.text()
    out.text(click.style(f"{cluster} is ready.", fg="green", bold=True) if out.terminal else f"{cluster} is ready.")
    for line in endpoint_lines(rows):
        out.text(f"  {line}")
    for line in ray_lines(cluster, status):
        out.text(line)
    out.text(f"stop it with `bandari down --cluster {cluster}`")
    return 0


def ray_lines(cluster: str, status: Mapping[str, Any]) -> Iterator[str]:
    """What to do next with each Ray cluster that is up."""
    for part in status.get("parts", ()):
        if part["kind"] == "ray":
            where = cluster if part["name"] == cluster else f"{cluster}/{part['name']}"
            yield f"run a job on {part['name']} with `bandari ray submit --cluster {where} -- COMMAND`"
