"""What the nodes of a Ray cluster are: the machine that each kind stands for, what Ray may schedule on it, and how much
of its bytes this machine gives it. Pure; the one place where logical resources are made from physical ones.

Logical resources that a file gives win over what the machine has, one by one, so a node with only `GPU` given keeps its
CPUs. A head beside worker groups that says nothing takes no tasks; what it does say is all that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bandari.analysis.ray_nodes import Node, nodes
from bandari.analysis.ray_scale import Size, factor, most
from bandari.catalog import match
from bandari.catalog.machines import Gpus, Machines, MachineType, Price
from bandari.desired.ray import HEAD, PhysicalShape, RayCluster, Shape, WorkerGroup
from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Origin
from bandari.units import Bounds, Memory

ACCELERATOR_LABEL = "ray.io/accelerator-type"
TOPOLOGY_LABEL = "ray.io/tpu-topology"
ACCELERATOR_RESOURCE = "accelerator_type:"
OBJECT_STORE_SHARE = 0.3
"""Of a node's memory, Ray's own default (DEFAULT_OBJECT_STORE_MEMORY_PROPORTION); the rest is for tasks."""
BYTES = frozenset({"memory", "object_store_memory"})
RESERVED = frozenset({"system_reserved_cpu_millicpu", "system_reserved_memory_bytes"})
"""Keys of `resources` that set something aside for the system: no resources of Ray."""
DEFAULT_HEADS: Mapping[str, str] = {"aws": "m5.2xlarge", "gcp": "n2-standard-8", match.POD: "2CPU-8GB"}
"""A head that the file says nothing of, by the provider of its other nodes; AWS where nothing tells."""
SELECTED: Mapping[str, tuple[str, ...]] = {
    "aws": ("m5.xlarge", "m5.2xlarge", "m5.4xlarge", "r5.4xlarge", "g4dn.2xlarge", "g6.4xlarge", "g6.12xlarge"),
    "gcp": ("n2-standard-4", "n2-standard-8", "n2-standard-16", "n2-highmem-16", "g2-standard-8", "g2-standard-48"),
    match.POD: ("2CPU-8GB", "4CPU-16GB", "8CPU-32GB", "8CPU-32GB-1xT4"),
}
"""What `auto_select_worker_config` chooses groups from: general purpose in three sizes, one with much memory, small
GPUs and one machine with four; on Kubernetes the four pod shapes that are predefined there.
"""
SELECTED_MAX = 10
DEFAULT_PROVIDER = "aws"
"""Where neither a machine type nor the target tells."""
_PROVIDERS: Mapping[ProviderName | None, str] = {
    ProviderName.AWS: "aws",
    ProviderName.GCP: "gcp",
    ProviderName.KUBERNETES: match.POD,
}


@dataclass(frozen=True, slots=True)
class RayNode:
    """One kind of node. Bytes are those of the machine that it stands for; `scale` times them is what it gets here."""

    machine: str
    """`m5.2xlarge`, or `FP-8CPU-32GB` for a shape that is asked for."""
    hardware: MachineType | None
    """None: a machine type that is not known."""
    resources: Mapping[str, float]
    """Logical, but for bytes: CPU and GPU always, custom ones, the kind of accelerator."""
    labels: Mapping[str, str] = field(default_factory=dict)
    memory: int = 0
    object_store: int = 0
    scale: float = 1.0
    like: tuple[str, ...] = ()
    """For a shape that is asked for: the machine types that it may be given, the best first."""
    price: Price | None = None

    @property
    def physical(self) -> str:
        """`16 vCPU, 64 GiB, 1 x L4 (24 GiB each)`; empty for what is not known."""
        return in_words(self.hardware) if self.hardware else ""

    @property
    def has_gpu(self) -> bool:
        """Whether the machine has a GPU, whatever Ray is told."""
        return bool(self.hardware and self.hardware.gpus)

    @property
    def amounts(self) -> Mapping[str, float]:
        """All logical resources, bytes as declared: what floors and caps count."""
        sized = {"memory": float(self.memory), "object_store_memory": float(self.object_store)}
        return {**self.resources, **{name: amount for name, amount in sized.items() if amount}}


@dataclass(frozen=True, slots=True)
class ResolvedRay:
    """A Ray cluster with what its nodes are; groups that are chosen for the file stand in `cluster`."""

    cluster: RayCluster
    head: RayNode
    groups: Mapping[str, RayNode] = field(default_factory=dict)
    factor: float = 0.0
    """Bytes here / bytes declared, before floors; 0: no machine was asked."""
    fits: bool = True
    """Whether the bytes of all nodes fit with that; floors of many nodes may be too much."""
    provider: str = ""
    """`aws`, `gcp` or `kubernetes`, by its machine types; empty when none tells."""
    own_ray: str = ""
    """The Ray of bandari's own environment; empty: there is none."""

    def node(self, kind: Node) -> RayNode:
        """What one kind of node is."""
        return self.groups[kind.group.name] if kind.group else self.head

    def most(self, name: str) -> float:
        """The most of one resource that the whole cluster may have."""
        own = self.head.amounts.get(name, 0.0)
        groups = most(self.sizes(lambda node: node.amounts.get(name, 0.0)), self.caps)
        return min(own + groups, self.cluster.max_resources.get(name, own + groups))

    @property
    def usd_at_minimum(self) -> float | None:
        """An hour of the head and each group's minimum, on demand; None when a price is not known."""
        return self._usd(sum(g.nodes.min * _usd(self.groups[g.name]) for g in self.cluster.groups))

    @property
    def usd_at_maximum(self) -> float | None:
        """The most that an hour may cost within maxima and caps, on demand; None when a price is not known."""
        return self._usd(most(self.sizes(_usd), self.caps))

    @property
    def nodes_at_maximum(self) -> int:
        """The most nodes that there may be, the head included."""
        return 1 + int(most(self.sizes(lambda _: 1.0), self.caps))

    @property
    def caps(self) -> Mapping[str, float]:
        """What the groups may have together: `max_resources` without what a schedulable head takes."""
        return caps(self.cluster, self.head)

    @property
    def prices(self) -> tuple[Price, ...]:
        """The price lists that the sums rest on."""
        known = (node.price for node in (self.head, *self.groups.values()))
        return tuple({(p.region, p.date): p for p in known if p}.values())

    def sizes(self, value: Callable[[RayNode], float]) -> list[Size]:
        """Each group with what one of its nodes counts and is worth."""
        pairs = ((group, self.groups[group.name]) for group in self.cluster.groups)
        return [Size(group.nodes.max, node.amounts, value(node)) for group, node in pairs]

    def _usd(self, groups: float) -> float | None:
        known = all(node.price for node in (self.head, *self.groups.values()))
        return _usd(self.head) + groups if known else None


