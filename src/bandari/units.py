"""Quantities, parsed once and carried as values: CPU, memory, bounds. Notation: Kubernetes' resource quantities."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CPU = re.compile(r"(?P<milli>\d{1,18})m|(?P<cores>\d{1,15}(?:\.\d{1,3})?)", re.ASCII)
_MEMORY = re.compile(r"(?P<number>\d{1,18}(?:\.\d+)?)(?P<suffix>Ki|Mi|Gi|Ti|k|M|G|T)?", re.ASCII)
_FACTORS = {
    None: 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


@dataclass(frozen=True, slots=True, order=True)
class Cpu:
    """Processor time in thousandths of a core."""

    millicores: int

    @classmethod
    def parse(cls, text: str) -> Cpu:
        """`500m`, `2` or `0.5`; ValueError otherwise."""
        if not (found := _CPU.fullmatch(text.strip())):
            raise ValueError(f"{text!r} is no CPU quantity such as 500m, 2 or 0.5")
        return cls(int(found["milli"]) if found["milli"] else round(float(found["cores"]) * 1000))

    @property
    def cores(self) -> float:
        """As a number of cores."""
        return self.millicores / 1000

    def __str__(self) -> str:
        return str(self.millicores // 1000) if self.millicores % 1000 == 0 else f"{self.millicores}m"


@dataclass(frozen=True, slots=True, order=True)
class Memory:
    """An amount of memory or storage in bytes."""

    bytes: int

    @classmethod
    def parse(cls, text: str) -> Memory:
        """`512Mi`, `2Gi`, `1G` or plain bytes; ValueError otherwise."""
        if not (found := _MEMORY.fullmatch(text.strip())):
            raise ValueError(f"{text!r} is no size such as 512Mi or 20Gi")
        return cls(round(float(found["number"]) * _FACTORS[found["suffix"]]))

    def __str__(self) -> str:
        for suffix in ("Ti", "Gi", "Mi", "Ki"):
            if self.bytes and self.bytes % _FACTORS[suffix] == 0:
                return f"{self.bytes // _FACTORS[suffix]}{suffix}"
        return str(self.bytes)

    def human(self) -> str:
        """For people: three figures and a unit, such as `3.8 GB` (decimal, as disks and hubs count)."""
        amount = float(self.bytes)
        for unit in ("B", "kB", "MB", "GB", "TB"):
            if amount < 999.5 or unit == "TB":
                break
            amount /= 1000
        return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.1f} {unit}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """An inclusive range of counts, 0 <= min <= max."""

    min: int
    max: int

    def __post_init__(self) -> None:
        if not 0 <= self.min <= self.max:
            raise ValueError(f"bounds must satisfy 0 <= min <= max, not {self.min}..{self.max}")

    def clamp(self, count: int) -> int:
        """The count of the range that is nearest to `count`."""
        return min(max(count, self.min), self.max)

    def __str__(self) -> str:
        return str(self.min) if self.min == self.max else f"{self.min}..{self.max}"
