"""Plain scalars by YAML 1.2's core schema: https://yaml.org/spec/1.2.2/#103-core-schema.

So `yes` and `on` are text, `012` is twelve, and there are no dates and no base 60.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_LONGEST_NUMBER = 64
"""Characters; a longer row of digits is text."""
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (_INT, int),
    (_OCTAL, lambda text: int(text, 0)),
    (_HEX, lambda text: int(text, 0)),
    (_FLOAT, float),
    (_INFINITY, lambda text: float(text.replace(".", ""))),
    (_NAN, lambda _: float("nan")),
)
TAG = "tag:yaml.org,2002:"
_TAGGED: Mapping[str, tuple[type, ...]] = {
    f"{TAG}int": (int,),
    f"{TAG}float": (float, int),
    f"{TAG}bool": (bool,),
    f"{TAG}null": (type(None),),
}


class WrittenInt(int):
    """A whole number that is written otherwise than Python prints it, such as `012`."""

    text: str


class WrittenFloat(float):
    """A number that is written otherwise than Python prints it, such as `1.10`."""

    text: str


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER or text[0] not in "0123456789+-.":
        return text
    for pattern, read in _NUMBERS:
        if pattern.fullmatch(text):
            return _remembering(read(text), text)
    return text


def _remembering(number: float, text: str) -> int | float:
    if str(number) == text:
        return number
    kept = WrittenInt(number) if isinstance(number, int) else WrittenFloat(number)
    kept.text = text
    return kept


def written(value: Scalar) -> str:
    """A scalar as it is written in the file: `1.10` stays `1.10`."""
    if isinstance(value, WrittenInt | WrittenFloat):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with a tag of the core schema; ValueError where the text is none of that kind, LookupError
    for another tag.
    """
    if tag in (f"{TAG}str", "!"):
        return text
    kinds = _TAGGED[tag]
    value = plain(text)
    if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
        return value
    raise ValueError(text)
