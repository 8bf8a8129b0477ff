"""From what a file says of a machine to the machine that is meant: a name, a name with a suffix, a custom shape, the
name of a pod shape, or a shape that is asked for. Pure.

Forms of names: AWS and Google Cloud types as the catalog has them; Google Cloud types with the GPU suffix that hosted
Ray adds (`n1-standard-8-nvidia-t4-16gb-1`); custom machine types (`n2-custom-8-32768`,
https://cloud.google.com/compute/docs/instances/creating-instance-with-custom-machine-type); pod shapes
(`8CPU-32GB-1xT4`, `1xT4:8CPU-32GB`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from bandari.catalog.machines import Gpus, Machines, MachineType, Price
from bandari.desired.ray import PhysicalShape
from bandari.units import Cpu, Memory

WHOLE = 0.8
"""Of a GPU's nominal memory: what a machine has less is a share of one."""
BAND = 2
"""A machine may have up to twice what is asked for."""
POD = "kubernetes"
"""`provider` of a pod shape."""
_SUFFIX = re.compile(
    r"(?P<base>.+?)-nvidia-(?:tesla-)?(?P<gpu>[a-z0-9]+)(?:-[a-z0-9]+)*?(?:-(?P<gib>\d{1,3})gb)?-(?P<n>\d{1,2})"
)
_CUSTOM = re.compile(r"(?:(?P<family>[a-z]\d[a-z]?)-)?custom-(?P<cpu>\d{1,3})-(?P<mib>\d{3,8})(?:-ext)?")
_POD = re.compile(r"(?P<cpu>\d{1,3})CPU-(?P<gib>\d{1,5})GB(?:-(?P<n>\d{1,2})x(?P<gpu>[A-Za-z0-9-]+))?")
_POD_GPU_FIRST = re.compile(r"(?P<n>\d{1,2})x(?P<gpu>[A-Za-z0-9-]+):(?P<cpu>\d{1,3})CPU-(?P<gib>\d{1,5})GB")
_GIB: Mapping[str, int] = {
    "T4": 16, "L4": 24, "V100": 16, "P100": 16, "P4": 8, "K80": 12, "A10G": 24, "L40S": 48, "A100": 40, "H100": 80,
    "H200": 141, "B200": 180, "A100-40G": 40, "A100-80G": 80,
}  # fmt: skip
"""Memory of a GPU in GiB where the name of the machine does not tell, by the makers' data sheets."""
_GPU_USD: Mapping[str, float] = {"T4": 0.35, "P4": 0.60, "P100": 1.46, "V100": 2.48}
"""An hour of one GPU that is added to a machine of Google Cloud, on demand, without the machine."""
_GPU_REGION, _GPU_DATE = "us-central1", "2026-05-20"
"""Of those prices; source: anycloud-sh/catalog 62ff0a9, a mirror of SkyPilot's catalog."""
_RAY_NAMES: Mapping[str, str] = {"RTXPRO6000": "RTX-PRO-6000", "RTX PRO Server 6000": "RTX-PRO-6000", "T4g": "T4G"}
_A100 = {40: "A100-40G", 80: "A100-80G"}


def find(name: str, machines: Machines) -> MachineType | None:
    """The machine that a name stands for; None for one that is not known."""
    return machines.get(name) or _suffixed(name, machines) or _custom(name, machines) or _pod(name)


def nearest(name: str, machines: Machines, count: int = 3) -> tuple[str, ...]:
    """Known names that are most like this one, the best first."""
    return tuple(difflib.get_close_matches(name.lower(), machines, n=count, cutoff=0.7))


def accelerators(gpus: Gpus) -> tuple[str, ...]:
    """Ray's names for a GPU (ray.util.accelerators): its kind, and for an A100 also its size."""
    kind = _RAY_NAMES.get(gpus.name) or gpus.name.split("-")[0].replace(" ", "-")
    size = _A100.get(round(gpus.memory.bytes / 2**30)) if kind == "A100" else None
    return (kind, size) if size else (kind,)


def kind_of(accelerator: str) -> str:
    """`A100` of `A100-80G`; other names are kinds already."""
    return "A100" if accelerator in _A100.values() else accelerator


def gpu_memory(accelerator: str) -> Memory:
    """Of one GPU of a kind; 0 where it is not known."""
    return Memory(_GIB.get(accelerator, 0) * 2**30)


