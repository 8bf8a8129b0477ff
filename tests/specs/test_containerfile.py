"""A Containerfile to stages: what is taken, in which form, and where a mistake stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.diagnostics import Diagnostic
from bandari.specs.containerfile import Containerfile, Copy, parse

BASE = "FROM rayproject/ray:2.60.0-py311\n"


def read(text: str) -> Containerfile:
    built, found = parse(text, "Containerfile")
    assert found == ()
    assert built
    return built


def found(text: str) -> tuple[Diagnostic, ...]:
    built, said = parse(text, "Containerfile")
    assert (built is None) == any(d.severity == "error" for d in said)
    return said


def test_lines_go_on_over_comments_and_empty_lines() -> None:
    stage = read(BASE + "RUN pip install \\\n  # the one that counts\n\n  humanize \\\n  cowsay\n").stages[-1]
    assert stage.runs[0].line.split() == ["pip", "install", "humanize", "cowsay"]
    assert (stage.runs[0].span.line, stage.runs[0].span.column) == (2, 1)


def test_windows_line_ends_and_lower_case_words_are_taken() -> None:
    assert read(BASE.lower().replace("\n", "\r\n") + "env A=b\r\n").stages[0].env == {"A": "b"}


def test_variables_are_put_in_from_arg_and_env() -> None:
    head = "ARG RAY=2.60.0\nARG PY=py311\nFROM rayproject/ray:${RAY}-$PY\n"
    stage = read(head + "ARG RAY\nARG WHO=me\nENV A=${WHO}\n").stages[0]
    assert stage.base == "rayproject/ray:2.60.0-py311"
    assert stage.env["A"] == "me"
    assert stage.args["RAY"] == "2.60.0"


def test_defaults_of_variables_are_taken() -> None:
    stage = read(BASE + "ENV A=${NONE:-other} B=${NONE:+set}x C=\\$HOME\n").stages[0]
    assert stage.env == {"A": "other", "B": "x", "C": "$HOME"}


def test_the_old_form_of_env_takes_the_rest_of_the_line() -> None:
    assert read(BASE + "ENV GREETING hello there\n").stages[0].env == {"GREETING": "hello there"}


def test_copies_have_absolute_targets_and_their_stage() -> None:
    stage = read(
        BASE + 'WORKDIR /app\nCOPY a b src/\nCOPY --chown=ray:users ["my file", "."]\nCOPY --from=tools /x /y\n'
    ).stages[0]
    assert [(c.sources, c.target, c.stage) for c in stage.copies] == [
        (("a", "b"), "/app/src/", ""),
        (("my file",), "/app/", ""),
        (("/x",), "/y", "tools"),
    ]
    assert isinstance(stage.copies[0], Copy)


def test_no_path_leads_out_of_the_root() -> None:
    assert read(BASE + "COPY a ../../../etc/passwd\n").stages[0].copies[0].target == "/etc/passwd"


def test_a_stage_on_a_stage_has_its_variables_and_its_base() -> None:
    built = read("FROM rayproject/ray:2.60.0-py311 AS base\nENV A=1\nFROM scratch AS tools\nFROM base\nENV B=2\n")
    assert built.base[0] == "rayproject/ray:2.60.0-py311"
    assert [stage.name for stage in built.chain()] == ["base", ""]
    assert built.stages[-1].env == {"A": "1", "B": "2"}


def test_the_json_form_of_run_keeps_its_words() -> None:
    assert read(BASE + 'RUN ["pip", "install", "a b"]\n').stages[0].runs[0].words == ("pip", "install", "a b")


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("ENV A", "BND793", "no NAME=VALUE"),
        ("ENV A=1 b", "BND793", "'b' is no NAME=VALUE"),
        ("COPY a", "BND793", "no target"),
        ("COPY a b c", "BND793", "'c' is no folder"),
        ("RUN <<EOF", "BND793", "here-document"),
        ("RUN", "BND793", "nothing follows it"),
        ("FROM a b", "BND793", "is no image"),
        ("FROM x${Y}", "BND793", "nothing sets 'Y'"),
        ("ARG X", "BND793", "has no default"),
        ("ADD a b", "BND794", "'ADD'"),
        ("ONBUILD RUN true", "BND794", "'ONBUILD'"),
        ("LABEL a=b", "BND794", "LABEL has no effect"),
        ("ENVV A=1", "BND794", "'ENVV'"),
    ],
)
def test_a_mistake_is_told_with_its_line(line: str, code: str, says: str) -> None:
    said = found(f"{BASE}\n  {line}\n")
    assert [d.code for d in said] == [code]
    assert says in said[0].message
    assert (said[0].span.line, said[0].span.column) == (3, 3)
    assert said[0].help


def test_a_misspelt_instruction_names_the_one_that_is_meant() -> None:
    assert found(BASE + "RUNN true\n")[0].help == "did you mean RUN?"


@pytest.mark.parametrize("text", ["", "# nothing\n", "\\\n", "FROM\n", "RUN x\n", "FROM a \\", "# escape=`\nFROM a\n"])
def test_a_file_without_a_base_is_answered_in_words(text: str) -> None:
    assert found(text)


WORDS = st.sampled_from(
    [
        "FROM",
        "RUN",
        "ENV",
        "ARG",
        "COPY",
        "WORKDIR",
        "USER",
        "ADD",
        "\\",
        "\n",
        "a",
        "$A",
        "${A:-b}",
        '"',
        "'",
        "=",
        "#",
    ]
)
TEXTS = st.lists(WORDS, max_size=40)


@given(st.one_of(st.text(max_size=200), TEXTS.map(" ".join), TEXTS.map("".join)))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    for item in found(text):
        assert item.span.line <= text.count("\n") + 1
        assert item.span.column >= 1
