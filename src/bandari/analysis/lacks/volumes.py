"""Volumes that cannot be had on this machine, and mounts that it cannot bind."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.lacks.here import Here, NotServed
from bandari.analysis.subject import MODEL_VOLUME
from bandari.desired.workloads import ModelServer, Volume, VolumeMount

VOLUME, UNBOUND = "BND507", "BND515"
KINDS = frozenset({"hostPath", "emptyDir"})
"""Kinds of volume that a folder of this machine can be."""


def check(server: ModelServer, here: Here) -> Iterator[NotServed]:
    """Only volumes that something mounts matter."""
    volumes = {volume.name: volume for volume in server.volumes}
    for index, mount in enumerate(server.volume_mounts):
        yield from _mount(server, index, mount, volumes.get(mount.name), here)
    if server.volume_mounts and not here.host.mount_namespaces:
        yield _unbound(server, here)


def _mount(
    server: ModelServer, index: int, mount: VolumeMount, volume: Volume | None, here: Here
) -> Iterator[NotServed]:
    if mount.name == MODEL_VOLUME if volume is None else volume.kind in KINDS:
        return
    reason = f"a volume of kind {volume.kind!r} cannot be had" if volume else "runtime.volumes does not declare it"
    folder = f"{{name: {mount.name}, hostPath: {{path: /a/folder}}}}"
    yield here.lack(
        server,
        VOLUME,
        server.origin.at("runtime", "volumeMounts", index, "name"),
        f"cannot mount volume {mount.name!r} in group {server.name!r} here: {reason}",
        why="on this machine a volume is a folder: one that exists (hostPath) or a fresh one (emptyDir)",
        fix=f"use such a volume: volumes: [{folder}]" if volume else f"declare it: volumes: [{folder}]",
    )


def _unbound(server: ModelServer, here: Here) -> NotServed:
    first = server.volume_mounts[0]
    variables = ", ".join(sorted({_variable(mount.name) for mount in server.volume_mounts}))
    return here.note(
        server,
        UNBOUND,
        server.origin.at("runtime", "volumeMounts", 0, "mountPath"),
        f"cannot mount {first.mount_path!r} in group {server.name!r} here: the host allows no mount namespaces",
        why=f"replicas find their folders in {variables} instead of at their mount paths",
        fix="allow unprivileged user namespaces on this host, or read the path from the variable",
    )


def _variable(name: str) -> str:
    return f"BANDARI_MOUNT_{name.upper().replace('-', '_').replace('.', '_')}"
