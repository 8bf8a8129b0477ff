"""Zones that are none of the cloud whose machines are asked for, or of several regions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bandari.analysis.ray_shapes import ResolvedRay
from bandari.analysis.subject import Subject
from bandari.desired.ray import RayCluster
from bandari.diagnostics import Diagnostic, warning

CODE = "BND771"
_FORMS = {
    "aws": re.compile(r"(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)(?:-[a-z]+-\d)?[a-z]|[a-z]{3}\d-az\d"),
    "gcp": re.compile(r"(?P<region>[a-z]+-[a-z]+\d{1,2})-[a-z]"),
}
_CLOUDS = {"aws": "AWS", "gcp": "Google Cloud"}
_EXAMPLES = {"aws": "us-west-2a", "gcp": "us-central1-a"}


def check(subject: Subject) -> Iterator[Diagnostic]:
    """On Kubernetes a zone is whatever its nodes are labelled with."""
    for resolved in subject.rays():
        if resolved.provider in _FORMS:
            yield from _form(resolved)
            yield from _regions(resolved.cluster, resolved.provider, subject.state.target.region)


def _form(resolved: ResolvedRay) -> Iterator[Diagnostic]:
    cloud = resolved.provider
    for index, zone in enumerate(resolved.cluster.zones):
        if _FORMS[cloud].fullmatch(zone):
            continue
        other = next((_CLOUDS[name] for name, form in _FORMS.items() if form.fullmatch(zone)), "")
        yield warning(
            CODE,
            resolved.cluster.origin.at("zones", index),
            f"cannot find the zone {zone!r} on {_CLOUDS[cloud]}"
            + (f": it is one of {other}" if other else ": that is no name of a zone there"),
            why=f"the machine types of the cluster are those of {_CLOUDS[cloud]}",
            fix=f"write one such as {_EXAMPLES[cloud]}",
        )


def _regions(cluster: RayCluster, cloud: str, region: str) -> Iterator[Diagnostic]:
    first = region
    for index, zone in enumerate(cluster.zones):
        found = _FORMS[cloud].fullmatch(zone)
        own = found["region"] if found else None
        if own is None:
            continue
        first = first or own
        if own == first:
            continue
        yield warning(
            CODE,
            cluster.origin.at("zones", index),
            f"cannot use the zone {zone!r} in {first}: it is one of {own}",
            why="a cluster stands in one region",
            fix=f"use zones of {first} alone",
        )
