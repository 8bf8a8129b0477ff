"""Makes src/bandari/catalog/data/machines.csv.gz from the CSV files of machine types and prices.

    python tools/catalog.py FOLDER

FOLDER holds `aws_instance_types.csv.gz` and `gcp_machine_types.csv.gz`. Only what a rule or a report asks for is kept.
The result depends on the input alone: equal input, equal bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from bandari.catalog.machines import COLUMNS, PRICES

OUTPUT = Path(__file__).parent.parent / "src/bandari/catalog/data/machines.csv.gz"
PRICE_LISTS = ("aws,us-east-1,2026-07-20", "gcp,us-central1,2026-08-03")
AWS_REGIONS = ("us-east-1", "us-west-2")
"""Those whose zones the source has."""
GPU_VENDORS = frozenset({"NVIDIA", "AMD"})
"""Neuron, Gaudi and TPU devices are no GPUs: nothing that asks for a GPU can be given one of them."""


def mib(gib: str) -> str:
    return str(round(float(gib) * 1024)) if gib else ""


def millicores(text: str) -> str:
    return str(int(text[:-1]) if text.endswith("m") else int(text) * 1000) if text else ""


def gpu_columns(row: dict[str, str]) -> dict[str, str]:
    """A share of a GPU (count 0 in the source) is scheduled as one device."""
    if not row["gpu"] or row.get("gpu_vendor", "NVIDIA") not in GPU_VENDORS:
        return {}
    count = max(1, int(row["gpu_count"]))
    return {"gpu": row["gpu"], "gpu_count": str(count), "gpu_memory_mib": mib(row["gpu_mem_gib_each"])}


def shape(row: dict[str, str], provider: str, price_column: str) -> dict[str, str]:
    return {
        "name": row["name"],
        "provider": provider,
        "vcpu": row["vcpu"],
        "memory_mib": mib(row["mem_gib"]),
        "arch": row["arch"],
        "usd_per_hour": row[price_column],
        "allocatable_millicores": millicores(row.get("k8s_alloc_cpu", "")),
        "allocatable_mib": row.get("k8s_alloc_mem", "").removesuffix("Mi"),
        "zones": " ".join(zones(row)),
        **gpu_columns(row),
    }


def zones(row: dict[str, str]) -> Iterator[str]:
    """A region and the letters of its zones, which is a third of the zones' names."""
    for region in AWS_REGIONS:
        if letters := row.get(f"azs_{region.replace('-', '_')}"):
            yield f"{region}:{letters}"
    found: dict[str, str] = {}
    for zone in sorted(row.get("zones", "").split()):
        found[zone[:-1]] = found.get(zone[:-1], "") + zone[-1]
    yield from (f"{region}:{letters}" for region, letters in found.items())


def read(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def rows(folder: Path) -> Iterator[dict[str, str]]:
    for row in read(folder / "aws_instance_types.csv.gz"):
        if not row["arch"].endswith("_mac"):
            yield shape(row, "aws", "od_us_east_1")
    for row in read(folder / "gcp_machine_types.csv.gz"):
        yield shape(row, "gcp", "od_us-central1")


def table(folder: Path) -> str:
    text = io.StringIO()
    text.writelines(f"{PRICES},{note}\n" for note in PRICE_LISTS)
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows(folder), key=lambda row: row["name"]))
    return text.getvalue()


def main() -> None:
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_bytes(gzip.compress(table(Path(sys.argv[1])).encode(), compresslevel=9, mtime=0))
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
