"""Desired states for tests, in few words: everything that a test does not name has a plain value.

The keyword arguments of `server` and the others are fields of the built class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bandari.catalog import machines
from bandari.catalog.host import Host
from bandari.catalog.machines import Machines
from bandari.desired.pools import Capacity, CapacityType, NodePool, ResourceList
from bandari.desired.ray import PhysicalShape, RayCluster, Shape, WorkerGroup
from bandari.desired.scaling import PrometheusTarget, ResourceKind, ResourceTarget, ScalingPolicy, TargetType
from bandari.desired.state import DesiredState, Item, LocalTarget, ProviderName, Target
from bandari.desired.workloads import EnvVar, HttpGet, ModelServer, ModelSource, Probe, ValueSource, VectorStore
from bandari.units import Bounds, Cpu, Memory

PINNED_IMAGE = "ghcr.io/ggml-org/llama.cpp:server-b6123"

_MACHINES = f"""# prices,aws,us-east-1,2026-07-20
{",".join(machines.COLUMNS)}
c5.xlarge,aws,4,8192,x86_64,,,,3920,6584,0.17,
g2-standard-4,gcp,4,16384,x86_64,L4,1,24576,,,0.7068,us-central1-:ac
g4dn.12xlarge,aws,48,196608,x86_64,T4,4,16384,47690,180755,3.912,us-east-1:abc
g4dn.xlarge,aws,4,16384,x86_64,T4,1,16384,3920,14481,0.526,us-east-1:abc
t3a.medium,aws,2,4096,x86_64,,,,1930,3246,0.0376,
t3a.small,aws,2,2048,x86_64,,,,1930,1418,0.0188,
"""


def few_machines() -> Machines:
    """A catalog of six machine types: four without a GPU or with one T4, one with four, one of the other provider."""
    return machines.parse(_MACHINES)


def server(name: str = "chat", **fields: Any) -> ModelServer:
    """A group of one to three llama.cpp replicas of the tiny model."""
    plain = ModelServer(
        name=name,
        pool="",
        image=PINNED_IMAGE,
        scaling=ScalingPolicy(Bounds(1, 3)),
        model=ModelSource(builtin="tiny"),
    )
    return replace(plain, **fields)


def vector_store(**fields: Any) -> VectorStore:
    """One Qdrant replica with 10 GiB."""
    return replace(VectorStore("vector-store", "", 1, Memory(10 * 2**30)), **fields)


def pool(name: str = "chat", machine: str = "c5.xlarge", **fields: Any) -> NodePool:
    """One to three on-demand nodes of one machine type."""
    nodes = Bounds(1, 3)
    return replace(NodePool(name, (machine,), nodes, (Capacity(CapacityType.ON_DEMAND, nodes),)), **fields)


def on_nodes(group: ModelServer, machine: str, **fields: Any) -> tuple[NodePool, ModelServer]:
    """The group with a pool of its own of that machine type."""
    return pool(group.name, machine, gpu=group.gpu, **fields), replace(group, pool=group.name, node_type=machine)


def worker_group(name: str = "workers", machine: str = "g4dn.xlarge", **fields: Any) -> WorkerGroup:
    """None to ten on-demand workers of one machine type."""
    return replace(WorkerGroup(name, Shape(machine), Bounds(0, 10)), **fields)


def ray_cluster(*groups: WorkerGroup, name: str = "rays", **fields: Any) -> RayCluster:
    """A head of g4dn.12xlarge (48 vCPU, 192 GiB, 4 T4) and these groups."""
    return replace(RayCluster(name, Shape("g4dn.12xlarge"), groups), **fields)


def required(cpu: int = 4, memory: str = "16Gi", **fields: Any) -> Shape:
    """A shape that is asked for; keyword arguments are fields of the PhysicalShape."""
    return Shape(required=PhysicalShape(Cpu(cpu * 1000), Memory.parse(memory), **fields))


def state(*items: Item, provider: ProviderName = ProviderName.AWS, **target: Any) -> DesiredState:
    """A state of these pools and workloads in a cluster named `demo`; keyword arguments are fields of the Target."""
    return DesiredState(
        replace(Target(provider, "demo"), **target),
        pools=tuple(item for item in items if isinstance(item, NodePool)),
        workloads=tuple(item for item in items if not isinstance(item, NodePool)),
    )


def local_state(*items: Item, **options: Any) -> DesiredState:
    """The same on this machine; keyword arguments are fields of the LocalTarget."""
    return state(*items, provider=ProviderName.LOCAL, local=LocalTarget(**options))


def host(**fields: Any) -> Host:
    """A Linux machine with 8 cores, 16 GiB, no GPU, the embedded engine and Ray."""
    engines = {"xllamacpp": "2026.10.1", "ray": "2.60.0"}
    plain = Host(cpus=8, memory=Memory(16 * 2**30), engines=engines, mount_namespaces=True)
    return replace(plain, **fields)


def requests(cpu: str = "", memory: str = "", gpu: int | None = None) -> ResourceList:
    """A request in Kubernetes' notation; what is left out is not said."""
    return ResourceList(Cpu.parse(cpu) if cpu else None, Memory.parse(memory) if memory else None, gpu)


def http_probe(path: str = "/health", port: int | str = 8000) -> Probe:
    """A probe that asks for a path."""
    return Probe(http_get=HttpGet(path, port))


def from_source(name: str, source: ValueSource, ref: str = "", key: str = "", *, optional: bool = False) -> EnvVar:
    """A variable whose value stands elsewhere."""
    return EnvVar(name, source=source, ref=ref, key=key, optional=optional)


def scaled(
    low: int = 1, high: int = 3, *, cpu: float | None = None, queries: Mapping[str, str] | None = None
) -> ScalingPolicy:
    """A policy with a cpu Utilization target, or with queries: server address -> PromQL."""
    targets = (ResourceTarget(ResourceKind.CPU, TargetType.UTILIZATION, cpu),) if cpu is not None else ()
    asked = tuple(PrometheusTarget(address, query, 10.0) for address, query in (queries or {}).items())
    return ScalingPolicy(Bounds(low, high), resources=targets, queries=asked)
