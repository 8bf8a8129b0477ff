"""Tokens are read off an answer without decoding it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.gateway.usage import Usage, read

counts = st.integers(0, 10**9)


@given(counts, counts, st.text(), st.sampled_from([None, 1]))
def test_usage_is_found_wherever_it_stands(read_: int, written: int, text: str, indent: int | None) -> None:
    usage = {"prompt_tokens": read_, "completion_tokens": written, "prompt_tokens_details": {"cached_tokens": 3}}
    before: dict[str, Any] = {"usage": usage, "choices": [{"text": text}]}
    after: dict[str, Any] = {"choices": [{"text": text}], "usage": usage}
    for document in (before, after):
        assert read(json.dumps(document, indent=indent).encode()) == Usage(read_, written)


@given(st.text(), counts)
def test_what_a_model_says_is_not_taken_for_usage(text: str, number: int) -> None:
    said = text + f'"usage": {{"prompt_tokens": {number}, "completion_tokens": {number}}}'
    assert read(json.dumps({"choices": [{"text": said}]}).encode()) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(text: bytes) -> None:
    read(text)
    read(b'"usage":{' + text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'data: {"usage": null}\n\ndata: [DONE]\n\n', None),
        (b'{"usage":{"prompt_tokens":8,"total_tokens":8},"data":[]}', Usage(8, 0)),
        (b'data: {"timings":{"cache_n":2,"prompt_n":5,"prompt_ms":1.5,"predicted_n":9}}\n\n', Usage(7, 9)),
    ],
)
def test_the_forms_of_engines(text: bytes, expected: Usage | None) -> None:
    assert read(text) == expected
