"""`bandari compute-config`: named compute configs, each version kept for good."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bandari import pipeline
from bandari.cli.output import Output, verb
from bandari.errors import InvalidInput, Terminal

if TYPE_CHECKING:
    from bandari.drivers.compute_configs import Version

_PAIR = re.compile(r"[1-9][0-9]{0,8}:[1-9][0-9]{0,8}")


@click.group()
def compute_config() -> None:
    """Keep named, versioned compute configs: files of jobs and services name them, as in `compute_config: train:2`."""


@compute_config.command()
@click.argument("name")
@click.option("-f", "--file", metavar="FILE", help="The compute config.")
@click.option("--from", "source", metavar="NAME[:VERSION]", help="Take a stored one: promotion to another name.")
@click.option("-m", "--message", default="", help="What changed, and why; with --from by default as there.")
@click.option("--render", metavar="ENV.yaml", help="Render FILE first, a Jinja template; what comes out is stored.")
@verb
def create(out: Output, name: str, file: str | None, source: str | None, message: str, render: str | None) -> int:
    """Store FILE as the next version of NAME. Equal content is no new version."""
    from bandari.drivers.compute_configs import diff
    from bandari.pipeline.references import store

    if bool(file) == bool(source):
        raise click.UsageError("name one source: -f FILE, or --from NAME:VERSION")
    if render and source:
        raise click.UsageError("what is stored is no template: --render is for -f FILE")
    _whole_name(name)
    configs, origin = store(), ""
    if file:
        text = _valid(Path(file), render)
    else:
        taken = configs.get(*_parts(source or ""))
        text, origin, message = taken.text, taken.reference, message or taken.message
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    version, is_new = configs.create(name, text, message=message, source=origin, created=created)
    before = configs.get(name, version.version - 1) if is_new and version.version > 1 else None
    compared = diff(before, version) if before else ""
    out.document({"new": is_new, "diff": compared, "config": _row(version)})
    if not is_new:
        out.text(f"{version.reference} holds the same: no new version")
        return 0
    out.text(f"created: {version.reference}" + (f", from {origin}" if origin else ""))
    out.text(compared.rstrip("\n") if compared else f"name it in files as `compute_config: {version.reference}`")
    return 0


@compute_config.command()
@click.argument("reference", metavar="NAME[:VERSION]")
@click.option("--diff", "compared", is_flag=False, flag_value="", metavar="[A:B]", help="Show what changed, instead.")
@verb
def get(out: Output, reference: str, compared: str | None) -> int:
    """Print a version, by default the newest; with --diff what it changed, or the way from version A to B."""
    from bandari.drivers.compute_configs import diff
    from bandari.pipeline.references import store

    configs, (name, number) = store(), _parts(reference)
    version = configs.get(name, number)
    if compared is None:
        out.document({"config": _row(version), "text": version.text})
        if not out.as_json:
            click.echo(version.text, nl=False)
        return 0
    first, second = _pair(compared, version)
    before, after = configs.get(name, first) if first else None, configs.get(name, second)
    text = diff(before, after) if before else ""
    out.document({"name": name, "from": first, "to": second, "diff": text})
    same = f"{after.reference} changed nothing" if before else f"{after.reference} is the first version"
    out.text(text.rstrip("\n") or same)
    return 0


@compute_config.command("list")
@click.argument("name", required=False)
@click.option("--archived", is_flag=True, help="Those that were archived.")
@verb
def list_configs(out: Output, name: str | None, archived: bool) -> int:
    """List the names with their newest version, or all versions of NAME."""
    from bandari.pipeline.references import store

    configs = store()
    found = configs.versions(name) if name else [configs.get(one) for one in configs.names(archived=archived)]
    rows = [_row(version) for version in found]
    out.document({"configs": rows})
    width = max((len(version.reference) for version in found), default=0)
    for version in found:
        source = f"  from {version.source}" if version.source else ""
        out.text(f"{version.reference:{width}}  {version.created}  {version.message}{source}".rstrip())
    if not found:
        out.text("none yet: `bandari compute-config create NAME -f FILE` makes one" if not archived else "none")
    return 0


@compute_config.command()
@click.argument("name")
@verb
def archive(out: Output, name: str) -> int:
    """Archive NAME with all its versions: no file can name it any more, and the name is not given again."""
    from bandari.pipeline.references import store

    found = store().archive(name)
    out.document({"name": name, "archived": [version.version for version in found]})
    count = f"{len(found)} version{'s' if len(found) > 1 else ''}"
    out.text(
        f"archived: {name}, {count}; `bandari compute-config create NAME --from {name}` brings one back under a name"
    )
    return 0


def _row(version: Version) -> dict[str, Any]:
    row: Mapping[str, Any] = {
        "name": version.name,
        "version": version.version,
        "created": version.created,
        "message": version.message,
        "sha256": version.sha256,
        "source": version.source,
        "archived": version.archived,
        "path": str(version.path),
    }
    return dict(row)


def _valid(path: Path, variables: str | None) -> str:
    """The text of a valid compute config, rendered with a file of variables; InvalidInput with every finding."""
    from bandari.specs.compile_ray import compile_compute
    from bandari.specs.ray.references import read_config

    text, found = pipeline.load(path)
    label = str(path)
    if text is not None and variables:
        from bandari.pipeline.rendering import render

        rendered = render(text, label, Path(variables))
        text, label, found = rendered.text, rendered.label, rendered.diagnostics
    if text is not None:
        document, said = read_config(text, label)
        found.add(*said)
        if document is not None:
            found.add(*compile_compute(document, (), name="config")[1])
    if text is None or found.errors:
        raise InvalidInput(tuple(found))
    return text


def _parts(reference: str) -> tuple[str, int | None]:
    from bandari.specs.ray.references import parts

    if (found := parts(reference)) is None:
        raise click.UsageError(f"{reference!r} is no name and no name:version, such as train or train:2")
    return found


def _whole_name(name: str) -> None:
    from bandari.specs.ray.references import looks_like_path

    if _parts(name)[1] is not None:
        raise click.UsageError(f"{name!r} has a version: versions are given by bandari, 1, 2, 3...")
    if looks_like_path(name):
        raise click.UsageError(f"{name!r} looks like a path; a name such as train is expected")


def _pair(words: str, version: Version) -> tuple[int, int]:
    if not words:
        return version.version - 1, version.version
    first, _, second = words.partition(":")
    if not _PAIR.fullmatch(words):
        raise Terminal(f"cannot compare {words!r}: it is no pair of versions", fix="write --diff 1:3")
    return int(first), int(second)
