"""A credential in plain text. The messages name where it stands and never what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bandari.analysis.subject import Subject, external_at, query_at
from bandari.desired.secrets import is_secret_name, is_secret_value
from bandari.desired.workloads import EnvVar, ModelServer
from bandari.diagnostics import Diagnostic, Severity, Span

CODE = "BND410"
SHORTEST = 6
"""Shorter values are switches and numbers (`true`, `0`, `none`), not credentials."""
WHY = "whoever can read the file, its history or the pod's description can use the credential"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Variables, the command and the triggers."""
    for server in subject.state.servers():
        yield from _environment(server)
        yield from _command(server, "runtime", server.command)
        yield from _command(server, "local", server.local.command)
        yield from _triggers(server)


def _environment(server: ModelServer) -> Iterator[Diagnostic]:
    for index, variable in enumerate(server.env):
        if _holds(variable):
            yield _finding(
                server.origin.at("runtime", "env", index, "value"),
                f"variable {variable.name!r} of group {server.name!r}",
                f"use valueFrom: {{secretKeyRef: {{name: {server.name}, key: {variable.name.lower()}}}}} in its place",
            )


def _holds(variable: EnvVar) -> bool:
    value = (variable.value or "").strip()
    if value.startswith("$(") or len(value) < SHORTEST:
        return False
    return is_secret_value(value) or (is_secret_name(variable.name) and not value.startswith("/"))


def _command(server: ModelServer, section: str, command: Sequence[str]) -> Iterator[Diagnostic]:
    for index, token in enumerate(command):
        flag, equals, value = token.partition("=")
        before = command[index - 1] if index else ""
        given = flag if equals else before
        value = value if equals else token
        named = given.startswith("--") and is_secret_name(given[2:]) and not value.startswith(("-", "/", "$("))
        if is_secret_value(value) or (named and len(value) >= SHORTEST):
            yield _finding(
                server.origin.at(section, "command", index),
                f"argument {index + 1} of the command of group {server.name!r}",
                "put it in a variable that comes from a secret, and write $(NAME) in the command",
            )


def _triggers(server: ModelServer) -> Iterator[Diagnostic]:
    fix = "take it out, and let KEDA read it from a secret by a TriggerAuthentication"
    for index, query in enumerate(server.scaling.queries):
        if is_secret_value(query.server) or _any_secret({**query.headers, **query.query_parameters}):
            where = query_at(server.origin, index, "serverAddress")
            yield _finding(where, f"a prometheus trigger of group {server.name!r}", fix)
    for trigger in server.scaling.external:
        if _any_secret(trigger.metadata):
            where = external_at(server.origin, trigger)
            yield _finding(where, f"a {trigger.type} trigger of group {server.name!r}", fix)


def _any_secret(pairs: Mapping[str, str]) -> bool:
    return any(_holds(EnvVar(name, value)) for name, value in pairs.items())


def _finding(span: Span, what: str, fix: str) -> Diagnostic:
    message = f"cannot keep a credential secret in plain text: {what}"
    return Diagnostic(Severity.WARNING, CODE, span, message, WHY, fix, sensitive=True)
