"""`bandari init`: a commented starter file."""

from __future__ import annotations

from importlib import resources

import click

from bandari.cli.arguments import chosen_file, file_argument
from bandari.cli.output import Output, verb


@click.command()
@file_argument()
@click.option("--name", help="Name of the cluster [the folder's].")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@verb
def init(out: Output, argument: str | None, option: str | None, name: str | None, force: bool) -> int:
    """Write a commented starter file that runs on this machine as it is."""
    place = chosen_file(argument, option)
    path = str(place)
    if place.exists() and not force:
        return out.refusal(f"cannot write {path!r}: it exists", "name another file, or add --force")
    if name and name != _label(name):
        return out.refusal(
            f"cannot name the cluster {name!r}: it is no DNS label of at most 40 characters",
            f"try --name {_label(name)}",
        )
    text = (resources.files("bandari.cli") / "starter.yaml").read_text(encoding="utf-8")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text.replace("my-cluster", name or _label(place.resolve().parent.name)))
    out.document({"written": path})
    out.text(f"written: {path}\nnext: bandari plan -f {path}; bandari up -f {path}")
    return 0


def _label(text: str) -> str:
    """A folder's name as a DNS label; `my-cluster` where nothing of it can stay."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower()).strip("-")[:40].strip("-")
    return kept if kept and kept[0].isalpha() else "my-cluster"
