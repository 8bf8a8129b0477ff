"""`bandari ray submit`: runs a command as a job, follows its log, exits as it does."""

from __future__ import annotations

import math
import os
import shlex
from dataclasses import replace
from pathlib import Path

import click

from bandari import pipeline
from bandari.cli.output import INTERRUPTED, Output, verb
from bandari.cli.ray.target import chosen_ray, ray_option
from bandari.cli.ray.told import ended, follow_job
from bandari.errors import Terminal
from bandari.pipeline import jobs
from bandari.pipeline.asking import chosen_ray_cluster
from bandari.serving.ray.bodies import RayJobBody


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-f", "--file", metavar="FILE", help="A file of a job, or the file of the cluster that runs COMMAND.")
@ray_option
@click.option("--name", metavar="NAME", default="", help="The job's name; one that is taken gets a number.")
@click.option("--working-dir", metavar="DIR", help="A folder that goes along; the command runs in a copy of it.")
@click.option("--env", metavar="K=V", multiple=True, help="A variable of the job; K alone takes this shell's.")
@click.option("--no-wait", is_flag=True, help="Return once the job is taken.")
@click.option("--max-retries", metavar="N", type=click.IntRange(min=0), help="Further attempts, after the first [1].")
@click.option("--timeout", metavar="S", type=float, help="Seconds that an attempt may take [no limit].")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@verb
def submit(
    out: Output,
    *,
    file: str | None,
    cluster: str | None,
    name: str,
    working_dir: str | None,
    env: tuple[str, ...],
    no_wait: bool,
    max_retries: int | None,
    timeout: float | None,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND on a Ray cluster as a job: print its log, exit as it does. Ctrl-C lets it go on.

    COMMAND stands behind `--`; one word alone is a line for the shell.
    """
    if timeout is not None and not (math.isfinite(timeout) and timeout > 0):
        raise click.BadParameter(f"{timeout:g} is not more than 0 seconds", param_hint="--timeout")
    holder, body = jobs.job_of(Path(file)) if file else ("", None)
    if command:
        entrypoint = command[0] if len(command) == 1 else shlex.join(command)
        body = RayJobBody(cluster="", entrypoint=entrypoint)
    if body is None:
        what = f"{file} holds no job" if file else "no command was given"
        raise click.UsageError(f"{what}: bandari ray submit -- COMMAND")
    where, ray = chosen_ray(cluster) if cluster else _running(holder, str(file)) if holder else chosen_ray(None)
    given = {"working_dir": str(_folder(working_dir))} if working_dir else {}
    variables = {**body.environment.get("env_vars", {}), **_variables(env)}
    body = replace(
        body,
        cluster=ray,
        name=name or body.name,
        environment={**body.environment, **given, **({"env_vars": variables} if variables else {})},
        max_retries=body.max_retries if max_retries is None else max_retries,
        timeout=body.timeout if timeout is None else timeout,
    )
    return run_job(out, where, ray, body, wait=not no_wait)


def run_job(out: Output, cluster: str, ray: str, body: RayJobBody, *, wait: bool) -> int:
    """Submits and, unless it is not to be waited for, follows to the end; the exit code of the job."""
    name = jobs.submit(cluster, ray, body)
    if not wait:
        out.document({"cluster": cluster, "ray": ray, "job": name})
        out.text(f"{name} was submitted; follow it with `bandari ray logs {shlex.quote(name)} --follow`")
        return 0
    click.echo(f"{name} was submitted to {ray}", err=True)
    try:
        return ended(out, follow_job(out, cluster, ray, name))
    except KeyboardInterrupt:
        word = shlex.quote(name)
        click.echo(f"\n{name} goes on: follow it with `bandari ray logs {word} --follow`", err=True)
        click.echo(f"stop it with `bandari ray stop-job {word}`", err=True)
        return INTERRUPTED


def _running(name: str, file: str) -> tuple[str, str]:
    """The cluster of a file; Terminal when it is not up."""
    if name not in pipeline.clusters():
        fix = f"`bandari up -f {file}` brings it up, `--cluster NAME` submits to another one"
        raise Terminal(f"cannot submit to cluster {name!r}: it is not up", fix=fix)
    return name, chosen_ray_cluster(name)


def _folder(words: str) -> Path:
    path = Path(words).expanduser().resolve()
    if not path.is_dir():
        reason = "it is no folder" if path.exists() else "there is no such folder"
        raise Terminal(f"cannot take the working dir {words!r}: {reason}", fix="name a folder that is there")
    return path


def _variables(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, given, value = word.partition("=")
        if not name or (not given and name not in os.environ):
            raise click.BadParameter(f"{name or word!r} is not K=V, and no variable of this shell", param_hint="--env")
        found[name] = value if given else os.environ[name]
    return found
