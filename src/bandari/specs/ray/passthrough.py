"""Settings that one provider knows: which provider, whether they have its shape, and what it refuses. Pure.

Sources: EC2's RunInstances, Compute Engine's instances.bulkInsert, Kubernetes' PodTemplateSpec.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
https://cloud.google.com/compute/docs/reference/rest/v1/instances/bulkInsert
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bandari.diagnostics import Diagnostic, Span, did_you_mean, error, warning
from bandari.document.tree import Node
from bandari.specs.ray.tree import Draft, sequence
from bandari.specs.shape import shown


class Kind(enum.StrEnum):
    """A plain value in a provider's settings."""

    TEXT = "text"
    WHOLE = "a whole number"
    FLAG = "true or false"
    MAP = "a mapping"
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one shape."""

    of: Shape


Shape: TypeAlias = "Kind | ListOf | Mapping[str, Shape]"
_EBS: Shape = {
    "VolumeSize": Kind.WHOLE,
    "VolumeType": Kind.TEXT,
    "Iops": Kind.WHOLE,
    "Throughput": Kind.WHOLE,
    "DeleteOnTermination": Kind.FLAG,
    "Encrypted": Kind.FLAG,
    "KmsKeyId": Kind.TEXT,
    "SnapshotId": Kind.TEXT,
}
_INTERFACE: Shape = {
    "SubnetId": Kind.TEXT,
    "Groups": ListOf(Kind.TEXT),
    "DeviceIndex": Kind.WHOLE,
    "NetworkCardIndex": Kind.WHOLE,
    "InterfaceType": Kind.TEXT,
}
AWS: Mapping[str, Shape] = {
    "BlockDeviceMappings": ListOf({"DeviceName": Kind.TEXT, "Ebs": _EBS}),
    "IamInstanceProfile": {"Arn": Kind.TEXT, "Name": Kind.TEXT},
    "SecurityGroupIds": ListOf(Kind.TEXT),
    "SubnetId": Kind.TEXT,
    "NetworkInterfaces": ListOf(_INTERFACE),
    "Placement": {"GroupName": Kind.TEXT, "AvailabilityZone": Kind.TEXT, "Tenancy": Kind.TEXT},
    "CapacityReservationSpecification": {
        "CapacityReservationPreference": Kind.TEXT,
        "CapacityReservationTarget": {"CapacityReservationId": Kind.TEXT},
    },
    "InstanceMarketOptions": {"MarketType": Kind.TEXT, "SpotOptions": Kind.MAP},
    "TagSpecifications": ListOf(
        {"ResourceType": Kind.TEXT, "Tags": ListOf({"Key": Kind.TEXT, "Value": Kind.ANY})}
    ),
    **dict.fromkeys(
        (
            "CpuOptions", "CreditSpecification", "EnclaveOptions", "HibernationOptions", "MaintenanceOptions",
            "MetadataOptions", "Monitoring", "NetworkPerformanceOptions", "Operator", "PrivateDnsNameOptions",
        ),
        Kind.MAP,
    ),
    **dict.fromkeys(("KeyName", "KernelId", "RamdiskId", "InstanceInitiatedShutdownBehavior"), Kind.TEXT),
    **dict.fromkeys(("DisableApiStop", "DisableApiTermination", "EbsOptimized", "EnablePrimaryIpv6"), Kind.FLAG),
    **dict.fromkeys(
        ("ElasticGpuSpecification", "ElasticInferenceAccelerators", "Ipv6AddressCount", "LicenseSpecifications"),
        Kind.ANY,
    ),
}  # fmt: skip
AWS_REFUSED: Mapping[str, str] = {
    "ClientToken": "bandari makes requests of its own",
    "DryRun": "use `bandari plan`",
    "ImageId": "use the image of the cluster",
    "InstanceType": "use instance_type",
    "Ipv6Addresses": "addresses belong to one node alone",
    "LaunchTemplate": "write its settings here",
    "MaxCount": "use max_nodes",
    "MinCount": "use min_nodes",
    "PrivateIpAddress": "addresses belong to one node alone",
    "SecurityGroups": "use SecurityGroupIds",
    "UserData": "use the image of the cluster",
}
_GCP_DISK: Shape = {
    "boot": Kind.FLAG,
    "auto_delete": Kind.FLAG,
    "type": Kind.TEXT,
    "initialize_params": {"disk_size_gb": Kind.WHOLE, "disk_type": Kind.TEXT},
}
_GCP_PROPERTIES: Shape = {
    "disks": ListOf(_GCP_DISK),
    "service_accounts": ListOf({"email": Kind.TEXT, "scopes": ListOf(Kind.TEXT)}),
    "network_interfaces": ListOf({"network": Kind.TEXT, "subnetwork": Kind.TEXT}),
    "labels": Kind.MAP,
    "scheduling": Kind.MAP,
    "metadata": Kind.MAP,
    "reservation_affinity": {
        "consume_reservation_type": Kind.TEXT,
        "key": Kind.TEXT,
        "values": ListOf(Kind.TEXT),
    },
}
GCP: Mapping[str, Shape] = {
    "instance_properties": _GCP_PROPERTIES,
    "location_policy": Kind.MAP,
    "per_instance_properties": Kind.MAP,
    "instance_flexibility_policy": Kind.MAP,
}
GCP_REFUSED: Mapping[str, str] = {
    "count": "use min_nodes and max_nodes",
    "min_count": "use min_nodes",
    "name_pattern": "bandari names its machines",
    "machine_type": "use instance_type",
    "source_image": "use the image of the cluster",
    "guest_accelerators": "the machine type brings its GPUs",
    "source_instance_template": "write its settings here",
}
_CONTAINERS = ListOf(Kind.MAP)
KUBERNETES: Mapping[str, Shape] = {
    "apiVersion": Kind.TEXT,
    "kind": Kind.TEXT,
    "metadata": {"labels": Kind.MAP, "annotations": Kind.MAP},
    "spec": {
        "nodeSelector": Kind.MAP,
        "tolerations": ListOf(Kind.MAP),
        "volumes": ListOf({"name": Kind.TEXT}),
        "containers": ListOf({"name": Kind.TEXT, "volumeMounts": ListOf(Kind.MAP), "env": ListOf(Kind.MAP)}),
        "initContainers": _CONTAINERS,
        "affinity": Kind.MAP,
        "serviceAccountName": Kind.TEXT,
        "imagePullSecrets": ListOf(Kind.MAP),
        "hostNetwork": Kind.FLAG,
        "priorityClassName": Kind.TEXT,
        "topologySpreadConstraints": ListOf(Kind.MAP),
    },
}
_NAMES = {"aws": "EC2's RunInstances", "gcp": "Compute Engine's bulkInsert", "kubernetes": "a pod"}
_SHAPES: Mapping[str, Mapping[str, Shape]] = {"aws": AWS, "gcp": GCP, "kubernetes": KUBERNETES}
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake(key: str) -> str:
    """A key of Compute Engine in snake case: both cases are in use, in one file."""
    return _HUMP.sub(r"_\1", key).lower()


def provider_of(body: Mapping[str, Any]) -> str:
    """The provider whose keys a body holds; empty where none or several fit."""
    keys = set(map(str, body))
    fits = {
        "aws": keys & (AWS.keys() | AWS_REFUSED.keys()),
        "gcp": {key for key in keys if snake(key) in GCP or (snake(key) in GCP_REFUSED and not key[:1].isupper())},
        "kubernetes": keys & {"metadata", "spec"},
    }
    found = [name for name, some in fits.items() if some]
    return found[0] if len(found) == 1 else ""


@dataclass(slots=True)
class _Walk:
    """One walk over a body; `found` grows in the order of the file."""

    provider: str
    found: list[Diagnostic] = field(default_factory=list)

    def key(self, word: str) -> str:
        return snake(word) if self.provider == "gcp" else word

    def conform(self, node: Node, shape: Shape, path: str, where: Span) -> Node:
        """The value in its shape; `where` is its place, that of its key where it begins below."""
        if node.value is None:
            return node
        if isinstance(shape, ListOf):
            return self._list(node, shape, path, where)
        if isinstance(shape, Kind) and shape is not Kind.MAP:
            self._plain(node, shape, path, where)
            return node
        return self._map(node, {} if isinstance(shape, Kind) else shape, path, where)

    def _list(self, node: Node, shape: ListOf, path: str, where: Span) -> Node:
        if not isinstance(node.value, list):
            self._wrong(node, "a list", path, where)
            return node
        children = enumerate(node.children.values())
        return sequence([self.conform(c, shape.of, f"{path}[{n}]", c.span) for n, c in children], node)

    def _map(self, node: Node, shape: Mapping[str, Shape], path: str, where: Span) -> Node:
        if isinstance(node.value, list) and node.value and all(isinstance(item, dict) for item in node.value):
            node = self._merged(node, path, where)
        if not isinstance(node.value, dict):
            self._wrong(node, "a mapping", path, where)
            return node
        draft = Draft(node)
        for word, (child, place) in list(draft.items.items()):
            inner = shape.get(self.key(word))
            if inner is not None:
                below = place if child.at_key else child.span
                draft.put(word, self.conform(child, inner, f"{path}.{word}", below), place)
        return draft.node()

    def _merged(self, node: Node, path: str, where: Span) -> Node:
        draft = Draft(Node({}, node.span, node.at_key))
        for item in node.children.values():
            for word, (child, place) in Draft(item).items.items():
                draft.put(word, child, place)
        message = f"cannot take a list as {path}: it is read as the mapping in it"
        self.found.append(warning("BND724", where, message, fix="remove the `- ` before its keys"))
        return draft.node()

    def _plain(self, node: Node, kind: Kind, path: str, where: Span) -> None:
        value = node.value
        digits = isinstance(value, str) and value.isdecimal()
        fits = {
            Kind.TEXT: isinstance(value, str | int | float) and not isinstance(value, bool),
            Kind.WHOLE: (isinstance(value, int) and not isinstance(value, bool)) or digits,
            Kind.FLAG: isinstance(value, bool),
        }
        if not fits.get(kind, True):
            self._wrong(node, kind.value, path, where)

    def _wrong(self, node: Node, wanted: str, path: str, where: Span) -> None:
        message = f"cannot take {shown(node.value)} as {path}: {wanted} is expected"
        why = f"that is the shape of {_NAMES[self.provider]}"
        self.found.append(error("BND723", where, message, why=why, fix=f"write {wanted}"))


def shaped(node: Node, place: Span, provider: str = "") -> tuple[Node, tuple[Diagnostic, ...], str]:
    """A body in its provider's shape, what is wrong with it, and the provider; empty where that is not clear."""
    provider = provider or provider_of(node.value)
    if provider not in _SHAPES:
        return node, tuple(_unclear(node, place)), ""
    walk = _Walk(provider)
    node = walk.conform(node, _SHAPES[provider], "advanced_instance_config", place)
    found = (*walk.found, *_refused(node, provider), *_unknown(node, provider))
    return node, found, provider


