"""`bandari ray`: the commands of a Ray cluster, each in a file of its own."""

from __future__ import annotations

import click

from bandari.cli.app import LazyGroup, Verb

VERBS = {
    "submit": Verb("ray.submit:submit", "Run a command as a job, follow its log, exit as it does."),
    "jobs": Verb("ray.jobs:jobs", "List the jobs."),
    "logs": Verb("ray.logs:logs", "Print the log of a job."),
    "stop-job": Verb("ray.stop_job:stop_job", "Stop a job."),
    "status": Verb("ray.status:status", "Show the nodes, what they stand for, and what waits."),
    "dashboard": Verb("ray.dashboard:dashboard", "Print the address of Ray's dashboard."),
    "exec": Verb("ray.exec:execute", "Run a command here with the cluster's environment and address."),
    "preempt": Verb("ray.preempt:preempt", "Take spot capacity away from a group, or give it back."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def ray() -> None:
    """Jobs, nodes and the spot market of a Ray cluster."""
