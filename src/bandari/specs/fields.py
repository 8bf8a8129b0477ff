"""The kinds of values that fields have: what is accepted, and in which words another value is refused.

A number that stands where text is wanted is taken as it is written (`value: 50`, `cpu: 0.5`), and a number in quotes as
the number. Validators raise the code of their finding; `shape` adds place and field.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from bandari.document import written
from bandari.units import Cpu, Memory

T = TypeVar("T")

_LONGEST_FIX = 160
_LONGEST_NUMBER = 64
_WHOLE = re.compile(r"\s*([+-]?\d+(?:_\d+)*)(?:\.0*)?\s*", re.ASCII)
LARGEST = 2**31 - 1
"""Counts, seconds and sizes of disks are int32 in Kubernetes' API."""
LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names"""
_SUBDOMAIN_PATTERN = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names"""
SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_SUBDOMAIN_PATTERN}")
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?")
_REPOSITORY = re.compile(r"(?:\b[\w\-.]+\b/)?\b[\w\-.]{1,96}\b")
"""As huggingface_hub.utils.validate_repo_id has it."""
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_MAP_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_POD_FIELD = re.compile(
    r"metadata\.(?:name|namespace|uid)|metadata\.(?:labels|annotations)\['[^']+'\]"
    r"|spec\.(?:nodeName|serviceAccountName)|status\.(?:hostIP|hostIPs|podIP|podIPs)"
)
_RESOURCE_FIELD = re.compile(r"(?:limits|requests)\.(?:cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i)")


class Spec(BaseModel):
    """A mapping of the file: no other keys than its fields, in camel case."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: "".join(w if i == 0 else w.title() for i, w in enumerate(name.split("_"))),
        hide_input_in_errors=True,
        defer_build=True,
    )


def entry(
    description: str, default: Any = ..., *, local: str, clusters: str = "planned", aws: str = "", rules: str = "",
    example: Any = None, **limits: Any,
) -> Any:  # fmt: skip
    """A field with its line of the documented table: what it does on each target, and rules that are no plain limits.

    Default `...` is "required"; a list or mapping is given by its type.
    """
    notes = {"local": local, "kubernetes": clusters, "aws": aws or clusters, "gcp": clusters, "rules": rules}
    extra: dict[str, Any] = {"x-notes": notes}
    examples = None if example is None else [example]
    how = {"default_factory": default} if isinstance(default, type) else {"default": default}
    return Field(**how, description=description, examples=examples, json_schema_extra=extra, **limits)


def refuse(code: str, reason: str, fix: str = "", why: str = "") -> PydanticCustomError:
    """The finding of a value: `reason` ends the sentence `cannot take VALUE as FIELD: ...`."""
    return PydanticCustomError("finding", "{reason}", {"code": code, "reason": reason, "fix": short(fix), "why": why})


def short(text: str) -> str:
    """Text of the file in one line of a message, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_FIX else f"{line[:_LONGEST_FIX]}..."


def as_label(name: str) -> str:
    """The DNS label nearest to a name, as the original made it: lower case, other characters to `-`, 63 at most."""
    return re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "-", name.lower()))[:63].rstrip("-")


