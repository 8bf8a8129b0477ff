"""What is said of jobs: their log as it comes, what became of them, and tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from bandari.cli.output import Output
from bandari.desired.secrets import mask, mask_command
from bandari.pipeline import jobs

COLOURS = {"SUCCEEDED": "green", "RUNNING": "cyan", "PENDING": "yellow", "FAILED": "red", "LOST": "red"}
_WIDEST = 60
_RECENT = 5
"""Jobs that are over and still shown beside the nodes."""


def follow_job(out: Output, cluster: str, ray: str, name: str) -> Mapping[str, Any]:
    """The log on stdout, what is ours on stderr."""

    def again(words: str) -> None:
        click.echo(f"{name}: {words}", err=True)

    return jobs.follow(cluster, ray, name, lambda line: out.line({"job": name, "line": line}, line), again)


def ended(out: Output, row: Mapping[str, Any]) -> int:
    """Says what became of a job, also to programs; the exit code for it."""
    code = said(row)
    if out.as_json:
        out.line({"job": job_row(row)}, "")
    return code


def said(row: Mapping[str, Any]) -> int:
    """Says on stderr what became of a job; the exit code for it."""
    code = jobs.exit_code(row)
    tries = row.get("attempts", 0)
    words = f"{row.get('name', 'the job')} {'succeeded' if code == 0 else _end(row)}"
    words += f" after {tries} attempts" if tries > 1 else ""
    click.echo(words + (f": {why}" if code and (why := _why(row)) else ""), err=True)
    return code


def _end(row: Mapping[str, Any]) -> str:
    return {"STOPPED": "was stopped", "LOST": "was lost"}.get(row["state"], "failed")


def _why(row: Mapping[str, Any]) -> str:
    """What is known beyond the state."""
    message = mask(row.get("message", ""))
    return "" if message.upper() == row["state"] else message


def job_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A job for programs; a command may hold a credential."""
    return {**row, "entrypoint": mask_command(row.get("entrypoint", "")), "message": mask(row.get("message", ""))}


def job_lines(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """A table for people, the newest last."""
    cells = [("JOB", "STATE", "TRIES", "TOOK", "COMMAND"), *map(_cells, rows)]
    widths = [max(len(cell[n]) for cell in cells) for n in range(4)]
    for n, cell in enumerate(cells):
        state = f"{cell[1]:{widths[1]}}"
        colour = COLOURS.get(cell[1])
        shown = click.style(state, fg=colour) if n and colour else state
        yield f"{cell[0]:{widths[0]}}  {shown}  {cell[2]:{widths[2]}}  {cell[3]:{widths[3]}}  {cell[4]}"
        if n and cell[1] not in ("SUCCEEDED", "RUNNING") and (why := _why(rows[n - 1])):
            yield f"    {why}"


def recent_job_lines(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """The table of all jobs that are not over, and of the newest ones that are; how many it leaves out."""
    over = [n for n, row in enumerate(rows) if row.get("ended")]
    left_out = set(over[:-_RECENT])
    yield from job_lines([row for n, row in enumerate(rows) if n not in left_out])
    if left_out:
        yield f"and {len(left_out)} older; `bandari ray jobs` lists them all"


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    end = row.get("ended") or time.time()
    took = f"{max(0.0, end - row['started']):.0f} s" if row.get("started") else ""
    tries = f"{row.get('attempts', 0)}/{row.get('max_retries', 1) + 1}"
    words = " ".join(mask_command(row.get("entrypoint", "")).split())
    return row["name"], row["state"], tries, took, words if len(words) <= _WIDEST else f"{words[:_WIDEST]}..."
