"""Reads a Containerfile: FROM, ARG, ENV, WORKDIR, COPY, RUN and USER, with stages. Pure; nothing of it is ever run.

Text becomes instructions (continuations and comments gone, each word with its place), instructions become stages with
their variables put in, and everything that is not understood is a finding with file, line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bandari.diagnostics import Diagnostic, Span, did_you_mean, error, warning

TAKEN = ("FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER")
_NO_EFFECT = frozenset({"LABEL", "EXPOSE", "CMD", "ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL", "VOLUME", "MAINTAINER"})
"""Of Docker's file format; built, and of no meaning to a node, whose program is Ray."""
_REFUSED: Mapping[str, str] = {
    "ADD": "use COPY for files of the folder, and RUN curl for those of the network",
    "ONBUILD": "write the instruction in the file that needs it",
    "SHELL": 'write RUN ["bash", "-c", "..."]',
}
_VARIABLE = re.compile(r"\\\$|\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<rule>:[-+][^}]*)?\})")
_PAIR = re.compile(r"""([A-Za-z_][\w.-]*)=((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])*)""", re.DOTALL)
_DIRECTIVE = re.compile(r"^#\s*(syntax|escape|check)\s*=", re.IGNORECASE)
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `text` is what follows its word, in one line, `words` its JSON form where it has that."""

    word: str
    text: str
    span: Span
    words: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    """`--from=build` as `{"from": "build"}`."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One COPY: sources relative to the folder of the file, or in stage `stage`; `target` is absolute."""

    sources: tuple[str, ...]
    target: str
    stage: str
    span: Span


@dataclass(frozen=True, slots=True)
class Run:
    """One RUN: a shell line, or the words of the JSON form."""

    line: str
    words: tuple[str, ...]
    folder: str
    span: Span


@dataclass(slots=True)
class Stage:
    """What one FROM begins. `base` is an image, or the name of an earlier stage."""

    base: str
    name: str
    span: Span
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    folder: str = "/home/ray"
    user: tuple[str, Span] | None = None


@dataclass(frozen=True, slots=True)
class Containerfile:
    """Stages in their order; the last is what is built."""

    stages: tuple[Stage, ...]

    def chain(self) -> tuple[Stage, ...]:
        """The stages that the result is made of, the one with the base image first; others only lend files."""
        known = {name: stage for i, stage in enumerate(self.stages) for name in (stage.name, str(i)) if name}
        chain = [self.stages[-1]]
        while (below := known.get(chain[0].base)) is not None and below is not chain[0] and below not in chain:
            chain.insert(0, below)
        return tuple(chain)

    @property
    def base(self) -> tuple[str, Span]:
        """The image that everything is built on, and where it is named."""
        first = self.chain()[0]
        return first.base, first.span


def parse(text: str, file: str) -> tuple[Containerfile | None, tuple[Diagnostic, ...]]:
    """The stages, and what is wrong or of no effect; no stages where something is wrong."""
    if len(text) > MAX_BYTES:
        return None, (error("BND793", Span(file, 1, 1), f"cannot read {file!r}: more than {MAX_BYTES} characters",
                            fix="a Containerfile holds instructions, no files"),)  # fmt: skip
    found: list[Diagnostic] = []
    stages: list[Stage] = []
    told: dict[str, str] = {}
    """ARG lines before the first FROM."""
    for item in _instructions(text, file, found):
        _take(item, stages, told, found)
    if not stages and not any(d.severity == "error" for d in found):
        message = f"cannot build {file!r}: it has no FROM"
        found.append(error("BND793", Span(file, 1, 1), message, fix="begin with FROM rayproject/ray:2.60.0-py311"))
    if any(d.severity == "error" for d in found):
        return None, tuple(found)
    return Containerfile(tuple(stages)), tuple(found)


# --- text to instructions


def _instructions(text: str, file: str, found: list[Diagnostic]) -> Iterator[Instruction]:
    lines = text.replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        start, line = number, lines[number]
        number += 1
        if not line.strip() or line.lstrip().startswith("#"):
            if start == 0 and _DIRECTIVE.match(line) and "escape" in line.partition("=")[0].lower():
                found.append(
                    _wrong(Span(file, 1, 1, len(line)), "the escape character", "only \\ is taken", "remove the line")
                )
            continue
        joined = line.rstrip()
        while _continued(joined):
            joined = joined[:-1]
            while number < len(lines) and (not lines[number].strip() or lines[number].lstrip().startswith("#")):
                number += 1
            if number == len(lines):
                span = Span(file, start + 1, 1 + len(line) - len(line.lstrip()), len(line.strip()))
                found.append(
                    _wrong(span, "an instruction", "it goes on after the last line", "remove the \\ at its end")
                )
                return
            joined += lines[number].rstrip()
            number += 1
        yield _instruction(joined, Span(file, start + 1, 1 + len(line) - len(line.lstrip()), len(line.strip())), found)