def candidates(shape: PhysicalShape, machines: Machines, provider: str = "") -> tuple[MachineType, ...]:
    """The machines that a shape may be given, cheapest first, those without a price last: at least the CPU and memory
    that it asks for and at most twice as much, exactly its GPUs, its architecture.
    """
    found = [machine for machine in machines.all(provider) if all(fits(machine, shape) for fits in _NEEDS.values())]
    return tuple(sorted(found, key=lambda m: (m.price is None, m.price.usd_per_hour if m.price else 0.0, m.name)))


def why_none(shape: PhysicalShape, machines: Machines) -> str:
    """Which need of a shape no machine meets, in words; the needs are tried one after the other."""
    left = list(machines.all())
    count = {0: "no GPU", 1: "1 GPU"}.get(shape.gpu, f"{shape.gpu} GPUs")
    for words, fits in _NEEDS.items():
        left = [machine for machine in left if fits(machine, shape)]
        if not left:
            return words.format(shape=shape, count=count, gib=f"{shape.memory.bytes / 2**30:g}")
    return ""


def _gpus_fit(machine: MachineType, shape: PhysicalShape) -> bool:
    """A share of a GPU is none of its kind."""
    if machine.gpus is None:
        return not shape.gpu
    whole = machine.gpus.memory.bytes >= WHOLE * gpu_memory(accelerators(machine.gpus)[-1]).bytes
    return machine.gpus.count == shape.gpu and whole


def _kind_fits(machine: MachineType, shape: PhysicalShape) -> bool:
    if machine.gpus is None or not shape.accelerator:
        return True
    return shape.accelerator.lower() in {name.lower() for name in accelerators(machine.gpus)}


def _cpu_fits(machine: MachineType, shape: PhysicalShape) -> bool:
    return shape.cpu <= machine.cpu <= Cpu(shape.cpu.millicores * BAND)


def _memory_fits(machine: MachineType, shape: PhysicalShape) -> bool:
    return shape.memory <= machine.memory <= Memory(shape.memory.bytes * BAND)


_NEEDS: Mapping[str, Callable[[MachineType, PhysicalShape], bool]] = {
    "none is of architecture {shape.arch}": lambda machine, shape: machine.arch == shape.arch,
    "none has exactly {count}": _gpus_fit,
    "none has {count} of the kind {shape.accelerator}": _kind_fits,
    "none of those has {shape.cpu} to twice as many CPUs": _cpu_fits,
    "none of those has {gib} GiB to twice as much memory": _memory_fits,
}


def _suffixed(name: str, machines: Machines) -> MachineType | None:
    """A suffix on a type that has its GPUs by itself says nothing new; on another it adds them."""
    found = _SUFFIX.fullmatch(name)
    base = machines.get(found["base"]) if found else None
    if found is None or base is None or base.provider != "gcp":
        return None
    if base.gpus:
        return replace(base, name=name)
    kind = found["gpu"].upper()
    memory = Memory(int(found["gib"]) * 2**30) if found["gib"] else gpu_memory(kind)
    gpus = Gpus(kind, int(found["n"]), memory)
    return replace(base, name=name, gpus=gpus, price=_with_gpus(base.price, gpus))


def _with_gpus(price: Price | None, gpus: Gpus) -> Price | None:
    """The sum, with the older of the two dates."""
    if price is None or gpus.name not in _GPU_USD or price.region != _GPU_REGION:
        return None
    usd = round(price.usd_per_hour + gpus.count * _GPU_USD[gpus.name], 6)
    return Price(usd, price.region, min(price.date, _GPU_DATE))


def _custom(name: str, machines: Machines) -> MachineType | None:
    """Without a family it is N1. Memory is in MiB, a multiple of 256."""
    found = _CUSTOM.fullmatch(name)
    if found is None or int(found["cpu"]) == 0 or int(found["mib"]) % 256:
        return None
    family = found["family"] or "n1"
    if not any(known.startswith(f"{family}-") for known in machines):
        return None
    return MachineType(name, "gcp", Cpu(int(found["cpu"]) * 1000), Memory(int(found["mib"]) * 2**20), "x86_64")


def _pod(name: str) -> MachineType | None:
    """A pod shape says itself what it is; GB there are GiB."""
    found = _POD.fullmatch(name) or _POD_GPU_FIRST.fullmatch(name)
    if found is None or int(found["cpu"]) == 0:
        return None
    count = int(found["n"] or 0)
    gpus = Gpus(found["gpu"], count, gpu_memory(found["gpu"])) if count else None
    return MachineType(name, POD, Cpu(int(found["cpu"]) * 1000), Memory(int(found["gib"]) * 2**30), "x86_64", gpus)
