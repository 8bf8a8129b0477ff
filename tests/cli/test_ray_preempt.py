"""`bandari ray preempt` says what it is told wrong before it asks anybody."""

from __future__ import annotations

import json

import pytest

from bandari.cli.app import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gpu", "--notice=-1"], "-1 is not 0 seconds or more"),
        (["gpu", "--notice", "nan"], "nan is not 0 seconds or more"),
        (["gpu", "--notice", "inf"], "inf is not 0 seconds or more"),
        (["gpu", "--notice", "soon"], "not a valid float"),
        (["gpu", "--notice", "3", "--restore"], "do not go together"),
        ([], "Missing argument 'GROUP'"),
    ],
)
def test_what_makes_no_sense_is_invalid_input(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ray", "preempt", *words]) == 2
    assert said in capsys.readouterr().err


def test_without_a_cluster_it_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ray", "preempt", "gpu", "--json"]) == 1
    assert "cannot find a cluster" in json.loads(capsys.readouterr().out)["error"]["message"]
