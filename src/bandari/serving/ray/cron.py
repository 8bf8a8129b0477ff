"""When a schedule is due: cron expressions in a time zone, by cronsim, which follows Debian's cron. Pure.

Clock changes, as Debian's cron has them: a run at a time that the clock skips comes at the first minute after it, one
at a time that comes twice runs once; expressions with `*` in minute or hour go by elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

FIELDS = ("minute", "hour", "day of month", "month", "day of week")
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_WINDOWS = tuple(timedelta(days=days).total_seconds() for days in (1 / 24, 1, 32, 366, 5 * 366))


@dataclass(frozen=True, slots=True)
class Cron:
    """A valid expression with its zone. Times are Unix time."""

    expression: str
    zone: tzinfo

    def runs(self, after: float) -> Iterator[float]:
        """All times later than `after` at which it is due, for 50 years after each."""
        start = datetime.fromtimestamp(after, UTC).astimezone(self.zone)
        last = after
        for found in CronSim(self.expression, start):
            # In the hour that comes twice cronsim begins with the first one again.
            if (at := found.timestamp()) > last:
                yield at
                last = at

    def next(self, after: float) -> float | None:
        """The first time later than `after`; None when it never comes."""
        return next(self.runs(after), None)

    def latest(self, after: float, until: float) -> float | None:
        """The last time that is later than `after` and not later than `until`."""
        for window in (*_WINDOWS, until - after):
            begin = max(after, until - window)
            found = None
            for at in self.runs(begin):
                if at > until:
                    break
                found = at
            if found is not None or begin == after:
                return found
        return None


def parse(expression: str, zone: str, local: tzinfo) -> Cron:
    """ValueError in words for the user. `local` is the zone of this machine."""
    words = NICKNAMES.get(expression.strip().lower(), expression.strip())
    if len(words.split()) != len(FIELDS):
        raise ValueError(f'"{expression}" has not the five fields {", ".join(FIELDS)}')
    found = named(zone, local)
    try:
        CronSim(words, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f'"{expression}" is no cron expression: {str(error).lower()}') from error
    cron = Cron(words, found)
    if cron.next(0.0) is None:
        raise ValueError(f'"{expression}" never comes')
    return cron


def named(zone: str, local: tzinfo) -> tzinfo:
    """A zone by its IANA name, or `local`; ValueError when there is none."""
    if zone in ("local", "Local"):
        return local
    try:
        return ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{zone}" is no time zone: IANA names as Europe/Berlin, or local') from error
