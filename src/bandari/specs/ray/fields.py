"""The kinds of values in compute configs. Stricter than those of the cluster file, as the format has it: numbers and
words are not taken for each other, so `"true"`, `"4"` and `1.0` are refused where true, 4 and 1 are meant.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

from bandari.document import written
from bandari.specs.fields import LARGEST, Spec, refuse
from bandari.units import Memory

LARGEST_CPU = 512
LARGEST_MEMORY = 24 * 2**40
LARGEST_GPU = 16
SMALLEST_MEMORY = 2**20
LARGEST_AMOUNT = 2.0**62
"""Amounts of resources are counted in 64 bits by Ray."""
_QUANTITY = re.compile(r"\s*(\d{1,6}(?:\.\d+)?)\s*[gG][iI]?[bB]?\s*", re.ASCII)
"""Gigabytes in another notation than Kubernetes'."""


class RaySpec(Spec):
    """A mapping of a compute config or of what refers to one: no other keys than its fields, in snake case."""

    model_config = ConfigDict(alias_generator=None)


def _whole(value: Any) -> Any:
    if value is None:
        return value
    if not isinstance(value, int):
        raise refuse("BND203", "a whole number is expected", "write a number without quotes and without a fraction")
    return int(value)


def _amount(value: Any) -> Any:
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("BND203", "a number is expected", _bytes_of(value) or "write a number without quotes")
    if not math.isfinite(value) or value > LARGEST_AMOUNT:
        raise refuse("BND205", "Ray cannot count as much", "write a smaller number")
    if value < 0:
        raise refuse("BND205", "it must be at least 0", "write 0 or more")
    return float(value)


def _bytes_of(value: Any) -> str:
    try:
        return f"write the number of bytes: {Memory.parse(value).bytes}" if isinstance(value, str) else ""
    except ValueError:
        return ""


def _zones(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise refuse("BND214", "it is empty", "leave it out for all zones of the region")
    return value


def _filled(text: str) -> str:
    if not text.strip():
        raise refuse("BND204", "it is empty", "write a value")
    return text


def _cpu(value: int) -> int:
    if value > LARGEST_CPU:
        raise refuse("BND704", f"no machine has more than {LARGEST_CPU} CPUs", f"write {LARGEST_CPU} or less")
    return value


def _gpu(value: int) -> int:
    if value > LARGEST_GPU:
        raise refuse("BND704", f"no machine has more than {LARGEST_GPU} GPUs", f"write {LARGEST_GPU} or less")
    return value


def _architecture(value: Any) -> Any:
    """The two names of one architecture are told apart: an edit distance would take amd64 for arm64."""
    other = {"amd64": "x86_64", "x86-64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}.get(str(value).lower())
    if other and value != other:
        raise refuse("BND207", "it is not one of x86_64 or arm64", f"write {other}")
    return value


def _memory(value: Any) -> Any:
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise refuse("BND203", "a size is expected", "write a number and its unit, such as 32Gi")
    try:
        size = Memory.parse(written(value))
    except ValueError:
        near = _QUANTITY.fullmatch(written(value))
        fix = f"write {near[1]}Gi" if near else "write a number and its unit, such as 32Gi (Ki, Mi, Gi, Ti; k, M, G, T)"
        raise refuse("BND206", "it is no size", fix) from None
    if size.bytes < SMALLEST_MEMORY:
        fix = f"write {written(value).strip()}Gi" if written(value).strip().isdecimal() else "write it in Gi"
        raise refuse("BND703", f"it means {size.bytes} bytes", fix, "less than 1 MiB is a forgotten unit")
    if size.bytes > LARGEST_MEMORY:
        raise refuse("BND704", "no machine has more than 24 TiB", "write 24Ti or less")
    return str(size)


_NUMBER = {"type": "number", "minimum": 0}

Flag = Annotated[bool, Strict()]
"""true or false, and no word for them."""
_COUNT: dict[str, Any] = {"type": ["integer", "boolean"], "x-kind": "whole number"}
"""`true` is read as 1, as the original reads it."""
Whole = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_whole), WithJsonSchema(_COUNT)]
AtLeastOne = Annotated[int, Field(ge=1, le=LARGEST), BeforeValidator(_whole), WithJsonSchema({**_COUNT, "minimum": 1})]
Cpus = Annotated[AtLeastOne, AfterValidator(_cpu)]
Gpus = Annotated[Whole, AfterValidator(_gpu)]
Amount = Annotated[float, BeforeValidator(_amount), WithJsonSchema({**_NUMBER, "x-kind": "number"})]
Amounts = dict[str, Amount]
"""Logical resources by their names."""
Filled = Annotated[str, AfterValidator(_filled), Field(json_schema_extra={"pattern": r"\S"})]
"""Text that is not empty."""
Zones = Annotated[tuple[str, ...], AfterValidator(_zones), Field(json_schema_extra={"minItems": 1})]
Size = Annotated[
    str,
    BeforeValidator(_memory),
    WithJsonSchema({"type": ["string", "integer"], "x-kind": "size"}),
]
Architecture = Annotated[Literal["x86_64", "arm64"], BeforeValidator(_architecture)]
Words = dict[str, str]
"""Labels; a number or a truth value has to stand in quotes."""
