"""Findings as people see them."""

from __future__ import annotations

import click

from bandari.cli.findings import render
from bandari.diagnostics import Diagnostic, Related, Span, error, warning
from bandari.specs.read import read

TEXT = "version: 1.3\r\naws:\r\n  cluster:\r\n    minNodes: 9\r\n    maxNodes: 4\r\n"


def contradiction() -> Diagnostic:
    return error(
        "BND308",
        Span("cluster.yaml", 4, 15, 1),
        "cannot have minNodes 9 above maxNodes 4",
        why="no count satisfies both",
        fix="set minNodes to 4 or less",
        related=[Related(Span("cluster.yaml", 5, 15, 1), "maxNodes stands here")],
    )


def test_a_finding_shows_its_lines_its_reason_and_the_way_out() -> None:
    page = """\
error[BND308]: cannot have minNodes 9 above maxNodes 4
  --> cluster.yaml:4:15
    4 |     minNodes: 9
      |               ^
  ... cluster.yaml:5:15  maxNodes stands here
    5 |     maxNodes: 4
      |               -
  why: no count satisfies both
  fix: set minNodes to 4 or less

1 error"""
    assert render([contradiction()], {"cluster.yaml": TEXT}, colour=False) == page


def test_the_mark_is_as_long_as_the_value() -> None:
    place = Span("f", 1, 4, 5)
    assert "      |    ^^^^^\n" in render([warning("BND999", place, "m", fix="x")], {"f": "a: value # c"}, colour=False)


def test_the_summary_counts_errors_and_warnings() -> None:
    found = [contradiction(), error("BND1", Span("f", 1, 1), "a"), warning("BND2", Span("f", 1, 1), "b")]
    assert render(found, {}, colour=False).splitlines()[-1] == "2 errors, 1 warning"
    assert render([], {}, colour=False) == "no findings"


def test_colour_adds_nothing_but_colour() -> None:
    sources = {"cluster.yaml": TEXT}
    coloured = render([contradiction()], sources, colour=True)
    assert coloured != click.unstyle(coloured) == render([contradiction()], sources, colour=False)


def test_a_file_that_is_not_at_hand_is_named_without_its_line() -> None:
    assert "-->" in render([contradiction()], {}, colour=False)
    assert " | " not in render([contradiction()], {}, colour=False)


def test_a_long_line_is_cut_around_the_place_and_control_characters_do_no_harm() -> None:
    text = "x" * 1000 + "\x1b[31mHERE" + "y" * 1000
    shown = render([error("BND1", Span("f", 1, 1006, 4), "m")], {"f": text}, colour=False)
    line, mark = shown.splitlines()[2:4]
    assert (len(line) < 200, "\x1b" in shown) == (True, False)
    assert line[mark.index("^") : mark.rindex("^") + 1] == "HERE"


def test_a_terminal_obeys_nothing_that_a_file_says() -> None:
    text = 'version: 1.3\nlocal:\n  cluster: {name: demo}\n  "\\e[31mx": 1\n'
    assert "\x1b" not in render(read(text, "f")[1], {"f": text}, colour=False)


def test_a_credential_in_the_wrong_place_is_not_repeated() -> None:
    text = group("env: [{name: A, valueFrom: hf_abcdefghijklmnop123456}]")
    [finding] = read(text, "f")[1]
    assert finding.message == "cannot take '***' as env[0].valueFrom: a mapping is expected"
    assert "hf_" not in render([finding], {"f": text}, colour=False)


def group(runtime: str) -> str:
    return (
        'version: "1.3"\nlocal:\n  cluster: {name: demo}\n  modelGroups:\n    - name: chat\n      minInstances: 1\n'
        f"      maxInstances: 1\n      runtime:\n        image: x\n        {runtime}\n"
    )
