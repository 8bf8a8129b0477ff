"""The parts of the file that have Kubernetes' own shape: environment, probes, volumes. Shapes alone; what does not fit
together is found by `meaning`. Source: the API reference of core/v1, https://kubernetes.io/docs/reference/.
"""

from __future__ import annotations

from typing import Any, Literal

from bandari.specs.fields import (
    AbsolutePath,
    Count,
    FileMode,
    Filled,
    FilledItems,
    InnerPath,
    Items,
    Label,
    LooseText,
    MapKey,
    MaybeEmpty,
    Name,
    ObjectName,
    PodField,
    Port,
    PortOrName,
    Positive,
    ResourceField,
    Spec,
    StorageQuantity,
    Text,
    VariableName,
    entry,
)

_VALUES = "from `local.values`"
_SECRETS = "from `local.secretsFile`"


class MapKeyRef(Spec):
    """A key of a config map."""

    name: ObjectName = entry("Name of the config map.", local=_VALUES)
    key: MapKey = entry("Its key.", local=_VALUES)
    optional: bool = entry("Whether it may be missing.", False, local="unset when it is missing")


class SecretKeyRef(Spec):
    """A key of a secret."""

    name: ObjectName = entry("Name of the secret.", local=_SECRETS)
    key: MapKey = entry("Its key.", local=_SECRETS)
    optional: bool = entry("Whether it may be missing.", False, local="unset when it is missing")


class FieldRef(Spec):
    """A field of the pod."""

    field_path: PodField = entry("The field, such as `metadata.name`.", local="what a replica has of it")
    api_version: Text = entry("Version of its schema.", "v1", local="not used")


class ResourceFieldRef(Spec):
    """A limit or request of the container."""

    resource: ResourceField = entry("The resource, such as `requests.cpu`.", local="what the group asks for")
    container_name: Filled[Label] = entry("The container.", None, local="not used")
    divisor: Filled[Text] = entry("The unit of the number.", None, local="not used")


class ValueFrom(Spec):
    """Where the value of a variable comes from; exactly one."""

    config_map_key_ref: Filled[MapKeyRef] = entry("A key of a config map.", None, local=_VALUES)
    secret_key_ref: Filled[SecretKeyRef] = entry("A key of a secret.", None, local=_SECRETS)
    field_ref: Filled[FieldRef] = entry("A field of the pod.", None, local="name, namespace, addresses of the replica")
    resource_field_ref: Filled[ResourceFieldRef] = entry(
        "A resource of the container.", None, local="requests of cpu and memory"
    )


class EnvVar(Spec):
    """A variable of the container's environment."""

    name: VariableName = entry("Name of the variable.", local="set", rules="once in a list")
    value: MaybeEmpty = entry(
        "Its value. `$(NAME)` stands for another variable.", None, local="set", rules="not with valueFrom"
    )
    value_from: Filled[ValueFrom] = entry(
        "Where the value comes from.", None, local="set", rules="exactly one source; not with value"
    )


class HttpHeader(Spec):
    """A header of a probe's request."""

    name: Name = entry("Name of the header.", local="sent", pattern=r"^[-A-Za-z0-9]+$")
    value: LooseText = entry("Its value.", local="sent")


class HttpGetAction(Spec):
    """A request that must be answered with 200 to 399."""

    path: Name = entry("Path of the request.", "/", local="asked")
    port: PortOrName = entry("Port of the container.", local="mapped to the replica's own port")
    scheme: Literal["HTTP", "HTTPS"] = entry("HTTP or HTTPS.", "HTTP", local="asked")
    host: Filled[Text] = entry("Host to ask; the pod itself by default.", None, local="asked")
    http_headers: Items[HttpHeader] = entry("Headers of the request.", (), local="sent")


class TcpSocketAction(Spec):
    """A port that must take connections."""

    port: PortOrName = entry("Port of the container.", local="mapped to the replica's own port")
    host: Filled[Text] = entry("Host to connect to; the pod itself by default.", None, local="tried")


class GrpcAction(Spec):
    """gRPC's health check."""

    port: Port = entry("Port of the container.", local="warned about")
    service: Filled[Text] = entry("Service to ask for.", None, local="warned about")


class ExecAction(Spec):
    """A command that must end with 0."""

    command: FilledItems[Text] = entry("The command, without a shell.", local="run on this machine")


class ProbeSpec(Spec):
    """A Kubernetes Probe, whole; exactly one of `httpGet`, `tcpSocket`, `grpc`, `exec`. Times in seconds."""

    http_get: Filled[HttpGetAction] = entry("An HTTP request.", None, local="asked")
    tcp_socket: Filled[TcpSocketAction] = entry("A TCP connection.", None, local="tried")
    grpc: Filled[GrpcAction] = entry("A gRPC health check.", None, local="warned about")
    exec: Filled[ExecAction] = entry("A command.", None, local="run on this machine")
    initial_delay_seconds: Count = entry("Wait before the first check.", 0, local="kept")
    period_seconds: Positive = entry("Time between checks.", 10, local="kept")
    timeout_seconds: Positive = entry("Time for an answer.", 1, local="kept")
    success_threshold: Positive = entry("Successes in a row that count.", 1, local="kept", rules="1 for liveness")
    failure_threshold: Positive = entry("Failures in a row that count.", 3, local="kept")
    termination_grace_period_seconds: Filled[Positive] = entry(
        "Time to end after a failed probe.", None, local="kept", rules="not for readiness"
    )


