"""Variables whose source is not on this machine: a config map, a secret, a field of a pod."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bandari.analysis.lacks.here import Here, NotServed
from bandari.desired.workloads import EnvVar, ModelServer, ValueSource

CONFIG_VALUE, SECRET_KEY, POD_FIELD = "BND505", "BND506", "BND508"
FIELDS = frozenset({"metadata.name", "metadata.namespace", "status.podIP", "status.hostIP", "spec.nodeName"})
"""Fields of a pod that a process here has too: replica, namespace, loopback address, host name."""
RESOURCES = frozenset({"requests.cpu", "requests.memory"})


def check(server: ModelServer, here: Here) -> Iterator[NotServed]:
    """An optional variable is left out without a word, as Kubernetes does."""
    for index, variable in enumerate(server.env):
        if variable.source and not variable.optional:
            yield from _CHECKS[variable.source](server, index, variable, here)


def _config(server: ModelServer, index: int, variable: EnvVar, here: Here) -> Iterator[NotServed]:
    if variable.key in here.state.target.local.values.get(variable.ref, {}):
        return
    yield here.lack(
        server,
        CONFIG_VALUE,
        server.origin.at("runtime", "env", index, "valueFrom", "configMapKeyRef"),
        f"cannot set {variable.name!r} in group {server.name!r} here: {variable.ref!r} has no {variable.key!r}",
        why="a config map lives in a cluster; on this machine its values stand in the file",
        fix=f"add local: {{values: {{{variable.ref}: {{{variable.key}: ...}}}}}}",
    )


def _secret(server: ModelServer, index: int, variable: EnvVar, here: Here) -> Iterator[NotServed]:
    if (variable.ref, variable.key) in here.secrets:
        return
    path = here.state.target.local.secrets_file
    where = f"add {variable.ref}: {{{variable.key}: ...}} to {path!r}"
    yield here.lack(
        server,
        SECRET_KEY,
        server.origin.at("runtime", "env", index, "valueFrom", "secretKeyRef"),
        f"cannot set {variable.name!r} in group {server.name!r} here: secret {variable.ref!r} has no {variable.key!r}",
        why="a secret lives in a cluster; on this machine it stands in the secrets file, read when a replica starts",
        fix=where
        if path
        else f"add local: {{secretsFile: secrets.yaml}} and in it {variable.ref}: {{{variable.key}: ...}}",
    )


def _field(server: ModelServer, index: int, variable: EnvVar, here: Here) -> Iterator[NotServed]:
    known, key = (FIELDS, "fieldRef") if variable.source is ValueSource.FIELD else (RESOURCES, "resourceFieldRef")
    if variable.key in known:
        return
    yield here.lack(
        server,
        POD_FIELD,
        server.origin.at("runtime", "env", index, "valueFrom", key),
        f"cannot set {variable.name!r} in group {server.name!r} here: a process has no {variable.key!r}",
        why=f"known here: {', '.join(sorted(known))}",
        fix="give the variable a plain value",
    )


_CHECKS: Mapping[ValueSource, Callable[[ModelServer, int, EnvVar, Here], Iterator[NotServed]]] = {
    ValueSource.CONFIG_MAP: _config,
    ValueSource.SECRET: _secret,
    ValueSource.FIELD: _field,
    ValueSource.RESOURCE_FIELD: _field,
}
