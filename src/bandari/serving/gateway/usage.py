"""How many tokens an answer took; pure.

OpenAI's `usage` stands in the answer, and in the last event before `[DONE]` of a stream. Where a stream has none,
llama.cpp's `timings` of its last event tell. A large answer is not decoded: `usage` is near one of its ends.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

EDGE = 4096
"""Bytes at either end of an answer that are looked at."""
_SPAN = 1024
_NUMBER = re.compile(rb"\s*:\s*(\d{1,12})(?![\d.])")


Usage: TypeAlias = tuple[int, int]
"""Tokens read and written."""


class _Tokens(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Timings(msgspec.Struct):
    prompt_n: int = 0
    cache_n: int = 0
    predicted_n: int = 0


class _Answer(msgspec.Struct):
    usage: _Tokens | None = None
    timings: _Timings | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def of_document(first: bytes, last: bytes) -> Usage | None:
    """Of an answer that is no stream, given its first and last bytes, which are the same object when that is all."""
    if first is last and len(first) <= EDGE:
        return _told(first)
    return _seen(last[-EDGE:]) or _seen(first[:EDGE])


def of_events(last: bytes) -> Usage | None:
    """Of a stream, given its last events."""
    for name in (b'"usage"', b'"timings"'):
        at = last.rfind(name)
        if at >= 0:
            begin, end = last.rfind(b"data:", 0, at) + 5, last.find(b"\n", at)
            if used := _told(last[begin : end if end >= 0 else len(last)]):
                return used
    return None


def _told(document: bytes) -> Usage | None:
    try:
        answer = _decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if answer.usage:
        return answer.usage.prompt_tokens, answer.usage.completion_tokens
    if answer.timings:
        return answer.timings.prompt_n + answer.timings.cache_n, answer.timings.predicted_n
    return None


def _seen(part: bytes) -> Usage | None:
    # A quote inside of JSON text is escaped, so what a model says cannot be taken for the name.
    start = part.rfind(b'"usage"')
    read = _number(part, b'"prompt_tokens"', start) if start >= 0 else None
    return None if read is None else (read, _number(part, b'"completion_tokens"', start) or 0)


def _number(text: bytes, name: bytes, start: int) -> int | None:
    at = text.find(name, start, start + _SPAN)
    found = _NUMBER.match(text, at + len(name)) if at >= 0 else None
    return int(found[1]) if found else None
