"""A mount of a volume that the group does not have."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import MODEL_VOLUME, Subject
from bandari.diagnostics import Diagnostic, did_you_mean, warning

CODE = "BND409"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """The model's own volume is there without declaring it."""
    for server in subject.state.servers():
        known = [*(volume.name for volume in server.volumes), MODEL_VOLUME]
        for index, mount in enumerate(server.volume_mounts):
            if mount.name in known:
                continue
            near = did_you_mean(mount.name, known)
            yield warning(
                CODE,
                server.origin.at("runtime", "volumeMounts", index, "name"),
                f"cannot mount volume {mount.name!r} in group {server.name!r}: runtime.volumes does not declare it",
                why="Kubernetes refuses a pod that mounts a volume it does not have, so no replica starts",
                fix=f"did you mean {near!r}?"
                if near
                else "declare it: volumes: [{name: " + mount.name + ", emptyDir: {}}]",
            )