def resolve(
    cluster: RayCluster, machines: Machines, *, target: ProviderName | None = None, memory: Memory | None = None
) -> ResolvedRay:
    """`memory` is that of the machine that the nodes are to share; None: no scaling is asked for. The `target` tells
    the provider where no machine type does.
    """
    provider = provider_of(cluster, machines) or _PROVIDERS.get(target, "")
    if cluster.auto_select and not cluster.groups:
        provider = provider or DEFAULT_PROVIDER
        cluster = replace(cluster, groups=selected(cluster, machines, provider))
    kinds = {kind.name: node_of(kind, machines, provider) for kind in nodes(cluster)}
    head = kinds.pop(HEAD)
    found = ResolvedRay(cluster, head, kinds, provider=provider)
    return found if memory is None else _scaled(found, memory)


def share(state: DesiredState, memory: Memory) -> Memory:
    """What one Ray cluster has of a machine's memory: they share it alike."""
    return Memory(memory.bytes // max(1, len(state.ray_clusters())))


def provider_of(cluster: RayCluster, machines: Machines) -> str:
    """`aws`, `gcp` or `kubernetes`, by the first machine type that tells; empty when none does."""
    names = (kind.shape.instance_type for kind in nodes(cluster))
    found = (match.find(name, machines) for name in names if name)
    return next((machine.provider for machine in found if machine), "")


def selected(cluster: RayCluster, machines: Machines, provider: str) -> tuple[WorkerGroup, ...]:
    """The groups of `auto_select_worker_config`: none of them has a minimum, the cheapest comes first."""
    names = SELECTED[provider]
    known = [(name, machine) for name in names if (machine := match.find(name, machines))]
    known.sort(key=lambda pair: pair[1].price.usd_per_hour if pair[1].price else 0.0)
    origin, bounds = Origin(cluster.origin.at("auto_select_worker_config")), Bounds(0, SELECTED_MAX)
    return tuple(
        WorkerGroup(name, Shape(name, passthrough=cluster.settings), bounds, origin=origin) for name, _ in known
    )


def node_of(kind: Node, machines: Machines, provider: str = "") -> RayNode:
    """What one kind of node is, not scaled. `provider` narrows the machines that a shape may be given."""
    shape = kind.shape
    if shape.required:
        cloud = DEFAULT_PROVIDER if provider in {"", match.POD} else provider
        like = match.candidates(shape.required, machines, cloud)[: 3 if kind.group else 1]
        node = _node(kind, shape_name(shape.required), machine_of(shape.required))
        return replace(node, like=tuple(m.name for m in like), price=like[0].price if like else None)
    name = shape.instance_type or DEFAULT_HEADS[provider or DEFAULT_PROVIDER]
    return _node(kind, name, match.find(name, machines))


def machine_of(shape: PhysicalShape) -> MachineType:
    """A shape that is asked for, as if there were a machine that is exactly so."""
    memory = match.gpu_memory(shape.accelerator)
    gpus = Gpus(shape.accelerator or "GPU", shape.gpu, memory) if shape.gpu else None
    return MachineType(shape_name(shape), "", shape.cpu, shape.memory, shape.arch, gpus)


def shape_name(shape: PhysicalShape) -> str:
    """`FP-8CPU-32GB-1GPU-L4`, as groups without a name are called."""
    parts = [f"FP-{shape.cpu}CPU", f"{shape.memory.bytes // 2**30}GB"]
    parts += [f"{shape.tpu}TPU"] if shape.tpu else [f"{shape.gpu}GPU"] if shape.gpu else []
    parts += [shape.accelerator] if shape.accelerator and (shape.gpu or shape.tpu) else []
    return "-".join([*parts, *(["ARM64"] if shape.arch == "arm64" else [])])


def in_words(machine: MachineType) -> str:
    """`16 vCPU, 64 GiB, 1 x L4 (24 GiB each)`."""
    words = [f"{machine.cpu} vCPU", f"{machine.memory.bytes / 2**30:.4g} GiB"]
    gpus = machine.gpus
    if gpus:
        words.append(str(gpus) if gpus.memory.bytes else f"{gpus.count} x {gpus.name}")
    return ", ".join([*words, *(["arm64"] if machine.arch == "arm64" else [])])


def _node(kind: Node, name: str, machine: MachineType | None) -> RayNode:
    given = {k: v for k, v in (kind.shape.resources or {}).items() if k not in RESERVED}
    amounts = {**_physical(kind, machine), **given}
    memory, store = _bytes(amounts, machine)
    resources = {name: amount for name, amount in amounts.items() if name not in BYTES}
    return RayNode(
        machine=name,
        hardware=machine,
        resources={"CPU": 0.0, "GPU": 0.0, **_accelerator(kind, machine, resources), **resources},
        labels=_labels(kind, machine),
        memory=memory,
        object_store=store,
        price=machine.price if machine else None,
    )


def _physical(kind: Node, machine: MachineType | None) -> Mapping[str, float]:
    """What a node has by its machine alone; nothing for a head that leaves the work to its groups."""
    has_groups = bool(kind.cluster.groups) or kind.cluster.auto_select
    if machine is None or (kind.group is None and has_groups):
        return {}
    tpu = {"TPU": float(kind.shape.required.tpu)} if kind.shape.required and kind.shape.required.tpu else {}
    return {"CPU": machine.cpu.cores, "GPU": float(machine.gpus.count if machine.gpus else 0), **tpu}


def _bytes(amounts: Mapping[str, float], machine: MachineType | None) -> tuple[int, int]:
    """Memory for tasks and the object store. Where only one is given, the other keeps its share of the machine."""
    whole = machine.memory.bytes if machine else 0
    store = int(amounts.get("object_store_memory", whole * OBJECT_STORE_SHARE))
    return int(amounts.get("memory", whole * (1 - OBJECT_STORE_SHARE))), store


def _kinds(kind: Node, machine: MachineType | None) -> tuple[str, ...]:
    """Ray's names of the accelerator that the node has: as the file says, else as the machine has."""
    asked = kind.shape.required
    if asked:
        names = (match.kind_of(asked.accelerator), asked.accelerator) if asked.accelerator else ()
        return tuple(dict.fromkeys(names)) if asked.gpu or asked.tpu else ()
    return match.accelerators(machine.gpus) if machine and machine.gpus else ()


def _accelerator(kind: Node, machine: MachineType | None, resources: Mapping[str, float]) -> Mapping[str, float]:
    """One unit of each name of the accelerator, as Ray gives a node on which it finds one."""
    has = resources.get("GPU", 0) or resources.get("TPU", 0)
    return {f"{ACCELERATOR_RESOURCE}{name}": 1.0 for name in _kinds(kind, machine)} if has else {}


def _labels(kind: Node, machine: MachineType | None) -> Mapping[str, str]:
    named = _kinds(kind, machine)
    asked = kind.shape.required.accelerator if kind.shape.required else ""
    own = {ACCELERATOR_LABEL: asked or named[0]} if named else {}
    return {**own, **kind.shape.required_labels, **kind.shape.labels}


def caps(cluster: RayCluster, head: RayNode) -> Mapping[str, float]:
    """`max_resources` without what a schedulable head takes of it."""
    if not any(amount > 0 for amount in head.resources.values()):
        return cluster.max_resources
    return {name: max(0.0, cap - head.amounts.get(name, 0.0)) for name, cap in cluster.max_resources.items()}


def _scaled(found: ResolvedRay, memory: Memory) -> ResolvedRay:
    def size(node: RayNode) -> float:
        return float(node.memory + node.object_store)

    every = factor(size(found.head) + most(found.sizes(size), found.caps), memory)
    groups = {name: replace(node, scale=own_scale(node, every)) for name, node in found.groups.items()}
    head = replace(found.head, scale=own_scale(found.head, every))
    scaled = replace(found, head=head, groups=groups, factor=every)
    here = size(head) * head.scale + most(scaled.sizes(lambda node: size(node) * node.scale), found.caps)
    return replace(scaled, fits=here <= memory.bytes)


MEMORY_FLOOR = 128 * 2**20
OBJECT_STORE_FLOOR = 80_000_000
"""Ray refuses to start with an object store of less than 75 MiB."""


def own_scale(node: RayNode, every: float) -> float:
    """One scale for both kinds of a node's bytes, so that both can be told from it; small nodes are scaled less."""
    floors = ((MEMORY_FLOOR, node.memory), (OBJECT_STORE_FLOOR, node.object_store))
    return min(1.0, max([every, *(floor / declared for floor, declared in floors if declared)]))


def _usd(node: RayNode) -> float:
    return node.price.usd_per_hour if node.price else 0.0
