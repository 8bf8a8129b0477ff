"""The table of llama-server's flags, and reading a command line by it."""

from __future__ import annotations

import collections

from hypothesis import given
from hypothesis import strategies as st

from bandari.runtimes.llama_flags import BY_NAME, FLAGS, IGNORED, REFUSED, SWITCHES, Arity, read


def test_every_spelling_belongs_to_one_flag() -> None:
    counted = collections.Counter(name for flag in FLAGS for name in flag.names)
    assert [name for name, times in counted.items() if times > 1] == []
    assert [name for name in counted if not name.startswith("-")] == []


def test_every_variable_belongs_to_one_flag() -> None:
    counted = collections.Counter(flag.env for flag in FLAGS if flag.env)
    assert [name for name, times in counted.items() if times > 1] == []


def test_short_and_long_names_are_the_same_flag() -> None:
    for short, long in {"-m": "--model", "-c": "--ctx-size", "-np": "--parallel", "-ngl": "--n-gpu-layers"}.items():
        assert BY_NAME[short] is BY_NAME[long]
        assert BY_NAME[short].name == long


def test_a_value_may_follow_or_hang_on_the_flag() -> None:
    apart, attached = read(["--ctx-size", "4096"])[0], read(["--ctx_size=4096"])[0]
    assert apart.tokens == attached.tokens == ("--ctx-size", "4096")


def test_a_negative_number_is_a_value_and_a_known_flag_is_none() -> None:
    predict, metrics = read(["-n", "-1", "--metrics"])
    assert (predict.values, metrics.values) == (("-1",), ())
    assert read(["-n", "--metrics"])[0].values == ()


def test_flash_attention_is_a_switch_with_a_value_that_may_be_left_out() -> None:
    assert [item.tokens for item in read(["-fa", "--metrics"])] == [("-fa",), ("--metrics",)]
    assert [item.tokens for item in read(["-fa", "off", "--metrics"])] == [("-fa", "off"), ("--metrics",)]
    assert BY_NAME["-fa"].arity is Arity.OPTIONAL


def test_an_unknown_flag_takes_what_follows_unless_that_is_a_flag() -> None:
    bogus, metrics, stray = read(["--bogus", "7", "--metrics", "stray"])
    assert (bogus.flag, bogus.values) == (None, ("7",))
    assert metrics.flag is BY_NAME["--metrics"]
    assert (stray.flag, stray.name, stray.index) == (None, "stray", 3)


def test_only_flags_with_a_place_in_the_engine_or_a_word_on_them_are_in_the_table() -> None:
    assert [flag.name for flag in FLAGS if not flag.field] == []
    assert {flag.kind for flag in FLAGS if flag.field in (REFUSED, IGNORED)} & {"on", "off"} == set()
    assert all(flag.arity is Arity.NONE for flag in FLAGS if flag.kind in SWITCHES)


@given(st.lists(st.one_of(st.sampled_from(sorted(BY_NAME)), st.text(max_size=8))))
def test_reading_keeps_every_token(args: list[str]) -> None:
    plain = [token for token in args if "=" not in token and "_" not in token]
    assert [token for item in read(plain) for token in item.tokens] == plain
    assert [item.index for item in read(plain)] == sorted({item.index for item in read(plain)})
