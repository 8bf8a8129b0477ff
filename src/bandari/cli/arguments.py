"""Arguments that several verbs share: the file, the target, the cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from bandari import pipeline
from bandari.desired.state import ProviderName
from bandari.errors import InvalidInput, Terminal

F = TypeVar("F", bound=Callable[..., object])
DEFAULT_FILE = "cluster.yaml"


def file_argument(*, short: bool = True) -> Callable[[F], F]:
    """FILE or `-f FILE`, default cluster.yaml; `short` False leaves `-f` to the verb."""

    def add(function: F) -> F:
        names = ("-f", "--file") if short else ("--file",)
        option = click.option(*names, "option", metavar="FILE", help=f"The cluster file [{DEFAULT_FILE}].")
        argument = click.argument("argument", metavar="[FILE]", required=False)
        return argument(option(function)) if short else option(function)

    return add


def chosen_file(argument: str | None, option: str | None) -> Path:
    """The one file that was named; UsageError when two were."""
    if argument and option and argument != option:
        raise click.UsageError(f"two files were named: {argument} and {option}")
    return Path(argument or option or DEFAULT_FILE)


def target_options(function: F) -> F:
    """`--target`, `--stand-in`, `--skip`: what the command adds to the file."""
    options = (
        click.option("--target", type=click.Choice([p.value for p in ProviderName]), help="Run the file there."),
        click.option(
            "--stand-in",
            multiple=True,
            metavar="[GROUP=]MODEL",
            help="Serve groups that cannot run here with a built-in model (tiny), or one group in any case.",
        ),
        click.option("--skip", multiple=True, metavar="SECTION", help="Leave a section of the file out."),
        _kept("--name", "NAME", "Name of the cluster, where the file names none [the file's stem]."),
        _kept("--ray-version", "X.Y.Z", "Run Ray clusters here with this Ray, whatever their images say."),
        _kept("--render", "ENV.yaml", "Render the file as a Jinja template with the variables of ENV.yaml."),
    )
    for option in options:
        function = option(function)
    return function


def _kept(option: str, metavar: str, text: str) -> Callable[[F], F]:
    """An option that `options_of` finds by itself, so that no verb has to pass it on."""

    def keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        context.meta[f"{__name__}.{parameter.name}"] = value or ""

    return click.option(option, metavar=metavar, help=text, expose_value=False, callback=keep)


def _kept_value(name: str) -> str:
    context = click.get_current_context(silent=True)
    return str(context.meta.get(f"{__name__}.{name}", "")) if context else ""


def options_of(target: str | None, stand_in: tuple[str, ...], skip: tuple[str, ...]) -> pipeline.Options:
    """The options as a value; `--skip a,b` is `--skip a --skip b`."""
    sections = frozenset(part.strip() for item in skip for part in item.split(",") if part.strip())
    provider = ProviderName(target) if target else None
    return pipeline.Options(
        provider, stand_in, sections, _kept_value("name"), _kept_value("render"), _kept_value("ray_version")
    )


def cluster_option(function: F) -> F:
    """`--cluster NAME` beside the file."""
    return click.option("--cluster", metavar="NAME", help="A cluster by its name [the only one there is].")(function)


def chosen_cluster(cluster: str | None, argument: str | None, option: str | None) -> str:
    """By name, by the file that was named, or the only one that has a state here."""
    if cluster:
        return cluster
    if argument or option:
        return cluster_of(chosen_file(argument, option))
    running = pipeline.clusters()
    if len(running) == 1:
        return running[0]
    if running:
        names = ", ".join(running)
        raise Terminal(
            "cannot tell which cluster is meant: several have a state here", fix=f"--cluster, one of {names}"
        )
    raise Terminal("cannot find a cluster on this machine", fix="bring one up with `bandari up -f FILE`")


def cluster_of(path: Path) -> str:
    """The name that a file gives its cluster; InvalidInput when the file has errors.

    A template is not rendered for that: its cluster has the name of its file.
    """
    from bandari.pipeline.references import references
    from bandari.specs.read import name_of, read

    text, findings = pipeline.load(path)
    if text is None:
        raise InvalidInput(tuple(findings))
    state, found = read(text, str(path), target=ProviderName.LOCAL, references=references(text, str(path)))
    if state is None and [finding.code for finding in found] == ["BND729"]:
        return name_of(str(path))
    if state is None:
        raise InvalidInput(tuple(found))
    return state.target.cluster
