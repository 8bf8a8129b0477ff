"""Answers of the gateway's own: JSON as OpenAI words it, as HTTP responses and as the last event of a stream; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

SERVER = "server_error"
INVALID = "invalid_request_error"
_BUSY = "rate_limit_error"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the gateway's own. `close`: the connection cannot go on after it."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False

    def encoded(self, *, close: bool, head_only: bool = False) -> bytes:
        """The bytes of the response, for a client of HTTP/1.1 or 1.0."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"content-type: {self.content_type}",
            f"content-length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        if close or self.close:
            lines.append("connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return head if head_only else head + self.body


def document(body: Any, status: int = 200) -> Answer:
    """Any JSON."""
    return Answer(status, msgspec.json.encode(body))


def error(
    status: int,
    message: str,
    *,
    kind: str = INVALID,
    param: str | None = None,
    code: str | None = None,
    retry_after: int = 0,
    headers: Mapping[str, str] | None = None,
    close: bool = False,
) -> Answer:
    """An error as OpenAI words it: {"error": {"message", "type", "param", "code"}}."""
    told = dict(headers or {})
    if retry_after:
        told["retry-after"] = str(retry_after)
    return Answer(status, msgspec.json.encode(_error(message, kind, param, code)), headers=told, close=close)


def error_event(message: str, code: str) -> bytes:
    """The same as the last event of a stream that cannot be finished."""
    return b"data: %b\n\n" % msgspec.json.encode(_error(message, SERVER, None, code))


def _error(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def malformed(reason: str) -> Answer:
    """What was sent is no HTTP request that could be trusted; nothing after it can be either."""
    return error(400, f"cannot read the request: {reason}", code="malformed_request", close=True)


def head_too_large(limit: int) -> Answer:
    """431."""
    return error(431, f"cannot take the request: its headers are over {limit} bytes", code="head_too_large", close=True)


def body_too_large(limit: int) -> Answer:
    """413."""
    return error(413, f"cannot take the request: its body is over {limit} bytes", code="body_too_large", close=True)


def too_slow(part: str) -> Answer:
    """408."""
    return error(408, f"cannot wait longer for the {part} of the request", code="request_timeout", close=True)


def no_key() -> Answer:
    """401 for a public listener."""
    return error(
        401,
        "cannot serve the request: no valid API key in `Authorization: Bearer KEY`; `bandari keys create` makes one",
        code="invalid_api_key",
        headers={"www-authenticate": "Bearer"},
    )


def unknown_model(model: str) -> Answer:
    """404, the same for a model that does not exist and for one that is not to be known of."""
    return error(
        404, f"cannot find model {model[:200]!r}: GET /v1/models lists them", param="model", code="model_not_found"
    )


def unknown_path(method: bytes, path: str) -> Answer:
    """404."""
    return error(404, f"cannot find {method.decode()} {path[:200]!r}", code="unknown_url")


def wrong_method(method: bytes, path: str, allowed: str) -> Answer:
    """405."""
    message = f"cannot {method.decode()} {path[:200]!r}: it takes {allowed}"
    return error(405, message, code="method_not_allowed", headers={"allow": allowed})


def queue_full(limit: int) -> Answer:
    """429: as many requests as may wait do wait."""
    message = f"cannot hold more than {limit} requests while no replica is ready"
    return error(429, message, kind=_BUSY, code="queue_full", retry_after=1)


def not_ready(reason: str) -> Answer:
    """503."""
    return error(503, f"cannot serve the request: {reason}", kind=SERVER, code="no_replica", retry_after=5)


def no_version(service: str) -> Answer:
    """503: the service has no version that may be asked now."""
    message = f"cannot serve the request: service {service!r} has no ready version"
    return error(503, message, kind=SERVER, code="no_version", retry_after=5)


def unknown_version(service: str, version: str) -> Answer:
    """404: `x-bandari-version` names none."""
    message = f"cannot find version {version[:200]!r} of service {service!r}"
    return error(404, message, code="version_not_found")


def no_websockets() -> Answer:
    """501."""
    message = "cannot open a websocket: the gateway passes on requests and their answers only"
    return error(501, message, code="websocket_not_supported", close=True)


def upstream_failed(attempts: int) -> Answer:
    """502: it was tried and nobody answered."""
    message = f"cannot serve the request: the replica failed before it answered, {attempts} tries"
    return error(502, message, kind=SERVER, code="upstream_failed")


def upstream_silent(seconds: float) -> Answer:
    """504."""
    message = f"cannot wait longer for the replica: no answer within {seconds:g} s"
    return error(504, message, kind=SERVER, code="upstream_timeout")