class VolumeMountSpec(Spec):
    """A volume at a path of the container."""

    name: Label = entry(
        "Name of a volume of `volumes`, or `model-data`.", local="bound in a namespace of its own, where allowed"
    )
    mount_path: AbsolutePath = entry("Where it stands in the container.", local="bound", rules="once in a list")
    sub_path: Filled[InnerPath] = entry("A folder or file inside the volume.", None, local="bound")
    sub_path_expr: Filled[InnerPath] = entry(
        "The same, with `$(NAME)` of the environment.", None, local="bound", rules="not with subPath"
    )
    read_only: bool = entry("Whether writing is refused.", False, local="kept")
    mount_propagation: Filled[Literal["None", "HostToContainer", "Bidirectional"]] = entry(
        "How later mounts spread.", None, local="not used"
    )
    recursive_read_only: Filled[Literal["Disabled", "IfPossible", "Enabled"]] = entry(
        "Whether mounts below are read-only too.", None, local="not used"
    )


class KeyToPath(Spec):
    """A key that becomes a file."""

    key: MapKey = entry("The key.", local="warned about")
    path: InnerPath = entry("Path of the file.", local="warned about")
    mode: Filled[FileMode] = entry("Mode of the file.", None, local="warned about")


class HostPathSource(Spec):
    """A folder of the node."""

    path: AbsolutePath = entry("The folder.", local="a folder of this machine")
    type: Filled[
        Literal["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"]
    ] = entry("What must be there.", None, local="not used")


class EmptyDirSource(Spec):
    """A fresh folder for each replica."""

    medium: Filled[Literal["", "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi"]] = entry(
        "Where it is kept.", None, local="on disk"
    )
    size_limit: Filled[StorageQuantity] = entry("Its largest size.", None, local="not used")


class ConfigMapSource(Spec):
    """A config map as files."""

    name: ObjectName = entry("Name of the config map.", local="warned about")
    items: Items[KeyToPath] = entry("The keys that become files; all by default.", (), local="warned about")
    default_mode: Filled[FileMode] = entry("Mode of the files.", None, local="warned about")
    optional: bool = entry("Whether it may be missing.", False, local="warned about")


class SecretSource(Spec):
    """A secret as files."""

    secret_name: ObjectName = entry("Name of the secret.", local="warned about")
    items: Items[KeyToPath] = entry("The keys that become files; all by default.", (), local="warned about")
    default_mode: Filled[FileMode] = entry("Mode of the files.", None, local="warned about")
    optional: bool = entry("Whether it may be missing.", False, local="warned about")


class ClaimSource(Spec):
    """A claim of storage."""

    claim_name: ObjectName = entry("Name of the claim.", local="warned about")
    read_only: bool = entry("Whether writing is refused.", False, local="warned about")


class NfsSource(Spec):
    """A folder of an NFS server."""

    server: Name = entry("Name of the server.", local="warned about")
    path: AbsolutePath = entry("The folder.", local="warned about")
    read_only: bool = entry("Whether writing is refused.", False, local="warned about")


class VolumeSpec(Spec):
    """A Kubernetes volume; exactly one source."""

    name: Label = entry("Name that mounts use.", local="kept", rules="once in a list; not `model-data`")
    host_path: Filled[HostPathSource] = entry("A folder of the node.", None, local="a folder of this machine")
    empty_dir: Filled[EmptyDirSource] = entry("A fresh folder for each replica.", None, local="a fresh folder")
    config_map: Filled[ConfigMapSource] = entry("A config map as files.", None, local="warned about")
    secret: Filled[SecretSource] = entry("A secret as files.", None, local="warned about")
    persistent_volume_claim: Filled[ClaimSource] = entry("A claim of storage.", None, local="warned about")
    nfs: Filled[NfsSource] = entry("A folder of an NFS server.", None, local="warned about")
    projected: Filled[dict[str, Any]] = entry("Several sources in one folder.", None, local="warned about")
    downward_api: Filled[dict[str, Any]] = entry(
        "Fields of the pod as files.", None, local="warned about", alias="downwardAPI"
    )
    csi: Filled[dict[str, Any]] = entry("A volume of a storage driver.", None, local="warned about")
    ephemeral: Filled[dict[str, Any]] = entry("A claim that lives as long as its pod.", None, local="warned about")
    image: Filled[dict[str, Any]] = entry("The files of a container image.", None, local="warned about")
    iscsi: Filled[dict[str, Any]] = entry("A disk of an iSCSI server.", None, local="warned about")
    fc: Filled[dict[str, Any]] = entry("A disk of a Fibre Channel network.", None, local="warned about")
    azure_disk: Filled[dict[str, Any]] = entry("A disk of Azure.", None, local="warned about")
    azure_file: Filled[dict[str, Any]] = entry("A share of Azure.", None, local="warned about")
    aws_elastic_block_store: Filled[dict[str, Any]] = entry("A disk of AWS.", None, local="warned about")
    gce_persistent_disk: Filled[dict[str, Any]] = entry("A disk of Google Cloud.", None, local="warned about")
    vsphere_volume: Filled[dict[str, Any]] = entry("A disk of vSphere.", None, local="warned about")
    cinder: Filled[dict[str, Any]] = entry("A disk of OpenStack.", None, local="warned about")
    portworx_volume: Filled[dict[str, Any]] = entry("A disk of Portworx.", None, local="warned about")
    flex_volume: Filled[dict[str, Any]] = entry("A volume of an exec driver.", None, local="warned about")
