"""The cluster file as typed models: the target keys and their sections. Shapes alone; see `meaning` for the rest."""

from __future__ import annotations

from typing import Any, Literal

from bandari.specs.fields import (
    Address,
    Count,
    Items,
    Label,
    LooseText,
    MapKey,
    Maybe,
    Name,
    ObjectName,
    Port,
    Positive,
    StorageQuantity,
    Text,
    entry,
)
from bandari.specs.groups import Described, MixedModelGroupSpec, ModelGroupSpec, NodeGroupSpec, ResourceRequestSpec
from bandari.specs.ray_clusters import RayClusterSpec

_LATER = "not served yet: warned about"
_CLOUDS = "required on aws and gcp"
_NONE = "not used"


class ClusterSpec(Described):
    """The cluster as a whole."""

    name: Label = entry("Name of the cluster.", local="folder of its state, `--cluster`", example="my-awesome-cluster")
    region: Maybe[Name] = entry("Region of the cloud.", None, local=_NONE, rules=_CLOUDS, example="us-west-2")
    namespace: Label = entry("Kubernetes namespace.", "default", local="names in metrics and queries")
    node_type: Maybe[Name] = entry(
        "Machine type of system parts, functions and job workers.",
        None,
        local=_NONE,
        rules=_CLOUDS,
        example="t3a.medium",
    )
    min_nodes: Maybe[Count] = entry("Fewest nodes of that type.", None, local=_NONE, example=1, rules=_CLOUDS)
    max_nodes: Maybe[Count] = entry(
        "Most nodes of that type.", None, local=_NONE, example=4, rules=f"{_CLOUDS}; not below minNodes"
    )
    log_retention_days: Positive = entry(
        "Days that logs are kept.", 14, local="logs are rotated by size", clusters=_NONE, aws="planned",
        rules="on aws a number that CloudWatch takes",
    )  # fmt: skip


class FunctionSpec(Described):
    """Nodes that functions prefer."""

    node_groups: Items[NodeGroupSpec] = entry("Their node groups.", (), local=_LATER)


class JobSpec(Described):
    """Job workers and their broker."""

    enabled: bool = entry("Whether jobs are wanted.", False, local=_LATER)
    broker_storage_size: StorageQuantity = entry("Storage of the broker (Redis).", "10Gi", local=_LATER)
    node_groups: Items[NodeGroupSpec] = entry("Node groups that workers prefer.", (), local=_LATER)


class VectorStoreSpec(Described):
    """A vector store (Qdrant); present means wanted."""

    node_type: Maybe[Name] = entry("Machine type of its nodes.", None, local=_LATER, rules=_CLOUDS)
    disk_size: Positive = entry("Disk of a node, GB.", 20, local=_LATER)
    replicas: Positive = entry("Number of replicas.", 1, local=_LATER)
    storage_size: StorageQuantity = entry("Storage of a replica.", "10Gi", local=_LATER)
    resource_request: Maybe[ResourceRequestSpec] = entry("What a replica asks of its node.", None, local=_LATER)


class PrometheusSpec(Described):
    """Monitoring (kube-prometheus-stack)."""

    enabled: bool = entry("Whether monitoring is wanted.", False, local=_LATER)
    storage_size: StorageQuantity = entry("Storage of the metrics.", "10Gi", local=_LATER)
    grafana: bool = entry("Dashboards.", False, local=_LATER)
    alertmanager: bool = entry("Alerts.", False, local=_LATER)
    kube_api_server: bool = entry("Metrics of the API server.", False, local=_LATER)
    kubelet: bool = entry("Metrics of the kubelets.", False, local=_LATER)
    kube_controller_manager: bool = entry("Metrics of the controller manager.", False, local=_LATER)
    core_dns: bool = entry("Metrics of DNS.", False, local=_LATER)
    kube_etcd: bool = entry("Metrics of etcd.", False, local=_LATER)
    kube_scheduler: bool = entry("Metrics of the scheduler.", False, local=_LATER)
    kube_proxy: bool = entry("Metrics of kube-proxy.", False, local=_LATER)
    kube_state_metrics: bool = entry("Metrics of the objects.", False, local=_LATER)
    node_exporter: bool = entry("Metrics of the nodes.", False, local=_LATER)
    thanos_ruler: bool = entry("Rules over several Prometheus.", False, local=_LATER)


