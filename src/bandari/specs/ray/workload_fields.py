"""The kinds of values in job, service, schedule and workspace files. Shapes alone; clocks and clouds are rules."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from bandari.specs.fields import Text, refuse

LARGEST_PRIORITY = 1000
_RAY_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}|latest", re.ASCII)
_IMPORT_PATH = re.compile(r"\w+(?:\.\w+)*:\w+(?:\.\w+)*")


def _lines(value: Any) -> Any:
    """A path, or a list of lines."""
    if value is None:
        return ()
    if isinstance(value, str):
        if not value.strip():
            raise refuse("BND204", "")
        return (value,)
    if isinstance(value, list) and all(isinstance(line, str) and line.strip() for line in value):
        return tuple(value)
    raise refuse("BND203", "a path, or a list of requirements, is expected", "write requirements: [pillow==11.0.0]")


def _pip(value: Any) -> Any:
    """As `requirements`, or a mapping with `packages` and settings of the installer."""
    if isinstance(value, dict):
        return {**value, "packages": _lines(value.get("packages"))}
    return value if value is None else _lines(value)


def _none_is_none(value: Any) -> Any:
    return () if value is None else value


def _no_words(value: Any) -> Any:
    return {} if value is None else value


def _compute_config(value: Any) -> Any:
    if value is None or isinstance(value, str | dict):
        return value
    fix = "write name:version, or the compute config itself below the key"
    raise refuse("BND203", "a name or a compute config is expected", fix)


def _seconds(value: Any) -> Any:
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refuse("BND203", "a number of seconds is expected", "write a number such as 3600")
    if value <= 0:
        raise refuse("BND205", "it must be more than 0", "write the seconds that one run may take, or leave it out")
    return float(value)


def _ray_version(text: str) -> str:
    if not _RAY_VERSION.fullmatch(text):
        raise refuse("BND207", "it is no version of Ray", "write X.Y.Z, such as 2.60.0, or latest")
    return text


def _import_path(text: str) -> str:
    if not _IMPORT_PATH.fullmatch(text):
        why = "Serve imports the module before the colon and takes the application after it"
        raise refuse("BND748", "it is not of the form a.b:c", _nearest_import(text), why)
    return text


def _nearest_import(text: str) -> str:
    plain = text.strip().removesuffix(".py").replace("/", ".").strip(".")
    module, _, name = plain.rpartition(".")
    return f"write {module}:{name}" if _IMPORT_PATH.fullmatch(f"{module}:{name}") else "write module:application"


def _route(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        raise refuse("BND203", "a path is expected", "write a path such as /search")
    why = "Serve's route prefixes begin with /, do not end with it, and hold no braces"
    if not value.startswith("/") or (value != "/" and value.endswith("/")) or set(value) & set("{} ?#"):
        near = re.sub(r"[{} ?#]", "", value).strip("/")
        raise refuse("BND748", "it is no route prefix", f"write /{near}", why)
    return value


def _share(value: Any) -> Any:
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("BND203", "a number is expected", "write a number from 0 to 1")
    if not 0 <= value <= 1:
        raise refuse("BND205", "it is a share, from 0 to 1", "write a number from 0 to 1")
    return float(value)


_LINES: dict[str, Any] = {
    "type": ["string", "array", "null"],
    "items": {"type": "string"},
    "x-kind": "path or list of text",
}
Lines = Annotated[tuple[str, ...], BeforeValidator(_lines), WithJsonSchema(_LINES)]
"""Requirements: lines of pip, or one path to a file of them."""
Pip = Annotated[Any, BeforeValidator(_pip), WithJsonSchema({**_LINES, "type": [*_LINES["type"], "object"]})]
"""Requirements as Ray's runtime_env has them: lines, a path, or a mapping with `packages`."""
Texts = Annotated[
    tuple[str, ...], BeforeValidator(_none_is_none), WithJsonSchema({**_LINES, "type": ["array", "null"]})
]
"""A list of text; a key without a value is an empty one."""
_WORDS = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "number"]}}
Variables = Annotated[dict[str, Text], BeforeValidator(_no_words), WithJsonSchema(_WORDS)]
"""Environment variables; a number is taken as it is written."""
ComputeConfig = Annotated[
    Any,
    BeforeValidator(_compute_config),
    WithJsonSchema({"type": ["string", "object", "null"], "x-kind": "name or compute config"}),
]
"""Inline, or `name[:version]`; what stands in it is read as a compute config."""
Seconds = Annotated[
    float | None,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": ["number", "null"], "exclusiveMinimum": 0, "x-kind": "seconds"}),
]
Share = Annotated[
    float | None, BeforeValidator(_share), WithJsonSchema({"type": ["number", "null"], "x-kind": "share"})
]
RayVersion = Annotated[Text, AfterValidator(_ray_version), Field(json_schema_extra={"x-kind": "version of Ray"})]
ImportPath = Annotated[str, AfterValidator(_import_path), Field(json_schema_extra={"x-kind": "import path"})]
Route = Annotated[
    str | None, BeforeValidator(_route), WithJsonSchema({"type": ["string", "null"], "x-kind": "route prefix"})
]
Priority = Annotated[int, Field(ge=0, le=LARGEST_PRIORITY)]
