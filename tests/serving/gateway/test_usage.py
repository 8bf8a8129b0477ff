"""Tokens are read off an answer, of a large one without decoding it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.gateway.usage import of_document, of_events

counts = st.integers(0, 10**9)


@given(counts, counts, st.text(), st.sampled_from([None, 1]), st.sampled_from([0, 10_000]))
def test_usage_is_found_wherever_it_stands(
    read: int, written: int, text: str, indent: int | None, padding: int
) -> None:
    usage = {"prompt_tokens": read, "completion_tokens": written, "prompt_tokens_details": {"cached_tokens": 3}}
    choices = [{"text": text + "x" * padding}]
    for document in ({"usage": usage, "choices": choices}, {"choices": choices, "usage": usage}):
        whole = json.dumps(document, indent=indent).encode()
        assert of_document(whole, whole) == (read, written)


@given(st.text(), counts, st.sampled_from([0, 10_000]))
def test_what_a_model_says_is_not_taken_for_usage(text: str, number: int, padding: int) -> None:
    said = "x" * padding + text + f'"usage": {{"prompt_tokens": {number}, "completion_tokens": {number}}}'
    whole = json.dumps({"choices": [{"text": said}]}).encode()
    assert of_document(whole, whole) is None
    assert of_events(b"data: " + whole + b"\n\n") is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(text: bytes) -> None:
    for part in (text, b'data: {"usage":{' + text, text + b'"usage"', text + b'"timings"' + text):
        of_document(part, part)
        of_document(b"", part)
        of_events(part)


EVENTS: list[tuple[Any, tuple[int, int] | None]] = [
    ({"usage": None}, None),
    ({"usage": {"prompt_tokens": 8, "completion_tokens": 2}}, (8, 2)),
    ({"timings": {"cache_n": 2, "prompt_n": 5, "prompt_ms": 1.5, "predicted_n": 9}}, (7, 9)),
    ({"choices": [], "usage": {"prompt_tokens": 8}, "timings": {"prompt_n": 1}}, (8, 0)),
    ([], None),
]


@pytest.mark.parametrize(("event", "expected"), EVENTS)
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
def test_the_last_events_of_engines(event: Any, expected: tuple[int, int] | None, end: str) -> None:
    before = 'data: {"choices": [{"delta": {"content": "hi"}}]}'
    stream = end.join((before, f"data: {json.dumps(event)}", "data: [DONE]", ""))
    assert of_events(stream.encode()) == expected
