"""The table of commands. A command's module is imported when it is called, so that `--help` costs click alone."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from bandari._version import __version__

EPILOG = "Exit codes: 0 done, 1 failed, 2 invalid input, 3 changes pending (plan --exit-code)."


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: `module:attribute` and the line that `--help` shows."""

    where: str
    help: str


VERBS: Mapping[str, Verb] = {
    "init": Verb("init:init", "Write a commented starter file."),
    "check": Verb("check:check", "Find every mistake in a file, at once."),
    "plan": Verb("plan:plan", "Show what up would do, with its consequences."),
    "up": Verb("up:up", "Make the file real."),
    "status": Verb("status:status", "Show what runs, and why a part does not."),
    "endpoints": Verb("endpoints:endpoints", "List the addresses of the model groups."),
    "logs": Verb("logs:logs", "Print the log of a group, a replica or a part."),
    "keys": Verb("keys:keys", "List, create and revoke the API keys of public groups."),
    "down": Verb("down:down", "Remove everything, and prove it."),
    "why": Verb("why:why", "Say what is pending, and what holds it back."),
    "top": Verb("top:top", "Show CPU, memory and GPU of every node and replica, live."),
    "ray": Verb("ray:ray", "Jobs, nodes and the spot market of a Ray cluster."),
    "compute-config": Verb("compute_config:compute_config", "Keep named, versioned compute configs."),
    "image": Verb("image:image", "Build, push and list container images."),
    "render": Verb("render:render", "Print the resources that a file compiles to."),
    "explain": Verb("explain:explain", "Explain the code of a finding."),
    "schema": Verb("schema:schema", "Print the JSON Schema of the cluster file."),
    "doctor": Verb("doctor:doctor", "Say what this machine can run, and what it lacks."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def __init__(self, *args: Any, verbs: Mapping[str, Verb], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of a name, from its module; None for a name that is not in the table."""
        if cmd_name not in self.verbs:
            return None
        module, _, attribute = self.verbs[cmd_name].where.partition(":")
        command = getattr(importlib.import_module(f"bandari.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest name in the complaint."""
        from bandari.diagnostics import did_you_mean

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as failure:
            near = did_you_mean(args[0], self.verbs) if args else None
            if near is None:
                raise
            raise click.UsageError(f"{failure.message} Did you mean {near!r}?", ctx) from failure

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])


@click.group(
    cls=LazyGroup,
    verbs=VERBS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "color": False if os.environ.get("NO_COLOR") else None},
)
@click.version_option(__version__, prog_name="bandari", message="%(prog)s %(version)s")
def app() -> None:
    """One YAML file describes an AI cluster; bandari makes it real."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; click's own complaints are exit code 2."""
    try:
        code = app.main(args=list(arguments), prog_name="bandari", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        return 130
    except click.ClickException as failure:
        failure.show()
        if "--json" in arguments:
            _print_refusal(failure.format_message())
        return 2
    return code if isinstance(code, int) else 0


def _print_refusal(message: str) -> None:
    from bandari.cli.output import Output

    Output(as_json=True).document({"diagnostics": [], "changes": [], "error": {"message": message}})