def _text(value: Any) -> Any:
    return written(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _loose_text(value: Any) -> Any:
    return written(value) if isinstance(value, int | float | bool) else value


def _text_or_nothing(value: Any) -> Any:
    return "" if value is None else _text(value)


def whole(value: Any) -> int | None:
    """A whole number, quoted or not; None for anything else. Rules and models ask here, so that they agree."""
    if isinstance(value, str):
        found = _WHOLE.fullmatch(value) if len(value) <= _LONGEST_NUMBER else None
        return int(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value // 1 else None


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise refuse("BND203", "a whole number is expected, not true or false", "write a number")
    return value if (number := whole(value)) is None else number


def _mode(value: Any) -> Any:
    text = written(value) if isinstance(value, int) else ""
    if text.startswith("0") and text.isdecimal() and text != "0" and not set(text) - set("01234567"):
        why = "YAML 1.2 reads it as a decimal number"
        raise refuse("BND205", "an octal number begins with 0o", f"write 0o{text.lstrip('0')}", why)
    return _whole(value)


def _has_value(value: Any) -> Any:
    if value is None:
        raise refuse("BND204", "")
    return value


def _none_is_empty(value: Any) -> Any:
    return [] if value is None else value


def _cpu(text: str) -> str:
    try:
        Cpu.parse(text)
    except ValueError:
        raise refuse("BND206", "it is no CPU quantity", "write cores or thousandths: 2, 0.5 or 500m") from None
    return text.strip()


def _memory(text: str) -> str:
    try:
        Memory.parse(text)
    except ValueError:
        raise refuse("BND206", "it is no size", "write a number and its unit, such as 512Mi or 20Gi") from None
    return text.strip()


def _storage(text: str) -> str:
    if Memory.parse(_memory(text)).bytes == 0:
        raise refuse("BND205", "it must be more than 0", "write a size such as 20Gi")
    return text.strip()


def _label(text: str) -> str:
    if not LABEL.fullmatch(text):
        fix = f"write {near}" if (near := as_label(text)) else "begin it with a letter"
        why = "names become Kubernetes names and host names: a-z, 0-9 and -, at most 63"
        raise refuse("BND208", "it is no DNS label", fix, why)
    return text


def _subdomain(text: str) -> str:
    if not SUBDOMAIN.fullmatch(text):
        why = "names of Kubernetes objects hold a-z, 0-9, - and ."
        raise refuse("BND208", "it is no name of a Kubernetes object", f"write {as_label(text) or 'a name'}", why)
    return text


def _repository(text: str) -> str:
    wrong = not _REPOSITORY.fullmatch(text) or "--" in text or ".." in text or text.endswith(".git")
    if wrong:
        fix = "write owner/name" if "://" not in text else f"write {'/'.join(text.rstrip('/').split('/')[-2:])}"
        why = "the hub's names hold letters, digits, -, _ and ., no -- or .., and no .git at the end"
        raise refuse("BND209", "it is no repository id", fix, why)
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        why = "Kubernetes takes letters, digits, _, - and ., not beginning with a digit"
        raise refuse("BND210", "it is no name of an environment variable", f"write {_nearest(text)}", why)
    return text


def _nearest(text: str) -> str:
    return re.sub(r"[^-._a-zA-Z0-9]+", "_", text).lstrip("0123456789") or "a name such as LOG_LEVEL"


def _map_key(text: str) -> str:
    if not _MAP_KEY.fullmatch(text):
        why = "keys of config maps and secrets hold letters, digits, -, _ and ."
        raise refuse("BND210", "it is no key of a config map or secret", "correct the key", why)
    return text


def _pod_field(text: str) -> str:
    if not _POD_FIELD.fullmatch(text):
        fix = "write one such as metadata.name, status.podIP or metadata.labels['app']"
        raise refuse("BND207", "it is no field of a pod that Kubernetes gives to containers", fix)
    return text


def _resource_field(text: str) -> str:
    if not _RESOURCE_FIELD.fullmatch(text):
        raise refuse("BND207", "it is no resource of a container", "write one such as limits.cpu or requests.memory")
    return text


def port_number(value: Any) -> int | str:
    """A port, 1 to 65535, or the name of one."""
    if isinstance(value, str) and value.strip().isdecimal() and (number := whole(value)) is not None:
        value = number
    if isinstance(value, int) and not isinstance(value, bool):
        if 1 <= value <= 65535:
            return int(value)
        raise refuse("BND211", "a port is 1 to 65535", "write a number from 1 to 65535")
    if isinstance(value, str) and _PORT_NAME.fullmatch(value):
        return value
    why = "a name of a port holds a-z, 0-9 and -, at most 15, and a letter"
    raise refuse("BND211", "it is neither a port nor the name of one", "write the number, such as 8080", why)


def _listening(value: Any) -> int:
    if isinstance(port := port_number(value), str):
        raise refuse("BND211", "it is no number", "write a number from 1 to 65535")
    return port


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        fix = "write one of this machine's, such as 127.0.0.1, or 0.0.0.0 for all of them"
        raise refuse("BND215", "it is no IP address", fix) from None
    return text


def _absolute(text: str) -> str:
    if not text.startswith("/") or ":" in text:
        why = "a mount stands at an absolute path of the container, without a colon"
        raise refuse("BND212", "it is no absolute path", f"write /{text.strip('/').replace(':', '')}", why)
    return text


def _below(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise refuse("BND212", "it leaves its volume", "write a path inside the volume, without / before it and ..")
    return text


def _filled(value: tuple[T, ...]) -> tuple[T, ...]:
    if not value:
        raise refuse("BND214", "it is empty", "name at least one")
    return value


def _full(text: str) -> str:
    if not text.strip():
        raise refuse("BND204", "it is empty", "write a value")
    return text


def _kind(name: str, **schema: Any) -> Any:
    """What documents call a kind of value, and what its JSON Schema says beyond the type."""
    return Field(json_schema_extra={"x-kind": name, **schema})


_PORT = {"type": ["integer", "string"], "minimum": 1, "maximum": 65535}

Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[Text, AfterValidator(_full), _kind("text", pattern=r"\S")]
"""Text that is not empty."""
MaybeEmpty = Annotated[
    str | None,
    BeforeValidator(_text_or_nothing),
    WithJsonSchema({"type": ["string", "number", "null"], "x-kind": "text"}),
]
"""Text that may be absent or empty, as in `value:` of a variable."""
LooseText = Annotated[
    str, BeforeValidator(_loose_text), WithJsonSchema({"type": ["string", "number", "boolean"], "x-kind": "text"})
]
"""Text for programs that read text only; true and false are taken as words."""
Count = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_whole)]
Positive = Annotated[int, Field(ge=1, le=LARGEST), BeforeValidator(_whole)]
FileMode = Annotated[int, Field(ge=0, le=0o777), BeforeValidator(_mode)]
CpuQuantity = Annotated[
    Text, AfterValidator(_cpu), _kind("CPU quantity", minimum=0, pattern=r"^\s*(\d+m|\d+(\.\d{1,3})?)\s*$")
]
_SIZE = _kind("size", minimum=0, pattern=r"^\s*\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?\s*$")
MemoryQuantity = Annotated[Text, AfterValidator(_memory), _SIZE]
StorageQuantity = Annotated[Text, AfterValidator(_storage), _SIZE]
Label = Annotated[Text, AfterValidator(_label), _kind("DNS label", pattern=f"^{LABEL.pattern}$")]
Address = Annotated[Text, AfterValidator(_address), _kind("IP address", pattern=r"^[0-9a-fA-F.:]+(%\w+)?$")]
ObjectName = Annotated[Text, AfterValidator(_subdomain), _kind("Kubernetes name", pattern=f"^{_SUBDOMAIN_PATTERN}$")]
RepositoryId = Annotated[
    Text, AfterValidator(_repository), _kind("repository id", pattern=r"^([\w\-.]+/)?[\w\-.]{1,96}$")
]
VariableName = Annotated[Text, AfterValidator(_variable), _kind("variable name", pattern=f"^{_VARIABLE.pattern}$")]
MapKey = Annotated[Text, AfterValidator(_map_key), _kind("key", pattern=f"^{_MAP_KEY.pattern}$")]
PodField = Annotated[Text, AfterValidator(_pod_field), _kind("pod field", pattern=f"^({_POD_FIELD.pattern})$")]
ResourceField = Annotated[
    Text, AfterValidator(_resource_field), _kind("container resource", pattern=f"^{_RESOURCE_FIELD.pattern}$")
]
PortOrName = Annotated[Any, BeforeValidator(port_number), WithJsonSchema({**_PORT, "x-kind": "port or its name"})]
Port = Annotated[
    Any, BeforeValidator(_listening), WithJsonSchema({**_PORT, "x-kind": "port", "pattern": "^ *[0-9]+ *$"})
]
AbsolutePath = Annotated[Text, AfterValidator(_absolute), _kind("absolute path", pattern="^/[^:]*$")]
InnerPath = Annotated[Text, AfterValidator(_below), _kind("path", pattern="^(?!/)")]
Maybe: TypeAlias = T | None
"""May be absent; a key with nothing after it is absent too, as the original reads it."""
Filled = Annotated[T | None, BeforeValidator(_has_value)]
"""May be absent; a key with nothing after it is refused: where one of several keys is to stand, it would be none."""
Items = Annotated[tuple[T, ...], BeforeValidator(_none_is_empty)]
"""A list; a key without a value is an empty one."""
FilledItems = Annotated[tuple[T, ...], AfterValidator(_filled), Field(json_schema_extra={"minItems": 1})]
"""A list of at least one."""
