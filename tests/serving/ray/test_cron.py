"""When a schedule is due, also where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.ray.cron import Cron, parse
from bandari.specs.ray.clock import NICKNAMES, cron_problem

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo")
BEGIN, END = datetime(2015, 1, 1, tzinfo=UTC).timestamp(), datetime(2030, 1, 1, tzinfo=UTC).timestamp()


def runs(cron: str, zone: str, after: datetime, count: int) -> list[str]:
    found = parse(cron, zone, BERLIN).runs(after.timestamp())
    return [datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for at in islice(found, count)]


def test_a_run_in_the_hour_that_the_clock_skips_comes_right_after_it() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    expected = ["03-29 03:00+0200", "03-30 02:30+0200"]
    assert runs("30 2 * * *", "Europe/Berlin", before, 2) == expected


def test_a_run_in_the_hour_that_comes_twice_comes_once() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)
    expected = ["10-25 02:30+0200", "10-26 02:30+0100"]
    assert runs("30 2 * * *", "Europe/Berlin", before, 2) == expected
    second_pass = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert runs("30 2 * * *", "Europe/Berlin", second_pass, 1) == ["10-26 02:30+0100"]


def test_a_run_of_every_half_hour_goes_by_elapsed_time_through_both() -> None:
    spring = list(
        islice(parse("*/30 * * * *", "Europe/Berlin", BERLIN).runs(datetime(2026, 3, 29, tzinfo=UTC).timestamp()), 9)
    )
    autumn = list(
        islice(parse("*/30 * * * *", "Europe/Berlin", BERLIN).runs(datetime(2026, 10, 25, tzinfo=UTC).timestamp()), 9)
    )
    assert all(later - earlier == 1800 for found in (spring, autumn) for earlier, later in pairwise(found))


@given(st.sampled_from(ZONES), st.floats(BEGIN, END), st.integers(0, 59), st.integers(0, 23))
def test_a_daily_run_comes_once_a_day_at_its_time_or_right_after_a_gap(
    zone: str, after: float, minute: int, hour: int
) -> None:
    place = ZoneInfo(zone)
    found = list(islice(parse(f"{minute} {hour} * * *", zone, BERLIN).runs(after), 5))
    local = [datetime.fromtimestamp(at, place) for at in found]
    assert found == sorted(set(found))
    assert found[0] > after
    days = [at.date() for at in local]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    for at in local:
        wanted = at.replace(hour=hour, minute=minute, fold=0)
        there = wanted.astimezone(UTC).astimezone(place)
        skipped = there.replace(tzinfo=None) != wanted.replace(tzinfo=None)
        assert skipped or (at.hour, at.minute) == (hour, minute)
        assert not skipped or at.replace(tzinfo=None) > wanted.replace(tzinfo=None)


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["*/7 * * * *", "0 * * * *", "30 2 * * *", "15 4 1 * *", "0 0 29 2 *", "0 9 * * MON-FRI"]),
    st.floats(BEGIN, END),
    st.floats(0, 3 * 86400),
)
def test_the_latest_of_the_missed_runs_is_the_last_that_going_forward_finds(
    zone: str, cron: str, after: float, length: float
) -> None:
    clock = parse(cron, zone, BERLIN)
    until = after + length
    forward = [at for at in islice(clock.runs(after), 700) if at <= until]
    assert clock.latest(after, until) == (forward[-1] if forward else None)


def test_ten_years_of_missed_minutes_are_found_at_once() -> None:
    assert parse("* * * * *", "UTC", BERLIN).latest(BEGIN, END) == END


def test_local_is_the_zone_of_this_machine() -> None:
    assert parse("@daily", "local", BERLIN) == Cron("0 0 * * *", BERLIN)


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        ("0 0 * *", "UTC", "five fields"),
        ("0 0 0 * * *", "UTC", "five fields"),
        ("61 0 * * *", "UTC", "bad minute"),
        ("0 0 31 2 *", "UTC", "no cron expression|never"),
        ("0 0 * * *", "Europe/Berln", "no time zone"),
        ("0 0 * * *", "../../etc/passwd", "no time zone"),
    ],
)
def test_a_clock_that_cannot_be_read_is_refused_in_words(cron: str, zone: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(cron, zone, BERLIN)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ends = st.tuples(number, number).map(sorted)
    item = st.one_of(
        number.map(str),
        ends.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.integers(1, 70).map(lambda step: f"*/{step}"),
        st.tuples(ends, st.integers(1, 9)).map(lambda found: f"{found[0][0]}-{found[0][1]}/{found[1]}"),
        st.just("*"),
    )
    return st.lists(item, min_size=1, max_size=3).map(",".join)


@given(st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).map(" ".join))
def test_what_check_accepts_can_be_run(expression: str) -> None:
    if not cron_problem(expression):
        parse(expression, "Europe/Berlin", BERLIN)


@pytest.mark.parametrize("nickname", sorted(NICKNAMES))
def test_nicknames_can_be_run(nickname: str) -> None:
    parse(nickname, "UTC", BERLIN)
