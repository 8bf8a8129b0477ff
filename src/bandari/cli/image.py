"""`bandari image`: builds, pushes and lists container images of Ray clusters."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from bandari.cli.output import Output, verb

REGISTRY_VARIABLE = "BANDARI_REGISTRY"


@click.group()
def image() -> None:
    """Build, push and list container images; buildah, docker or podman does the work, whichever is here."""


@image.command("build")
@click.option("-f", "--file", "path", default="Containerfile", show_default=True, metavar="FILE",
              help="A Containerfile, or a YAML file that names an image.")  # fmt: skip
@click.option("-n", "--name", required=True, help="Its name; each other content is its next revision.")
@verb
def build_image(out: Output, path: str, name: str) -> int:
    """Build an image. What was built before from the same files is not built again."""
    from bandari.pipeline.image_builds import build

    made = build(Path(path), name, lambda line: out.text(f"    {line}"))
    item = made.revision
    out.document(
        {
            "name": made.name,
            "revision": item.revision,
            "content": item.content,
            "image": item.tag,
            "base": item.base,
            "builder": item.builder,
            "built": made.fresh,
            "diagnostics": [d.to_json() for d in made.diagnostics],
        }
    )
    out.findings(made.diagnostics)
    what = "built" if made.fresh else "is there already, nothing was built"
    out.text(f"{made.name}:{item.revision} {what}: {item.tag}, by {item.builder}")
    return 0


@image.command("push")
@click.argument("name")
@click.option("--registry", metavar="HOST[:PORT][/PATH]", help=f"Where to [{REGISTRY_VARIABLE}].")
@verb
def push_image(out: Output, name: str, registry: str | None) -> int:
    """Push NAME, or NAME:REVISION, to a registry; ECR and Artifact Registry are logged in to by their own helpers."""
    from bandari.pipeline.image_builds import push

    where = registry or os.environ.get(REGISTRY_VARIABLE, "")
    if not where:
        return out.refusal("cannot push: no registry is named", f"add --registry, or set {REGISTRY_VARIABLE}")
    target, digest = push(name, where, lambda line: out.text(f"    {line}"))
    out.document({"image": target, "digest": digest})
    out.text(f"pushed: {target}" + (f" ({digest})" if digest else ""))
    return 0


@image.command("list")
@verb
def list_images(out: Output) -> int:
    """List what was built here, by name and revision."""
    from bandari.pipeline.image_builds import store

    kept = store()
    rows = [(name, item) for name in kept.names() for item in kept.revisions(name)]
    out.document(
        {
            "images": [
                {"name": name, "revision": r.revision, "content": r.content, "image": r.tag, "base": r.base,
                 "builder": r.builder, "built": r.built, "pushed": list(r.pushed)}
                for name, r in rows
            ]
        }
    )  # fmt: skip
    for name, item in rows:
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.built))
        where = ", ".join(item.pushed) or "not pushed"
        out.text(f"{name}:{item.revision}  {made}  {item.content}  {item.base}  {where}")
    if not rows:
        out.text("no images yet: `bandari image build -n NAME` builds one")
    return 0
