"""`bandari explain`: the long text behind the code of a finding."""

from __future__ import annotations

import textwrap

import click

from bandari.cli.output import Output, verb
from bandari.codes import CODES, Code
from bandari.diagnostics import did_you_mean

WIDTH = 100


@click.command()
@click.argument("code", required=False)
@verb
def explain(out: Output, code: str | None) -> int:
    """Explain CODE, such as BND301; without one, list them all."""
    if code is None:
        out.document({"codes": [{"code": c.code, "title": c.title} for c in CODES.values()]})
        for item in CODES.values():
            out.text(f"{item.code}  {item.title}")
        return 0
    found = CODES.get(code.upper())
    if found is None:
        near = did_you_mean(code.upper(), CODES)
        fix = f"did you mean {near}?" if near else "`bandari explain` lists all codes"
        return out.refusal(f"cannot explain {code!r}: no such code", fix)
    out.document(
        {
            "code": found.code,
            "title": found.title,
            "explanation": found.explanation,
            "bad": found.bad,
            "good": found.good,
        }
    )
    out.text(_page(found))
    return 0


def _page(code: Code) -> str:
    body = "\n".join(textwrap.wrap(code.explanation, WIDTH))
    bad = textwrap.indent(code.bad.rstrip(), "    ")
    good = textwrap.indent(code.good.rstrip(), "    ")
    return f"{code.code}: {code.title}\n\n{body}\n\nInstead of\n\n{bad}\n\nwrite\n\n{good}\n"
