"""Machine types of AWS and GCP as facts to judge by: what a machine has and what it costs.

Pure: the table comes in as text. The composition root reads it once from
`importlib.resources.files("bandari.catalog") / "data" / "machines.csv.gz"`; `tools/catalog.py` makes that file, and
`data/README.md` tells sources, dates and licences. A lookup parses one line of the table and no more, so that a file
that names two machine types does not pay for eighteen hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bandari.diagnostics import did_you_mean
from bandari.units import Cpu, Memory

COLUMNS = (
    "name",
    "provider",
    "vcpu",
    "memory_mib",
    "arch",
    "gpu",
    "gpu_count",
    "gpu_memory_mib",
    "allocatable_millicores",
    "allocatable_mib",
    "usd_per_hour",
    "zones",
)
PRICES = "# prices"
"""Starts a line `# prices,<provider>,<region>,<date>` above the header: where and when the prices were read."""


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of one machine, all alike; a share of one (g6f) counts as one with that share's memory."""

    name: str
    count: int
    memory: Memory
    """Of each."""

    def __str__(self) -> str:
        return f"{self.count} x {self.name} ({self.memory.bytes / 2**30:.3g} GiB each)"


@dataclass(frozen=True, slots=True)
class Price:
    """On demand, Linux, the whole machine, GPU included; without tax, discount or disk."""

    usd_per_hour: float
    region: str
    date: str
    """Of the price list, ISO 8601: shown wherever the price is."""


@dataclass(frozen=True, slots=True)
class MachineType:
    """One shape of machine; None is "not known", and for `gpus` "has none"."""

    name: str
    provider: str
    """`aws` or `gcp`."""
    cpu: Cpu
    memory: Memory
    arch: str
    """`x86_64` or `arm64`."""
    gpus: Gpus | None = None
    allocatable_cpu: Cpu | None = None
    """What Kubernetes leaves to pods, as Karpenter computes it."""
    allocatable_memory: Memory | None = None
    price: Price | None = None
    zones: frozenset[str] = frozenset()
    """Zones that are known to offer it; of the regions that are not among them nothing is known."""

    def offered_in(self, zone: str) -> bool | None:
        """Whether a zone offers it; None where the zone's region is not known."""
        known = {name[:-1] for name in self.zones}
        return zone in self.zones if zone[:-1] in known else None


@dataclass(frozen=True, slots=True)
class Machines:
    """All known machine types by name; names of the two providers never clash (`g4dn.xlarge`, `g2-standard-4`)."""

    text: str
    """Header and rows, sorted by name."""
    lists: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Provider -> region and date of its prices."""
    _parsed: list[MachineType] = field(default_factory=list, compare=False, repr=False)
    """What `all` has parsed, once for all that ask."""

    def get(self, name: str) -> MachineType | None:
        """The machine type of exactly this name."""
        start = self.text.find(f"\n{name},") if name and not {",", "\n"} & set(name) else -1
        if start < 0:
            return None
        row = self.text[start + 1 : self.text.index("\n", start + 1)]
        return self._machine(dict(zip(COLUMNS, row.split(","), strict=True)))

    def nearest(self, name: str, provider: str = "") -> str | None:
        """The known name that is most like this one, of one provider if it is given; None when none is near."""
        return did_you_mean(name, (known for known, owner in self._names() if provider in ("", owner)))

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._names())

    def all(self, provider: str = "") -> Iterator[MachineType]:
        """Every machine type, or those of one provider, in the order of their names."""
        if not self._parsed:
            rows = (dict(zip(COLUMNS, line.split(","), strict=True)) for line in self.text.strip().splitlines()[1:])
            self._parsed.extend(map(self._machine, rows))
        return (machine for machine in self._parsed if provider in {"", machine.provider})

    def _names(self) -> Iterator[tuple[str, str]]:
        for line in self.text.strip().splitlines()[1:]:
            name, provider, _ = line.split(",", 2)
            yield name, provider

    def _machine(self, row: dict[str, str]) -> MachineType:
        return MachineType(
            name=row["name"],
            provider=row["provider"],
            cpu=Cpu(int(row["vcpu"]) * 1000),
            memory=_mib(row["memory_mib"]),
            arch=row["arch"],
            gpus=Gpus(row["gpu"], int(row["gpu_count"]), _mib(row["gpu_memory_mib"])) if row["gpu"] else None,
            allocatable_cpu=Cpu(int(row["allocatable_millicores"])) if row["allocatable_millicores"] else None,
            allocatable_memory=_mib(row["allocatable_mib"]) if row["allocatable_mib"] else None,
            price=self._price(row),
            zones=frozenset(_zones(row["zones"])),
        )

    def _price(self, row: dict[str, str]) -> Price | None:
        if not row["usd_per_hour"] or row["provider"] not in self.lists:
            return None
        return Price(float(row["usd_per_hour"]), *self.lists[row["provider"]])


def _zones(text: str) -> Iterator[str]:
    """`us-east-1:abd us-central1-:ac`: a region, then the letters of its zones."""
    for part in text.split():
        region, _, letters = part.partition(":")
        yield from (f"{region}{letter}" for letter in letters)


def _mib(text: str) -> Memory:
    return Memory(int(text) * 2**20)


def parse(text: str) -> Machines:
    """The table as `tools/catalog.py` writes it; ValueError for one with other columns."""
    notes, header, rows = text.partition(",".join(COLUMNS))
    if not header:
        raise ValueError(f"cannot read machine types: no header {','.join(COLUMNS)}")
    lists = {}
    for note in notes.splitlines():
        if note.startswith(PRICES):
            _, provider, region, date = note.split(",")
            lists[provider] = (region, date)
    return Machines(f"{header}{rows.rstrip()}\n", lists)


NONE = Machines(",".join(COLUMNS) + "\n")
"""A catalog that knows no machine: every rule that asks it stays silent."""
