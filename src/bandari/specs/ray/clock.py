"""When a schedule is due: is it a cron expression, is it a time zone. Five fields, as in crontab(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bandari.diagnostics import did_you_mean

LOCAL = "local"
"""The time zone of the machine that runs the schedule."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,3}))?", re.ASCII)
NICKNAMES = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})


def cron_problem(expression: str) -> str:
    """What is wrong with a cron expression, as the end of a sentence; empty when nothing is."""
    words = expression.split()
    if len(words) == 1 and words[0].startswith("@"):
        known = ", ".join(sorted(NICKNAMES))
        return "" if words[0] in NICKNAMES else f"the nickname {words[0]!r} is none of {known}"
    if len(words) != len(_FIELDS):
        return f"it has {len(words)} field{'' if len(words) == 1 else 's'}, and five are expected"
    problems = (_field_problem(word, *field) for word, field in zip(words, _FIELDS, strict=True))
    return next((problem for problem in problems if problem), "") or _never(words)


def _field_problem(word: str, name: str, low: int, high: int, names: tuple[str, ...]) -> str:
    for item in word.split(","):
        found = _ITEM.fullmatch(item)
        if found is None:
            return f"{item!r} is no {name}"
        ends = [_number(end, low, names) for end in (found["first"], found["last"]) if end is not None]
        if any(end is None or not low <= end <= high for end in ends):
            return f"{item!r} is no {name}: {low} to {high}"
        if found["step"] is not None and (not int(found["step"]) or (ends and found["last"] is None)):
            return f"the step of {item!r} is no step of a range"
        if len(ends) == 2 and (ends[0] or 0) > (ends[1] or 0):
            return f"{item!r} ends before it begins"
    return ""


def _number(word: str, low: int, names: tuple[str, ...]) -> int | None:
    if word.lower() in names:
        return names.index(word.lower()) + low
    return int(word) if word.isdecimal() and len(word) <= 4 else None


def _never(words: list[str]) -> str:
    """A day that its months do not have, such as 31 in February, never comes."""
    if words[4] != "*" or not words[2].isdecimal():
        return ""
    longest = dict.fromkeys(range(1, 13), 31) | {2: 29} | dict.fromkeys((4, 6, 9, 11), 30)
    months = set(_months(words[3]))
    return "" if any(int(words[2]) <= longest[month] for month in months) else "no month of it has such a day"


def _months(word: str) -> Iterator[int]:
    for item in word.split(","):
        found = _ITEM.fullmatch(item)
        assert found
        first = 1 if found["first"] is None else _number(found["first"], 1, _MONTHS) or 1
        last = 12 if found["first"] is None else first
        last = _number(found["last"], 1, _MONTHS) or last if found["last"] else last
        yield from range(first, last + 1, int(found["step"] or 1))


def zone_problem(name: str) -> tuple[str, str]:
    """What is wrong with the name of a time zone, and what to do; empty when nothing is."""
    if name == LOCAL:
        return "", ""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(name, available_timezones())
        fix = f"did you mean {near!r}?" if near else "write an IANA name such as Europe/Berlin, UTC, or local"
        return "there is no such time zone", fix
    return "", ""
