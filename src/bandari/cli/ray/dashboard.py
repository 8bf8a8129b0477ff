"""`bandari ray dashboard`: where Ray's dashboard is."""

from __future__ import annotations

import click

from bandari.cli.output import Output, verb
from bandari.cli.ray.target import chosen_ray, ray_option
from bandari.pipeline import jobs


@click.command()
@ray_option
@verb
def dashboard(out: Output, cluster: str | None) -> int:
    """Print the address of Ray's dashboard, which the jobs API and the stock `ray job` client use as well."""
    where, ray = chosen_ray(cluster)
    place = jobs.place(where, ray)
    out.document({"cluster": where, "ray": ray, "dashboard": place.dashboard, "gcs": place.gcs})
    out.text(place.dashboard)
    return 0