def _unclear(node: Node, place: Span) -> Iterator[Diagnostic]:
    if node.value:
        keys = ", ".join(map(str, list(node.value)[:4]))
        yield warning(
            "BND725",
            place,
            f"cannot tell whose settings these are: {keys}",
            why="they are kept as written, and no provider reads them",
            fix="write keys of one provider: RunInstances, instance_properties, or metadata and spec of a pod",
        )


def _refused(node: Node, provider: str) -> Iterator[Diagnostic]:
    if provider == "aws":
        yield from (_no(node, key, AWS_REFUSED[key]) for key in node.value if key in AWS_REFUSED)
    if provider == "gcp":
        yield from _refused_by_gcp(node)


def _refused_by_gcp(node: Node) -> Iterator[Diagnostic]:
    for key, child in node.children.items():
        word = snake(str(key))
        if word in GCP_REFUSED:
            yield _no(node, str(key), GCP_REFUSED[word])
        elif isinstance(child.value, str) and word == "key" and child.value.lower() in ("user-data", "user_data"):
            yield error(
                "BND722", child.span, "cannot set user-data: it is not taken here", fix="use the image of the cluster"
            )
        elif word not in ("labels", "resource_manager_tags"):
            yield from _refused_by_gcp(child)


def _no(node: Node, key: str, fix: str) -> Diagnostic:
    place = node.keys.get(key, node.span)
    return error("BND722", place, f"cannot set {key}: it is not taken in advanced_instance_config", fix=fix)


def _unknown(node: Node, provider: str) -> Iterator[Diagnostic]:
    known = _SHAPES[provider]
    refused = {"aws": AWS_REFUSED, "gcp": GCP_REFUSED}.get(provider, {})
    for key in node.value if isinstance(node.value, dict) else ():
        word = snake(str(key)) if provider == "gcp" else str(key)
        if word not in known and word not in refused:
            near = did_you_mean(str(key), known)
            message = f"cannot find {shown(str(key))} among the keys of {_NAMES[provider]}: it is passed on as written"
            fix = f"did you mean `{near}`?" if near else f"known here: {', '.join(list(known)[:6])}..."
            yield warning("BND725", node.keys.get(key, node.span), message, fix=fix)
