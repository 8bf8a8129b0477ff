"""`bandari ray jobs`: the jobs of a Ray cluster."""

from __future__ import annotations

import click

from bandari.cli.output import Output, verb
from bandari.cli.ray.target import chosen_ray, ray_option
from bandari.cli.ray.told import job_lines, job_row
from bandari.pipeline import jobs as pipeline_jobs


@click.command()
@ray_option
@verb
def jobs(out: Output, cluster: str | None) -> int:
    """List the jobs of a Ray cluster, also those that others submitted."""
    where, ray = chosen_ray(cluster)
    rows = pipeline_jobs.jobs_of(where, ray).rows()
    out.document({"cluster": where, "ray": ray, "jobs": [job_row(row) for row in rows]})
    for line in job_lines(rows) if rows else (f"no jobs on {ray}",):
        out.text(line if out.terminal else click.unstyle(line))
    return 0
