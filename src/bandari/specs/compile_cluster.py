"""The typed cluster file -> the desired state: defaults filled in, quantities parsed, every item with its place. Pure.

Two files that mean the same give equal states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from bandari.desired.pools import Capacity, CapacityType, NodePool, ResourceList
from bandari.desired.state import DesiredState, LocalTarget, ProviderName, Target, Tls, Workload
from bandari.desired.workloads import Function, JobQueue, Monitoring, Tracing, VectorStore
from bandari.diagnostics import Origin
from bandari.document import Document, written
from bandari.specs.cluster import LocalOptionsSpec, PrometheusSpec, TargetSpec
from bandari.specs.compile_group import model_server, resources
from bandari.specs.fields import Spec
from bandari.specs.groups import GroupSpec, MixedModelGroupSpec, ModelGroupSpec, NodeGroupSpec
from bandari.specs.ray_clusters import with_settings
from bandari.units import Bounds, Memory

if TYPE_CHECKING:
    from bandari.specs.compile_ray import Compiled

SYSTEM = "system"
_SWITCHES = tuple(
    (field.alias or name, name) for name, field in PrometheusSpec.model_fields.items() if field.annotation is bool
)


def compile_cluster(
    document: Document,
    key: str,
    provider: ProviderName,
    specs: Mapping[str, Spec | None],
    rays: Iterable[Compiled] = (),
) -> DesiredState:
    """The state of a file whose target key is `key`; `specs` holds the valid mappings by their keys, `rays` the compute
    configs of `rayClusters` in their order.
    """
    spec = specs[key]
    assert isinstance(spec, TargetSpec)
    local = specs.get("local")
    compiler = _Compiler(document, key, spec)
    compiler.ray_clusters(rays)
    return compiler.state(provider, local if isinstance(local, LocalOptionsSpec) else None)


class _Compiler:
    """One walk over the sections of a file; `pools` and `workloads` grow in their order."""

    def __init__(self, document: Document, key: str, spec: TargetSpec) -> None:
        self.document = document
        self.key = key
        self.spec = spec
        self.pools: list[NodePool] = []
        self.workloads: list[Workload] = []
        self.rays: list[Compiled] = []

    def state(self, provider: ProviderName, local: LocalOptionsSpec | None) -> DesiredState:
        self._system()
        self._groups()
        self._sections()
        for made in self.rays:
            self.pools += made.pools
            self.workloads.append(made.cluster)
        top = written(self.document.value.get("description"))
        words = (top, self.spec.description, self.spec.cluster.description)
        return DesiredState(
            self._target(provider, local),
            tuple(self.pools),
            tuple(self.workloads),
            next((text for text in words if text), ""),
        )

    def ray_clusters(self, rays: Iterable[Compiled]) -> None:
        """Takes in the Ray clusters, each with its nodes."""
        for index, (spec, compiled) in enumerate(zip(self.spec.ray_clusters, rays, strict=True)):
            made = with_settings(spec, compiled, self.document, (self.key, "rayClusters", index))
            self.rays.append(made)

    def _origin(self, *path: str | int) -> Origin:
        return self.document.origin((self.key, *path))

    def _target(self, provider: ProviderName, local: LocalOptionsSpec | None) -> Target:
        cluster = self.spec.cluster
        return Target(
            provider,
            cluster.name,
            cluster.region or "",
            cluster.namespace,
            cluster.log_retention_days,
            self._local(local) if local else LocalTarget(origin=self._origin("cluster")),
            self._origin("cluster"),
        )

    def _local(self, local: LocalOptionsSpec) -> LocalTarget:
        return LocalTarget(
            local.values,
            local.secrets_file or "",
            local.port,
            local.public_address,
            local.public_port,
            Tls(local.tls.certificate, local.tls.key) if local.tls else None,
            local.gpu,
            self.document.origin(("local",)),
        )

    def _pool(
        self,
        section: str,
        name: str,
        types: tuple[str, ...],
        capacity: tuple[Capacity, ...],
        nodes: Bounds,
        *,
        origin: Origin,
        disk: int | None = None,
        gpu: bool = False,
    ) -> str:
        """Adds a pool, under a name that no other has, and returns the name."""
        if not types:
            return ""
        taken = {pool.name for pool in self.pools}
        while name in taken:
            name = f"{name}-nodes"
        self.pools.append(NodePool(name, types, nodes, capacity, disk, gpu, section, origin))
        return name

    def _system(self) -> None:
        cluster = self.spec.cluster
        if cluster.node_type is None:
            return
        fewest = cluster.min_nodes if cluster.min_nodes is not None else min(1, cluster.max_nodes or 1)
        nodes = Bounds(fewest, cluster.max_nodes if cluster.max_nodes is not None else max(1, fewest))
        on_demand = (Capacity(CapacityType.ON_DEMAND, nodes),)
        self._pool("cluster", SYSTEM, (cluster.node_type,), on_demand, nodes, origin=self._origin("cluster"))

    def _groups(self) -> None:
        for index, group in enumerate(self.spec.model_groups):
            nodes, capacity = _plain_capacity(group)
            self._group("modelGroups", index, group, nodes, capacity)
        for index, mixed in enumerate(self.spec.mixed_model_groups):
            nodes, capacity = _mixed_capacity(mixed)
            self._group("mixedModelGroups", index, mixed, nodes, capacity)

    def _group(self, section: str, index: int, group: GroupSpec, nodes: Bounds, capacity: tuple[Capacity, ...]) -> None:
        origin = self._origin(section, index)
        types = (group.node_type,) if group.node_type else ()
        disk = group.gpu.disk_size if group.gpu else group.disk_size
        gpu = bool(group.gpu and group.gpu.enabled)
        pool = self._pool(section, group.name, types, capacity, nodes, origin=origin, disk=disk, gpu=gpu)
        self.workloads.append(model_server(group, pool, nodes, origin))

    def _node_groups(self, section: str, groups: tuple[NodeGroupSpec, ...]) -> tuple[str, ...]:
        return tuple(self._node_group(section, index, group) for index, group in enumerate(groups))

    def _node_group(self, section: str, index: int, group: NodeGroupSpec) -> str:
        nodes = Bounds(group.min_instances, group.max_instances)
        kind = CapacityType.SPOT if group.is_spot else CapacityType.ON_DEMAND
        origin = self._origin(section, "nodeGroups", index)
        name = f"{section}-{index}"
        return self._pool(
            section, name, group.node_types, (Capacity(kind, nodes),), nodes, origin=origin, disk=group.disk_size
        )

    def _sections(self) -> None:
        spec = self.spec
        if spec.function:
            pools = self._node_groups("function", spec.function.node_groups)
            self.workloads.append(Function("function", pools, self._origin("function")))
        if spec.job and spec.job.enabled:
            pools = self._node_groups("job", spec.job.node_groups)
            storage = Memory.parse(spec.job.broker_storage_size)
            self.workloads.append(JobQueue("job", storage, pools, self._origin("job")))
        self.workloads.extend(self._vector_store())
        self.workloads.extend(self._observers())

    def _vector_store(self) -> Iterator[VectorStore]:
        if store := self.spec.vector_store:
            origin, nodes = self._origin("vectorStore"), Bounds(store.replicas, store.replicas)
            on_demand = (Capacity(CapacityType.ON_DEMAND, nodes),)
            types = (store.node_type,) if store.node_type else ()
            pool = self._pool(
                "vectorStore", "vector-store", types, on_demand, nodes, origin=origin, disk=store.disk_size
            )
            requests = resources(store.resource_request) if store.resource_request else ResourceList()
            storage = Memory.parse(store.storage_size)
            yield VectorStore("vector-store", pool, store.replicas, storage, requests, origin)

    def _observers(self) -> Iterator[Workload]:
        if (prometheus := self.spec.prometheus) and prometheus.enabled:
            on = frozenset(alias for alias, name in _SWITCHES if getattr(prometheus, name)) - {"enabled"}
            storage = Memory.parse(prometheus.storage_size)
            yield Monitoring("prometheus", storage, on, self._origin("prometheus"))
        if (tracing := self.spec.tracing) and tracing.enabled:
            settings = tracing.zipkin_helm_settings or {}
            yield Tracing("tracing", tracing.auto_scaling_enabled, settings, self._origin("tracing"))


def _plain_capacity(group: ModelGroupSpec) -> tuple[Bounds, tuple[Capacity, ...]]:
    nodes = Bounds(group.min_instances, group.max_instances)
    return nodes, (Capacity(CapacityType.ON_DEMAND, nodes),)


def _mixed_capacity(group: MixedModelGroupSpec) -> tuple[Bounds, tuple[Capacity, ...]]:
    """Spot first; min = base + spot.min, max = base + max(spot.max, maxOnDemand - base)."""
    base, on_demand = group.base_instances, group.max_on_demand_instances
    spot = Bounds(group.spot.min_instances, group.spot.max_instances)
    nodes = Bounds(base + spot.min, base + max(spot.max, on_demand - base))
    return nodes, (Capacity(CapacityType.SPOT, spot), Capacity(CapacityType.ON_DEMAND, Bounds(base, on_demand)))
