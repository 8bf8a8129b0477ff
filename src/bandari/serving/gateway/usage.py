"""How many tokens an answer took, read off its last bytes without decoding all of it; pure.

OpenAI's `usage` stands at the end of chat answers and of the last event before `[DONE]`, and before the data of
embeddings in llama.cpp. Where a stream has none, llama.cpp's `timings` of the last event tell.
"""

from __future__ import annotations

import re
from typing import NamedTuple

EDGE = 4096
"""Bytes at either end of an answer that are looked at."""
_NUMBER = re.compile(
    rb'"(prompt_tokens|completion_tokens|prompt_n|cache_n|predicted_n)"\s*:\s*(\d{1,12})(?![\d.])',
)


class Usage(NamedTuple):
    """Tokens read and written."""

    input: int
    output: int


def read(text: bytes) -> Usage | None:
    """From the last `usage` in `text`, else its last `timings`; None when it holds neither. A quote inside of JSON text
    is escaped, so what a model says cannot be taken for it.
    """
    for name in (b'"usage"', b'"timings"'):
        if (start := text.rfind(name)) >= 0:
            found = {key: int(number) for key, number in _NUMBER.findall(text, start, start + 1024)}
            if b"prompt_tokens" in found:
                return Usage(found[b"prompt_tokens"], found.get(b"completion_tokens", 0))
            if b"predicted_n" in found:
                return Usage(found.get(b"prompt_n", 0) + found.get(b"cache_n", 0), found[b"predicted_n"])
    return None
