"""Typed compute configs -> a Ray cluster and the pools of its nodes: defaults filled in, every item with its place.

Pure. Two compute configs that mean the same give equal clusters, whatever schema they are written in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bandari.desired.pools import Capacity, CapacityType, NodePool
from bandari.desired.ray import HEAD, MarketType, Passthrough, PhysicalShape, RayCluster, Shape, WorkerGroup
from bandari.diagnostics import Diagnostics, Origin
from bandari.document import Document, Path
from bandari.specs.ray import flags, names, passthrough
from bandari.specs.ray.compute import CUSTOM, NodeSpec, RequiredResourcesSpec, WorkerSpec
from bandari.specs.ray.reading import ReadConfig, read_configs
from bandari.units import Bounds, Cpu, Memory

SECTION = "rayClusters"
_NO_RESOURCES = {"CPU": 0.0, "GPU": 0.0}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A Ray cluster, and the pools of its nodes: first the head's, then one for each group in the order of the file."""

    cluster: RayCluster
    pools: tuple[NodePool, ...]


def compile_compute(document: Document, path: Path, *, name: str) -> tuple[Compiled | None, Diagnostics]:
    """The Ray cluster `name` of the compute config at `path` of a document, and every finding about it.

    `path` is () for a file that is a compute config, else the place of an inline one, such as
    ("local", "rayClusters", 0, "computeConfig"); absent, null and {} are the empty compute config, which is valid. Both
    schemas and the multi-resource form are read. None when a finding is an error. The image, limits of a cluster file
    and the like are for the caller to set with `dataclasses.replace`.
    """
    configs, found = read_configs(document, path)
    if not configs:
        return None, found
    first, *others = (_Compiler(config, name).compiled() for config in configs)
    return replace(first, cluster=replace(first.cluster, alternatives=tuple(c.cluster for c in others))), found


class _Compiler:
    """One walk over a valid compute config; `pools` grow in its order."""

    def __init__(self, config: ReadConfig, name: str) -> None:
        self.name = name
        self.config = config
        self.spec = config.spec
        self.document = config.document
        self.pools: list[NodePool] = []

    def compiled(self) -> Compiled:
        spec = self.spec
        own = flags.read(spec.flags)
        head = self._head()
        cluster = RayCluster(
            self.name,
            head,
            tuple(self._group(index, worker) for index, worker in enumerate(spec.worker_nodes or ())),
            head_given=spec.head_node is not None,
            min_resources=spec.min_resources or {},
            max_resources=spec.max_resources or {},
            zones=tuple(dict.fromkeys(spec.zones or ())),
            cross_zone=spec.enable_cross_zone_scaling,
            auto_select=spec.auto_select_worker_config,
            idle_termination=_seconds(own.pop("idle_termination_seconds", None)),
            cluster_idle_limit=self.config.idle_limit,
            uptime_limit=self.config.uptime_limit,
            flags=own,
            settings=self._settings(None, ()),
            cloud=spec.cloud or "",
            cloud_resource=spec.cloud_resource or "",
            pool=self.pools[0].name,
            origin=self.document.origin(()),
        )
        return Compiled(cluster, tuple(self.pools))

    def _head(self) -> Shape:
        head = self.spec.head_node
        shape = self._shape(head, ("head_node",)) if head else Shape(passthrough=self._settings(None, ()))
        if shape.resources == _NO_RESOURCES and (self.spec.worker_nodes or self.spec.auto_select_worker_config):
            shape = replace(shape, resources=None)
        origin = self._origin(("head_node",)) if head else self.document.origin(())
        self._pool(HEAD, shape, Bounds(1, 1), MarketType.ON_DEMAND, origin)
        return shape

    def _group(self, index: int, worker: WorkerSpec) -> WorkerGroup:
        path = ("worker_nodes", index)
        shape, market = self._shape(worker, path), MarketType(worker.market_type)
        nodes = Bounds(worker.min_nodes, worker.max_nodes)
        name, _ = names.name_of(self.document.value["worker_nodes"][index])
        pool = self._pool(name, shape, nodes, market, self._origin(path))
        return WorkerGroup(name, shape, nodes, market, pool, self._origin(path))

    def _origin(self, path: Path) -> Origin:
        return self.document.origin(path)

    def _pool(self, group: str, shape: Shape, nodes: Bounds, market: MarketType, origin: Origin) -> str:
        name = f"{self.name}-{group}"
        types = (shape.instance_type,) if shape.instance_type else ()
        gpu = bool(shape.required and shape.required.gpu)
        self.pools.append(NodePool(name, types, nodes, _capacity(market, nodes), None, gpu, SECTION, origin))
        return name

    def _shape(self, node: NodeSpec, path: Path) -> Shape:
        value = self._at(path)
        return Shape(
            "" if node.instance_type == CUSTOM and node.required_resources else node.instance_type or "",
            _physical(node.required_resources, value) if node.required_resources else None,
            dict(node.resources) if node.resources is not None else None,
            dict(node.labels or {}),
            dict(node.required_labels or {}),
            self._settings(node.advanced_instance_config, path),
            flags.read(node.flags),
            node.cloud_deployment.model_dump(exclude_none=True) if node.cloud_deployment else {},
        )

    def _at(self, path: Path) -> Mapping[str, Any]:
        value: Any = self.document.value
        for step in path:
            value = value[step]
        assert isinstance(value, dict)
        return value

    def _settings(self, own: Mapping[str, Any] | None, path: Path) -> Passthrough | None:
        """The provider's settings of a node: its own, else those of the cluster; one replaces the other."""
        if own is None:
            own, path = self.spec.advanced_instance_config, ()
        if not own:
            return None
        place = (*path, "advanced_instance_config")
        provider = self.config.providers.get(place) or passthrough.provider_of(own)
        return Passthrough(provider, own, self.document.origin(place))


def _seconds(value: int | None) -> float | None:
    return None if value is None else float(value)


def _capacity(market: MarketType, nodes: Bounds) -> tuple[Capacity, ...]:
    """In order of preference; the pool's own bounds hold for all of them together."""
    return {
        MarketType.ON_DEMAND: (Capacity(CapacityType.ON_DEMAND, nodes),),
        MarketType.SPOT: (Capacity(CapacityType.SPOT, nodes),),
        MarketType.PREFER_SPOT: tuple(_either(nodes)),
    }[market]


def _either(nodes: Bounds) -> Iterator[Capacity]:
    for kind in (CapacityType.SPOT, CapacityType.ON_DEMAND):
        yield Capacity(kind, Bounds(0, nodes.max))


def _physical(spec: RequiredResourcesSpec, node: Mapping[str, Any]) -> PhysicalShape:
    return PhysicalShape(
        Cpu(spec.CPU * 1000),
        Memory.parse(spec.memory),
        spec.GPU or 0,
        names.accelerator(node["required_resources"], node),
        spec.TPU or 0,
        spec.tpu_hosts or 0,
        spec.cpu_architecture or "x86_64",
    )