def _continued(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _instruction(line: str, span: Span, found: list[Diagnostic]) -> Instruction:
    word, _, rest = line.strip().partition(" ")
    word, tab, after = word.partition("\t")
    rest = (after + " " + rest if tab else rest).strip()
    flags: dict[str, str] = {}
    while word.upper() in TAKEN and (flag := re.match(r"--([a-z]+)(?:=(\S*))?(?:\s+|$)", rest)):
        flags[flag[1]] = flag[2] or ""
        rest = rest[flag.end() :]
    words: tuple[str, ...] = ()
    if word.upper() in ("RUN", "COPY") and rest.startswith("["):
        try:
            told = json.loads(rest)
            words = tuple(told) if all(isinstance(item, str) for item in told) else ()
        except (ValueError, RecursionError):
            pass  # a shell line may begin with [ too
    if "<<" in rest and re.search(r"<<-?\s*['\"]?\w+", rest) and word.upper() in ("RUN", "COPY"):
        found.append(
            _wrong(span, f"{word.upper()} with a here-document", "it is not taken", "join the lines with \\ and &&")
        )
    return Instruction(word.upper(), rest, span, words, flags)


# --- instructions to stages


def _take(item: Instruction, stages: list[Stage], told: dict[str, str], found: list[Diagnostic]) -> None:
    if item.word not in TAKEN:
        found.append(_not_taken(item))
    elif not item.text:
        found.append(
            _wrong(item.span, item.word, "nothing follows it", f"write what {item.word} is to do, or remove it")
        )
    elif item.word == "FROM":
        _from(item, stages, told, found)
    elif item.word == "ARG":
        _arg(item, stages[-1] if stages else None, told, found)
    elif not stages:
        found.append(_wrong(item.span, item.word, "it stands before the first FROM", "put FROM first"))
    else:
        _IN_STAGE[item.word](item, stages[-1], found)


def _from(item: Instruction, stages: list[Stage], told: Mapping[str, str], found: list[Diagnostic]) -> None:
    words = _put_in(item, item.text, told, found).split()
    named = len(words) == 3 and words[1].upper() == "AS"
    if len(words) != 1 and not named:
        found.append(_wrong(item.span, "FROM", f"{item.text!r} is no image", "write FROM IMAGE, or FROM IMAGE AS NAME"))
        words = [words[0] if words else "scratch"]
    base, name = words[0], words[2].lower() if named else ""
    if name and any(stage.name == name for stage in stages):
        found.append(
            _wrong(item.span, "FROM", f"a stage {name!r} is there already", "give each stage a name of its own")
        )
    below = next((stage for stage in stages if stage.name and stage.name == base.lower()), None)
    stage = Stage(below.name if below else base, name, item.span)
    if below:
        stage.env, stage.folder, stage.user = dict(below.env), below.folder, below.user
    stages.append(stage)


def _arg(item: Instruction, stage: Stage | None, told: dict[str, str], found: list[Diagnostic]) -> None:
    for word in item.text.split() if "=" not in item.text else [item.text]:
        pairs = list(_pairs(word))
        scope = {**told, **stage.args, **stage.env} if stage else dict(told)
        for name, value in pairs:
            (stage.args if stage else told)[name] = _put_in(item, value, scope, found)
        if not pairs and stage and word in told:
            stage.args[word] = told[word]
        elif not pairs:
            reason = f"{word!r} has no default, and nothing is given to a build here"
            found.append(_wrong(item.span, "ARG", reason, f"write ARG {word.partition('=')[0]}=VALUE"))


def _env(item: Instruction, stage: Stage, found: list[Diagnostic]) -> None:
    pairs = list(_pairs(item.text))
    if not pairs:
        name, _, value = item.text.partition(" ")
        if not re.fullmatch(r"[A-Za-z_][\w.-]*", name) or not value:
            found.append(_wrong(item.span, "ENV", f"{item.text!r} is no NAME=VALUE", "write ENV NAME=VALUE"))
            return
        pairs = [(name, value.strip())]
    elif _PAIR.sub("", item.text).strip():
        rest = _PAIR.sub("", item.text).strip()
        found.append(_wrong(item.span, "ENV", f"{rest!r} is no NAME=VALUE", "quote a value that has spaces"))
    scope = {**stage.args, **stage.env}
    stage.env.update({name: _put_in(item, value, scope, found) for name, value in pairs})


def _workdir(item: Instruction, stage: Stage, found: list[Diagnostic]) -> None:
    stage.folder = _below(stage.folder, _put_in(item, item.text.strip("\"'"), {**stage.args, **stage.env}, found))


def _copy(item: Instruction, stage: Stage, found: list[Diagnostic]) -> None:
    scope = {**stage.args, **stage.env}
    words = [_put_in(item, word, scope, found) for word in item.words or item.text.split()]
    if len(words) < 2:
        found.append(_wrong(item.span, "COPY", "it has no target", "write COPY SOURCE... TARGET"))
        return
    *sources, target = words
    if len(sources) > 1 and not target.endswith("/"):
        found.append(
            _wrong(item.span, "COPY", f"several sources, and {target!r} is no folder", "end the target with /")
        )
    ending = "/" if target.endswith(("/", ".")) else ""
    place = _below(stage.folder, target)
    stage.copies.append(Copy(tuple(sources), place.rstrip("/") + ending, item.flags.get("from", ""), item.span))


def _run(item: Instruction, stage: Stage, _found: list[Diagnostic]) -> None:
    scope = {**stage.args, **stage.env}
    # The shell of the build knows them, too; what it alone knows stays as it is written.
    line = _VARIABLE.sub(lambda m: scope.get(m["name"] or m["braced"] or "", m[0]), item.text)
    stage.runs.append(Run(line, item.words, stage.folder, item.span))


def _user(item: Instruction, stage: Stage, found: list[Diagnostic]) -> None:
    stage.user = (_put_in(item, item.text, {**stage.args, **stage.env}, found), item.span)


_IN_STAGE = {"ENV": _env, "WORKDIR": _workdir, "COPY": _copy, "RUN": _run, "USER": _user}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for match in _PAIR.finditer(text):
        yield match[1], re.sub(r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'|\\(.)", _unquoted, match[2], flags=re.DOTALL)


def _unquoted(match: re.Match[str]) -> str:
    if match[1] is not None:
        return re.sub(r"\\([\"\\])", r"\1", match[1])
    return match[2] if match[2] is not None else (r"\$" if match[3] == "$" else match[3])


def _put_in(item: Instruction, text: str, scope: Mapping[str, str], found: list[Diagnostic]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[0] == r"\$":
            return "$"
        name, rule = match["name"] or match["braced"], match["rule"] or ""
        if rule.startswith(":+"):
            return rule[2:] if scope.get(name) else ""
        if scope.get(name):
            return scope[name]
        if rule.startswith(":-"):
            return rule[2:]
        if name not in scope and item.word == "FROM":
            reason = f"nothing sets {name!r} before it"
            found.append(_wrong(item.span, "FROM", reason, f"write ARG {name}=VALUE above the first FROM"))
        return scope.get(name, "")

    return _VARIABLE.sub(value, text)


def _below(folder: str, path: str) -> str:
    """`path` seen from `folder`, without `.` and `..`: nothing leads out of the root."""
    parts: list[str] = []
    for part in (path if path.startswith("/") else f"{folder}/{path}").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _wrong(span: Span, what: str, reason: str, fix: str) -> Diagnostic:
    return error("BND793", span, f"cannot read {what}: {reason}", fix=fix)


def _not_taken(item: Instruction) -> Diagnostic:
    if item.word in _NO_EFFECT:
        why = "a node of the cluster runs Ray, whatever the image would run"
        return warning("BND794", item.span, f"{item.word} has no effect", why=why, fix="remove the line")
    near = did_you_mean(item.word, TAKEN)
    fix = _REFUSED.get(item.word) or (f"did you mean {near}?" if near else f"taken: {', '.join(TAKEN)}")
    return error("BND794", item.span, f"cannot take {item.word!r}: no instruction of a Containerfile here", fix=fix)
