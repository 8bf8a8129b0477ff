"""`bandari ray exec`: runs a command here as if it were on the cluster's head."""

from __future__ import annotations

import os
import shutil

import click

from bandari.cli.output import Output, verb
from bandari.cli.ray.target import chosen_ray, ray_option
from bandari.errors import Terminal
from bandari.pipeline import jobs


@click.command("exec", context_settings={"allow_interspersed_args": False})
@ray_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@verb
def execute(out: Output, cluster: str | None, command: tuple[str, ...]) -> int:  # noqa: ARG001 - the command speaks
    """Run COMMAND here with the environment of a Ray cluster first on PATH, and its addresses; exit as it does.

    RAY_ADDRESS is for `ray.init()`, RAY_API_SERVER_ADDRESS for `ray job` and `ray list`.
    """
    where, ray = chosen_ray(cluster)
    place = jobs.place(where, ray)
    environ = {
        **os.environ,
        "PATH": os.pathsep.join((place.bin, os.environ.get("PATH", os.defpath))),
        "RAY_ADDRESS": place.gcs,
        "RAY_API_SERVER_ADDRESS": place.dashboard,
    }
    program = shutil.which(command[0], path=environ["PATH"])
    if program is None:
        raise Terminal(
            f"cannot run {command[0]!r}: there is no such program", fix=f"it is looked for in {place.bin} first"
        )
    os.execve(program, command, environ)  # noqa: S606 - the user's own command, without a shell
