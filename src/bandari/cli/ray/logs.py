"""`bandari ray logs`: what a job wrote."""

from __future__ import annotations

import shlex

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster
from bandari.cli.output import INTERRUPTED, Output, verb
from bandari.cli.ray.target import chosen_any, ray_option
from bandari.cli.ray.told import ended, follow_job
from bandari.errors import Terminal
from bandari.pipeline import jobs


@click.command()
@click.argument("job")
@ray_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over, and exit as it does.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="The last lines only.")
@verb
def logs(out: Output, job: str, cluster: str | None, tail: int | None, *, follow: bool) -> int:
    """Print what JOB wrote, over all of its attempts; also when its head, or its cluster, is gone."""
    if follow and tail is not None:
        raise click.UsageError("--follow and --tail do not go together: what is followed is read from its start")
    from bandari.drivers.ray_jobs import last_lines

    over = None
    if down := _down(cluster):
        lines = jobs.kept_log(down, job)
    else:
        where, ray = chosen_any(cluster)
        ray, row = jobs.found_job(where, job, ray)
        if follow and not row.get("ended"):
            try:
                return ended(out, follow_job(out, where, ray, row["name"]))
            except KeyboardInterrupt:
                click.echo(f"\n{job} goes on; stop it with `bandari ray stop-job {shlex.quote(job)}`", err=True)
                return INTERRUPTED
        over, lines = row, jobs.job_log(where, ray, row)
    for line in last_lines(iter(lines), tail):
        out.line({"job": job, "line": line}, line)
    return ended(out, over) if follow and over else 0


def _down(cluster: str | None) -> str:
    """The cluster, when it is one of which only logs are left; else empty."""
    name = (cluster or "").partition("/")[0]
    if not name:
        try:
            chosen_cluster(None, None, None)
        except Terminal:
            kept = jobs.kept_clusters()
            return kept[0] if len(kept) == 1 and not pipeline.clusters() else ""
        return ""
    return name if name in jobs.kept_clusters() else ""
