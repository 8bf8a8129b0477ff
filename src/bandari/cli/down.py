"""`bandari down`: removes everything of a cluster and proves it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bandari import pipeline
from bandari.cli.arguments import chosen_cluster, cluster_option, file_argument
from bandari.cli.output import INVALID, Output, verb
from bandari.planning.plan import Plan
from bandari.units import Memory


@click.command()
@file_argument()
@cluster_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--delete-data", is_flag=True, help="Remove logs, keys and models that only this cluster uses, too.")
@verb
def down(
    out: Output, argument: str | None, option: str | None, cluster: str | None, yes: bool, delete_data: bool
) -> int:
    """Remove everything of a cluster from this machine, and prove that nothing is left."""
    name = chosen_cluster(cluster, argument, option)
    driver = pipeline.existing(name, kept=delete_data)
    doomed = pipeline.removal(driver)
    models = pipeline.own_models(driver)
    made = pipeline.own_environments(driver)
    out.text(f"Plan: remove cluster {name} from this machine")
    for change in doomed.pending:
        out.text(f"  {change.action.symbol} {change.address}  {change.consequence}")
    if delete_data:
        out.text(f"  - its logs and keys, and the models that only it uses: {_names(models, driver.folders.models)}")
        for path in made:
            out.text(f"  - the Python environment {path.name}, which no other cluster uses")
    if not yes and not _agreed(out, doomed):
        return INVALID
    driver.stop()
    if delete_data:
        driver.delete_data((*models, *made))
    left = driver.leftovers()
    out.document(
        {
            "cluster": name,
            "removed": [str(change.address) for change in doomed.pending],
            "processes_left": [],
            "kept": [{"what": item.what, "path": str(item.path), "bytes": item.bytes} for item in left],
        }
    )
    out.text(f"{name} is gone: no process, no socket, no port of it is left.")
    for item in left:
        out.text(f"  kept: {item.what}, {Memory(item.bytes).human()}, {item.path}")
    if left and not delete_data:
        out.text("  (--delete-data removes the logs, the keys and the models that no other cluster uses)")
    return 0


def _names(models: tuple[Path, ...], root: Path) -> str:
    return ", ".join(str(path.relative_to(root)) for path in models) or "none"


def _agreed(out: Output, doomed: Plan) -> bool:
    if out.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        changes = (c.to_json() for c in doomed.pending)
        out.refusal("cannot ask whether to go on: this is no terminal", "add --yes", changes=changes)
        return False
    return click.confirm("Go on?", default=False)
