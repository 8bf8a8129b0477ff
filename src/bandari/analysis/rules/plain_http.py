"""A public group of this machine behind plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND411"
LOOPBACK = ("127.", "::1", "localhost")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Once a file, at the first public group; a loopback address is public to nobody."""
    target = subject.state.target
    public = [server for server in subject.state.servers() if server.is_public]
    if target.local.tls or not public or target.local.public_address.startswith(LOOPBACK):
        return
    yield warning(
        CODE,
        public[0].origin.at("isPublic"),
        f"cannot keep requests to {public[0].name!r} private on the way: the public listener speaks plain HTTP",
        why=f"it listens on {target.local.public_address}; prompts, answers and API keys can be read on the network",
        fix="add local: {tls: {certificate: cert.pem, key: key.pem}}, or put a proxy that speaks TLS in front",
    )
