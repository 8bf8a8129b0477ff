"""YAML 1.2 in, plain values and their places out; an answer for whatever a file may hold."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.diagnostics import Diagnostics, Span
from bandari.document import MAX_BYTES, Document, decode, load, written


def document(text: str) -> Document:
    found, diagnostics = load(text, "f")
    assert list(diagnostics) == []
    assert found is not None
    return found


def codes(found: Diagnostics) -> list[tuple[str, int, int]]:
    return [(finding.code, finding.span.line, finding.span.column) for finding in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("null", None),
        ("~", None),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("-3", -3),
        ("190:20:30", "190:20:30"),
        ("2001-12-14", "2001-12-14"),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!float 1", 1),
        ("=", "="),
        ("9" * 100, "9" * 100),
    ],
)
def test_scalars_are_read_by_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    read = document(f"a: {text}\n").value["a"]
    assert (read, isinstance(read, bool)) == (value, isinstance(value, bool))


def test_not_a_number_is_one() -> None:
    assert math.isnan(document("a: .nan\n").value["a"])


@pytest.mark.parametrize("text", ["1.10", "012", "0.5", "50", "1e3", "0x1F", "-0", "true", "text"])
def test_a_scalar_remembers_how_it_is_written(text: str) -> None:
    assert written(document(f"a: {text}\n").value["a"]) == text


def test_the_version_of_a_file_stays_text() -> None:
    assert document("version: 1.10\na: {version: 1.5}\n").value == {"version": "1.10", "a": {"version": 1.5}}


def test_a_merge_key_brings_what_is_not_written_out() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\n"
    found = document(text)
    assert found.value["c"] == {"x": 3, "y": 1, "z": 2}
    assert found.span(("c", "y")) == Span("f", 1, 17, 1)


def test_every_value_has_its_place() -> None:
    found = document("a:\n  b: text\n  c: [1, two]\nd:\n  - e: {f: 1}\n    g:\n      h: 2\n")
    places = {
        ("a", "b"): Span("f", 2, 6, 4),
        ("a", "c"): Span("f", 3, 6, 8),
        ("a", "c", 1): Span("f", 3, 10, 3),
        ("d", 0): Span("f", 5, 5, 1),
        ("d", 0, "e"): Span("f", 5, 8, 6),
        ("d", 0, "g", "h"): Span("f", 7, 10, 1),
    }
    assert {path: found.span(path) for path in places} == places


def test_a_block_below_its_key_stands_at_the_key() -> None:
    found = document("a:\n  b: 1\nc:\n  - 1\ne:\n")
    assert [found.span((key,)) for key in "ace"] == [Span("f", 1, 1), Span("f", 3, 1), Span("f", 5, 1)]


def test_what_is_absent_stands_at_what_encloses_it() -> None:
    found = document("a:\n  b: 1\n")
    assert found.span(("a", "x", 3)) == found.span(("a",))
    assert found.key_span(("a", "b")) == Span("f", 2, 3)


def test_an_origin_tells_the_places_of_its_fields() -> None:
    origin = document("a:\n  - n: x\n    env:\n      - v: 1\n").origin(("a", 0))
    assert origin.span == Span("f", 2, 5)
    assert origin.at("env", 0, "v") == Span("f", 4, 12)
    assert origin.at("env", 0, "missing") == Span("f", 4, 9)
    assert origin.at("nothing") == origin.span


def test_places_count_lines_and_characters_as_editors_do() -> None:
    found = document("\ufeffa: '\u00e4\U0001f600' \r\nb: 1\r\n")
    assert (found.span(("a",)), found.span(("b",))) == (Span("f", 1, 4, 4), Span("f", 2, 4))


def test_a_key_that_stands_twice_shows_both_places() -> None:
    _, found = load("a: 1\nb: 2\na: 3\n", "f")
    assert codes(found) == [("BND103", 3, 1)]
    assert [related.span.line for finding in found for related in finding.related] == [1]


def test_a_few_lines_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 x", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))]
    before = time.process_time()
    found, diagnostics = load("\n".join(lines), "f")
    assert (found, [finding.code for finding in diagnostics]) == (None, ["BND112"])
    assert time.process_time() - before < 5


def test_merge_keys_multiply_no_further_than_aliases() -> None:
    wide = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}\n"
    found, diagnostics = load(wide + "".join(f"b{n}: {{<<: *a}}\n" for n in range(100)), "f")
    assert (found, [finding.code for finding in diagnostics]) == (None, ["BND112"])


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "a: " + "{b: " * 50_000, "- " * 100_000, "? " * 50_000])
def test_no_nesting_exhausts_the_stack(text: str) -> None:
    found, diagnostics = load(text, "f")
    assert (found, [finding.code for finding in diagnostics]) == (None, ["BND113"])


def test_aliases_cannot_nest_deeper_than_text() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))]
    assert [code for code, _, _ in codes(load("\n".join(lines), "f")[1])] == ["BND113"]


def test_a_file_of_50_mb_is_answered_at_once() -> None:
    before = time.process_time()
    assert codes(load("a" * 50_000_000, "f")[1]) == [("BND108", 1, 1)]
    assert codes(decode(b"a" * (MAX_BYTES + 1), "f")[1]) == [("BND108", 1, 1)]
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a: 1\nb: \xff\n", ("BND107", 2, 4)),
        ("a: 1\n".encode("utf-16"), ("BND107", 1, 1)),
        ("a: \u00e4\n".encode("latin-1"), ("BND107", 1, 4)),
    ],
)
def test_bytes_that_are_no_text_are_shown_where_they_stand(data: bytes, place: tuple[str, int, int]) -> None:
    text, found = decode(data, "f")
    assert (text, codes(found)) == (None, [place])


@pytest.mark.parametrize("text", ["a: \x00\n", "a: \ud800\n", "a: \x1b[0m\n"])
def test_characters_that_no_text_has_are_refused(text: str) -> None:
    assert codes(load(text, "f")[1]) == [("BND107", 1, 4)]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert decode(b"\xef\xbb\xbfa: 1\n", "f")[0] == "a: 1\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 'x\nb: 1\n", "a quote is not closed"),
        ("a: [1, 2\nb: 1\n", "a `[` is not closed"),
        ("a: {b: 1\nc: 1\n", "a `{` is not closed"),
        ("a: b: c\n", "a `:` stands where no key can be"),
        ("a: @x\n", "text cannot begin with this character"),
        ("a:\n  b: 1\n c: 1\n", "the line fits neither its neighbours"),
        ('a: "\\q"\n', "this is no escape"),
    ],
)
def test_a_syntax_error_says_what_a_person_can_see(text: str, reason: str) -> None:
    [finding] = load(text, "f")[1]
    assert finding.code == "BND101"
    assert finding.why.startswith(reason)
    assert finding.help


@pytest.mark.parametrize("text", ["a:\n\tb: 1\n", "a:\n  b: 1\n\tc: 1\n", "a:\n \t- 1\n"])
def test_a_tab_is_named_as_what_is_wrong(text: str) -> None:
    [finding] = load(text, "f")[1]
    assert (finding.code, "\t" in text.splitlines()[finding.span.line - 1]) == ("BND102", True)


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(st.characters(codec="ascii", categories=["L"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list("abc")), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), plain_values, min_size=1))
def test_what_is_written_as_json_is_read_as_it_was(value: dict[str, object]) -> None:
    found = document(json.dumps(value))
    assert found.value == value


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), plain_values, min_size=1))
def test_the_place_of_every_value_holds_its_text(value: dict[str, object]) -> None:
    text = json.dumps(value)
    found = document(text)
    for path, span in found.origin(()).fields.items():
        at: object = found.value
        for step in path:
            at = at[step]  # type: ignore[index]
        assert text[span.column - 1 :].startswith(json.dumps(at))
