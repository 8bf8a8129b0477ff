"""What a benchmark says: figures with their spread, goals, and the tables that show them. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and both ends of what was measured several times."""

    low: float
    median: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of at least one value."""
        kept = sorted(values)
        assert kept, "a spread of nothing"
        return cls(kept[0], statistics.median(kept), kept[-1], len(kept))


def ratios(measured: Sequence[float], yardstick: Sequence[float]) -> tuple[float, ...]:
    """Round by round, so that noise which met both sides of a round cancels out."""
    return tuple(ours / theirs for ours, theirs in zip(measured, yardstick, strict=True))


def differences(measured: Sequence[float], yardstick: Sequence[float]) -> tuple[float, ...]:
    """Round by round."""
    return tuple(ours - theirs for ours, theirs in zip(measured, yardstick, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least `share` (0..1) of them do not exceed; 0 of nothing."""
    if not values:
        return 0.0
    kept = sorted(values)
    rank = max(1, -(-len(kept) * round(share * 1000) // 1000))
    return kept[rank - 1]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing; `goal` is the most that its median may be, None where nothing is promised."""

    name: str
    unit: str
    spread: Spread
    goal: float | None = None

    @property
    def verdict(self) -> str:
        """`met`, `not met` or empty."""
        if self.goal is None:
            return ""
        return "met" if self.spread.median <= self.goal else "not met"

    @property
    def cells(self) -> tuple[str, ...]:
        """As `HEADER` names them."""
        spread = self.spread
        ends = f"{number(spread.low)} .. {number(spread.high)}" if spread.count > 1 else ""
        goal = "" if self.goal is None else f"<= {number(self.goal)}"
        return (self.name, f"{number(spread.median)} {self.unit}".strip(), ends, goal, self.verdict)


HEADER = ("figure", "median", "min .. max", "goal", "verdict")


def number(value: float) -> str:
    """Three significant digits, never in exponents."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    digits = 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") or "0"


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers without a goal, side by side."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Columns = Mapping[str, tuple[str, float]]
"""Heading -> the key of a round's number, and what to multiply it with."""


def medians(rounds: Sequence[Mapping[str, float]], columns: Columns) -> tuple[str, ...]:
    """The cells of a row: the median of each column over the rounds."""
    return tuple(number(statistics.median(one[key] for one in rounds) * scale) for key, scale in columns.values())


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the run: how it was measured and what came out; `missing` says what could not be measured and why."""

    title: str
    how: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    missing: tuple[str, ...] = ()


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A GitHub table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def markdown_section(section: Section) -> Iterator[str]:
    """The blocks of a section, to be parted by empty lines."""
    yield f"## {section.title}"
    yield section.how
    if section.figures:
        yield markdown_table(HEADER, [figure.cells for figure in section.figures])
    for table in section.tables:
        yield f"**{table.title}**"
        yield markdown_table(table.header, table.rows)
    if section.missing:
        yield "\n".join(f"- Not measured: {line}" for line in section.missing)


def markdown_goals(sections: Iterable[Section]) -> str:
    """All figures with a goal in one table."""
    rows = [(section.title, *figure.cells) for section in sections for figure in section.figures if figure.verdict]
    return markdown_table(("section", *HEADER), rows)


def summary(sections: Iterable[Section]) -> str:
    """`Goals: 9 met, 1 not met (name), 2 not measured`."""
    found = list(sections)
    verdicts = [(figure.verdict, figure.name) for section in found for figure in section.figures if figure.verdict]
    missed = [name for verdict, name in verdicts if verdict == "not met"]
    text = f"Goals: {len(verdicts) - len(missed)} met, {len(missed)} not met"
    text += f" ({'; '.join(missed)})" if missed else ""
    absent = sum(len(section.missing) for section in found)
    return text + (f", {absent} not measured" if absent else "")
