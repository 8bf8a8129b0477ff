"""The secrets file: secret name -> key -> value, as text. Read by the plan, which keeps digests, and by the supervisor.

Nothing here quotes the file: what is wrong with it is said by place alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from bandari.diagnostics import Span
from bandari.document.reading import load
from bandari.document.scalars import written

Secrets = Mapping[tuple[str, str], str]
"""(secret, key) -> value as written: `1.10` stays `1.10`."""


def secrets(text: str, file: str) -> Secrets:
    """Every value of the file; ValueError with the place where it is no map of maps of scalars."""
    if not text.strip():
        return {}
    document, findings = load(text, file)
    if document is None or findings.errors:
        raise ValueError(f"it is no YAML map at {_place(findings.errors[0].span)}")
    found: dict[tuple[str, str], str] = {}
    for name, pairs in document.value.items():
        if not isinstance(pairs, Mapping):
            raise ValueError(f"at {_place(document.span((name,)))} stands no map of keys")  # noqa: TRY004 - text
        for key, value in pairs.items():
            if isinstance(value, Mapping | list):
                raise ValueError(f"at {_place(document.span((name, key)))} stands no single value")  # noqa: TRY004 - text
            found[str(name), str(key)] = written(value)
    return found


def _place(span: Span) -> str:
    return f"line {span.line}, column {span.column}"
