"""`bandari up` of a file with a job: the cluster comes up, the job runs, the cluster goes, whatever happens."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

import click

from bandari.cli.output import FAILED, INTERRUPTED, Output
from bandari.cli.ray.told import job_row, said
from bandari.errors import DriverError
from bandari.pipeline import jobs
from bandari.serving.ray.bodies import RayJobBody


class Collected(Output):
    """Keeps the documents of steps, for one document that stands for all of them."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(as_json=as_json)
        self.kept: dict[str, Any] = {}

    def document(self, value: Mapping[str, Any]) -> None:
        """Printed by `run_file`, with what became of the jobs."""
        self.kept |= value


def run_file(
    out: Output, cluster: str, bodies: tuple[RayJobBody, ...], bring_up: Callable[[Output], int], *, keep: bool
) -> int:
    """Brings the cluster up, runs its jobs one after the other until one fails, takes the cluster down unless it is to
    be kept; the exit code of the last job.
    """
    steps = Collected(as_json=out.as_json)
    rows: list[Mapping[str, Any]] = []
    code = FAILED
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was brought up is taken down
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, signal.default_int_handler)
    try:
        code = bring_up(steps)
        for body in bodies if code == 0 else ():
            rows.append(_run(out, cluster, body))
            code = said(rows[-1])
            if code:
                break
    except KeyboardInterrupt:
        code = INTERRUPTED
        click.echo("\nstopped", err=True)
    except DriverError as failure:
        out.complaint(str(failure), failure.fix)
        steps.kept["error"] = {"message": str(failure), "address": failure.address, "fix": failure.fix}
    except BaseException:
        if not keep:
            _down(out, cluster)
        raise
    gone = False if keep else _down(out, cluster)
    if keep:
        click.echo(f"{cluster} stays; stop it with `bandari down --cluster {cluster}`", err=True)
    out.document({**steps.kept, "jobs": [job_row(row) for row in rows], "exit_code": code, "down": gone})
    return code if gone or keep else code or FAILED


def _run(out: Output, cluster: str, body: RayJobBody) -> Mapping[str, Any]:
    name = jobs.submit(cluster, body.cluster, body)
    click.echo(f"{name} was submitted to {body.cluster}", err=True)

    def say(line: str) -> None:
        click.echo(line, err=out.as_json)

    def again(words: str) -> None:
        click.echo(f"{name}: {words}", err=True)

    return jobs.follow(cluster, body.cluster, name, say, again)


def _down(out: Output, cluster: str) -> bool:
    """Whether nothing of the cluster is left."""
    click.echo(f"takes {cluster} down", err=True)
    try:
        jobs.take_down(cluster)
    except (DriverError, KeyboardInterrupt) as failure:
        why = str(failure) or "stopped while it was taken down"
        out.complaint(why, f"`bandari down --cluster {cluster}` goes on with it")
        return False
    click.echo(f"{cluster} is gone; its logs stay: `bandari ray logs JOB --cluster {cluster}`", err=True)
    return True
