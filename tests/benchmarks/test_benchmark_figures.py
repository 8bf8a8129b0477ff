"""The harness's pure parts: what is published must be computed and shown right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cli import required
from benchmarks.figures import (
    HEADER,
    Figure,
    Section,
    Spread,
    Table,
    differences,
    markdown_goals,
    markdown_section,
    markdown_table,
    medians,
    number,
    percentile,
    ratios,
    summary,
)
from benchmarks.machine import described
from benchmarks.processes import CannotMeasure, cpu_seconds, free_port, last_words, run_cpu_seconds, running, wait_for

POSITIVE = st.floats(0.001, 1e6)
PAIRS = st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=20)


@given(st.lists(POSITIVE, min_size=1))
def test_a_spread_holds_its_median_between_its_ends(values: list[float]) -> None:
    spread = Spread.of(values)
    assert min(values) == spread.low <= spread.median <= spread.high == max(values)
    assert spread.count == len(values)


@given(PAIRS, POSITIVE)
def test_noise_that_meets_both_sides_of_a_round_leaves_the_ratio_alone(
    pairs: list[tuple[float, float]], noise: float
) -> None:
    ours, theirs = zip(*pairs, strict=True)
    noisy = ratios([value * noise for value in ours], [value * noise for value in theirs])
    assert noisy == pytest.approx(ratios(ours, theirs))


def test_rounds_are_compared_one_by_one_and_a_missing_one_is_a_bug() -> None:
    assert ratios([2.0, 9.0], [1.0, 3.0]) == (2.0, 3.0)
    assert differences([2.0, 9.0], [1.0, 3.0]) == (1.0, 6.0)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@given(st.lists(POSITIVE, min_size=1), st.sampled_from((0.5, 0.9, 0.99)))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


@pytest.mark.parametrize(
    ("median", "goal", "verdict"),
    [
        (1.0, 2.0, "met"),
        (2.0, 2.0, "met"),
        (2.1, 2.0, "not met"),
        (9.0, None, ""),
        (0.0, 0.0, "met"),
        (1.0, 0.0, "not met"),
    ],
)
def test_a_verdict_is_the_median_against_the_goal(median: float, goal: float | None, verdict: str) -> None:
    assert Figure("time", "s", Spread(0.0, median, 99.0, 3), goal).verdict == verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12, "12"),
        (2.0, "2"),
        (0.0229, "0.0229"),
        (0.5, "0.5"),
        (1.006, "1.01"),
        (63139.3, "63,139"),
        (-0.31, "-0.31"),
        (18.44, "18.4"),
        (0.00001, "0"),
    ],
)
def test_a_number_has_about_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


def test_a_single_measurement_shows_no_range() -> None:
    assert Figure("packages", "", Spread.of([12]), 12).cells == ("packages", "12", "", "<= 12", "met")


def test_a_section_is_a_heading_a_method_tables_and_what_is_missing() -> None:
    section = Section(
        "Gateway",
        "One machine.",
        (Figure("a | b", "x", Spread.of([1, 2, 4]), 2.0),),
        (Table("Speed", ("side", "a second"), (("direct", "1"),)),),
        ("HAProxy: it is missing",),
    )
    assert list(markdown_section(section)) == [
        "## Gateway",
        "One machine.",
        f"| {' | '.join(HEADER)} |\n| --- | --- | --- | --- | --- |\n| a \\| b | 2 x | 1 .. 4 | <= 2 | met |",
        "**Speed**",
        "| side | a second |\n| --- | --- |\n| direct | 1 |",
        "- Not measured: HAProxy: it is missing",
    ]


@given(st.lists(st.lists(st.text("ab|", max_size=3), min_size=2, max_size=2), max_size=4))
def test_every_row_of_a_table_has_as_many_cells_as_its_head(rows: list[list[str]]) -> None:
    lines = markdown_table(("one", "two"), rows).replace("\\|", "").splitlines()
    assert {line.count("|") for line in lines} == {3}


def test_the_summary_names_what_was_missed_and_counts_what_was_not_measured() -> None:
    met = Figure("fast", "s", Spread.of([1]), 2.0)
    missed = Figure("slow", "s", Spread.of([3]), 2.0)
    sections = [Section("a", "", (met, missed)), Section("b", "", (met,), missing=("c: gone",))]
    assert summary(sections) == "Goals: 2 met, 1 not met (slow), 1 not measured"
    assert summary([Section("a", "", (met,))]) == "Goals: 1 met, 0 not met"


def test_the_goals_stand_in_one_table_with_their_sections() -> None:
    met = Figure("fast", "s", Spread.of([1]), 2.0)
    free = Figure("free", "s", Spread.of([1]))
    lines = markdown_goals([Section("a", "", (met, free)), Section("b", "", (met,))]).splitlines()
    assert lines[2:] == ["| a | fast | 1 s |  | <= 2 | met |", "| b | fast | 1 s |  | <= 2 | met |"]


def test_the_medians_of_the_rounds_make_a_row() -> None:
    rounds = [{"p50": 0.001, "n": 3.0}, {"p50": 0.005, "n": 1.0}, {"p50": 0.002, "n": 2.0}]
    assert medians(rounds, {"p50, ms": ("p50", 1000.0), "n": ("n", 1.0)}) == ("2", "2")


def test_the_machine_is_described_without_names_and_folders() -> None:
    words = described()
    assert {"date", "commit", "machine", "Python"} <= set(words)
    text = " ".join(words.values())
    assert os.uname().nodename not in text.split()
    assert str(Path.home()) not in text


def test_a_base_install_is_the_package_with_what_it_requires_without_extras() -> None:
    names = required("bandari")
    assert {"bandari", "click", "rich", "pyyaml", "pydantic", "pydantic-core"} <= names
    assert not names & {"uvloop", "pytest", "numpy"}


def test_a_command_that_fails_is_no_measurement() -> None:
    command = (sys.executable, "-c", "raise SystemExit(3)")
    with pytest.raises(CannotMeasure, match="exited with 3"):
        run_cpu_seconds(command, os.environ)


def test_the_cpu_of_a_process_grows_by_what_it_spends(tmp_path: Path) -> None:
    spend = (
        sys.executable,
        "-c",
        "import time\nwhile time.process_time() < 0.3: pass\nprint('spent', flush=True)\ninput()",
    )
    assert run_cpu_seconds((sys.executable, "-c", spend[2].removesuffix("\ninput()")), os.environ) >= 0.3
    with subprocess.Popen(spend, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdin
        assert child.stdout.readline() == b"spent\n"
        assert 0.3 <= cpu_seconds(child.pid) < 3.0
        child.stdin.close()


def test_a_part_that_ends_instead_of_listening_is_told_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with (
        running((sys.executable, "-c", "raise SystemExit('no such model')"), log) as child,
        pytest.raises(CannotMeasure, match=r"part ended with 1: no such model"),
    ):
        wait_for(child, free_port(), log)
    assert last_words(log) == "no such model"


@pytest.mark.engine
def test_the_load_counts_what_the_upstream_answers_and_times_the_first_token(tmp_path: Path) -> None:
    pytest.importorskip("uvloop")
    from benchmarks.driving import PLAIN, drive, stream_body  # noqa: PLC0415 - they need what was asked for above
    from benchmarks.proxies import upstreams  # noqa: PLC0415

    with upstreams(tmp_path) as (first, second):
        plain = drive(first, PLAIN, connections=3, requests=30)
        stream = drive(second, stream_body(5, 0.02), connections=2, requests=4)
        with pytest.raises(CannotMeasure):
            drive(free_port(), PLAIN, requests=1)
    assert plain["requests"] == 30
    assert plain["failed"] == 0
    assert stream["requests"] == 4
    assert stream["first_p50"] < 0.08 <= stream["p50"]
    assert json.loads(PLAIN)["model"] == "tiny"