class TracingSpec(Described):
    """Tracing (Zipkin)."""

    enabled: bool = entry("Whether tracing is wanted.", False, local=_LATER)
    auto_scaling_enabled: bool = entry("Whether its collector scales.", False, local=_LATER)
    zipkin_helm_settings: Maybe[dict[str, Any]] = entry("Values of the Zipkin chart.", None, local=_LATER)


class TargetSpec(Described):
    """The target: what is to run there."""

    cluster: ClusterSpec = entry("Its name, its place and its default nodes.", local="required")
    model_groups: Items[ModelGroupSpec] = entry("Model groups on on-demand nodes.", (), local="served")
    mixed_model_groups: Items[MixedModelGroupSpec] = entry(
        "Model groups on spot and on-demand nodes.", (), local="served"
    )
    vector_store: Maybe[VectorStoreSpec] = entry("A vector store; present means wanted.", None, local=_LATER)
    function: Maybe[FunctionSpec] = entry("Nodes that functions prefer.", None, local=_LATER)
    job: Maybe[JobSpec] = entry("Job workers and their broker.", None, local=_LATER)
    prometheus: Maybe[PrometheusSpec] = entry("Monitoring.", None, local=_LATER)
    tracing: Maybe[TracingSpec] = entry("Tracing.", None, local=_LATER)
    ray_clusters: Items[RayClusterSpec] = entry("Ray clusters.", (), local="served on real Ray")


class TlsSpec(Described):
    """Certificate of the public listener, PEM files beside the cluster file."""

    certificate: Name = entry("File of the certificate chain.", local="served", clusters=_NONE)
    key: Name = entry("File of its private key.", local="read", clusters=_NONE)


class LocalOptionsSpec(Described):
    """Options of this machine; they may stand beside another target."""

    values: dict[ObjectName, dict[MapKey, LooseText]] = entry(
        "Config maps of this machine: name, key, value.", dict, local="for configMapKeyRef", clusters=_NONE
    )
    secrets_file: Maybe[Name] = entry(
        "YAML file of secrets: name, key, value.", None, local="for secretKeyRef", clusters=_NONE
    )
    port: Maybe[Port] = entry(
        "Port of the loopback listener; the first free one from 8000 by default.", None, local="listens", clusters=_NONE
    )
    public_address: Address = entry(
        "Address of the public listener.", "0.0.0.0", local="listens when a group is public", clusters=_NONE
    )
    public_port: Maybe[Port] = entry("Port of the public listener.", None, local="listens", clusters=_NONE)
    tls: Maybe[TlsSpec] = entry("Certificate of the public listener.", None, local="HTTPS", clusters=_NONE)
    gpu: Maybe[bool] = entry("Whether to use a GPU; if there is one, by default.", None, local="used", clusters=_NONE)


class LocalTargetSpec(LocalOptionsSpec, TargetSpec):
    """This machine as the target."""


class NodeClassSpec(Described):
    """The provisioner's class of nodes."""

    group: Text = entry("API group.", local=_NONE)
    kind: Name = entry("Kind.", local=_NONE)
    name: ObjectName = entry("Name.", local=_NONE)


class KubernetesOptionsSpec(Described):
    """Options of a Kubernetes cluster that exists; they may stand beside another target."""

    context: Maybe[Name] = entry("Context of the kubeconfig.", None, local=_NONE)
    provisioner: Maybe[Literal["none", "karpenter"]] = entry("What makes nodes there.", None, local=_NONE)
    node_class: Maybe[NodeClassSpec] = entry("The provisioner's class of nodes.", None, local=_NONE)
    gateway_class: Maybe[ObjectName] = entry("Class of the gateway.", None, local=_NONE)
    tls_secret: Maybe[ObjectName] = entry("Secret with the gateway's certificate.", None, local=_NONE)
    operators: Maybe[dict[str, Any]] = entry("Settings of the operators.", None, local=_NONE)


class KubernetesTargetSpec(KubernetesOptionsSpec, TargetSpec):
    """A Kubernetes cluster as the target."""
