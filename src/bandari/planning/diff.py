"""What differs between two bodies, field by field, and how a secret field prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]
MASK = "***"


class _Absent:
    """A field that one side does not have."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field's change, in the words that may be shown: a secret's values are `***` already."""

    path: Path
    before: Any
    after: Any

    @property
    def name(self) -> str:
        """The path as text: `scaling.bounds.max`, `env[HF_HOME].value`."""
        text = ""
        for key in self.path:
            text += key if key.startswith("[") else f".{key}" if text else key
        return text


def diff(before: Mapping[str, Any], after: Mapping[str, Any], secret: Iterable[Path] = ()) -> tuple[FieldDiff, ...]:
    """Every field that differs, in the order of `after`. Lists of named things (env, mounts) are compared by name."""
    secrets = frozenset(secret)
    return tuple(
        FieldDiff(path, *(MASK if value is not ABSENT and _is_secret(path, secrets) else value for value in sides))
        for path, *sides in _walk(before, after, ())
    )


def _walk(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    before, after = _named(before), _named(after)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*after, *before)):
            yield from _walk(before.get(key, ABSENT), after.get(key, ABSENT), (*path, str(key)))
    elif not _same(before, after):
        yield path, before, after


def _named(value: Any) -> Any:
    """A list of mappings that all have a name of their own, as a mapping by `[name]`; anything else as it is."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return value
    names = [child.get("name") if isinstance(child, Mapping) else None for child in value]
    if None in names or len(set(names)) < len(names):
        return value
    rest = [{key: child[key] for key in child if key != "name"} for child in value]
    return {f"[{name}]": child for name, child in zip(names, rest, strict=True)}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other) if isinstance(one, bool) else bool(one == other)


def _is_secret(path: Path, secrets: frozenset[Path]) -> bool:
    return any(path[:length] in secrets for length in range(1, len(path) + 1))


def redact(body: Any, secret: Iterable[Path], path: Path = ()) -> Any:
    """A copy of `body` with the values of secret fields as `***`; paths are those of `diff`."""
    secrets = frozenset(secret)
    if path and _is_secret(path, secrets):
        return MASK
    if isinstance(body, Mapping):
        return {key: redact(child, secrets, (*path, str(key))) for key, child in body.items()}
    if isinstance(body, list | tuple):
        return [redact(child, secrets, (*path, _element(child, index))) for index, child in enumerate(body)]
    return body


def _element(child: Any, index: int) -> str:
    return f"[{child['name']}]" if isinstance(child, Mapping) and "name" in child else f"[{index}]"
