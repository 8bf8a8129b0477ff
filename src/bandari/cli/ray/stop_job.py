"""`bandari ray stop-job`: ends a job."""

from __future__ import annotations

import click

from bandari.cli.output import Output, verb
from bandari.cli.ray.target import chosen_any, ray_option
from bandari.pipeline import jobs


@click.command("stop-job")
@click.argument("job")
@ray_option
@verb
def stop_job(out: Output, job: str, cluster: str | None) -> int:
    """Stop JOB: no further attempt is made."""
    where, ray = chosen_any(cluster)
    ray, row = jobs.found_job(where, job, ray)
    over = bool(row.get("ended"))
    if not over:
        jobs.jobs_of(where, ray).stop(row["name"])
    out.document({"cluster": where, "ray": ray, "job": row["name"], "state": row["state"], "stopping": not over})
    out.text(f"{row['name']} was over already: {row['state']}" if over else f"{row['name']} is being stopped")
    return 0
