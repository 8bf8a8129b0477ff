"""The head of a request as it comes off the parser, and what becomes of it: refused, or passed on; pure.

Headers that are about the connection end here (RFC 9110, 7.6.1); the body is passed on as it came, with a length.
"""

from __future__ import annotations

import functools
import hashlib

from bandari.serving.gateway.answers import Answer, error, malformed

HOP_BY_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
        b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings",
    )
)  # fmt: skip
SPECIAL = HOP_BY_HOP | {
    b"host", b"content-length", b"expect", b"authorization", b"accept-encoding", b"content-encoding",
    b"x-bandari-version",
}  # fmt: skip
"""Headers of a request that are looked at or replaced; `accept-encoding` is dropped so that `usage` can be read."""
_CHUNKED = (b"chunked",)
_BEARER = b"bearer "
_VERSIONS = frozenset(("1.0", "1.1"))
_UNUSUAL = frozenset((b"expect", b"content-encoding", b"x-bandari-version"))


class Head:
    """Filled by the parser; `size` counts bytes, `passed` are header lines for the replica, four pieces each."""

    __slots__ = (
        "authorization", "continues", "key", "length", "passed", "size", "special", "target", "version",
        "version_wanted",
    )  # fmt: skip

    def __init__(self) -> None:
        self.target = b""
        self.size = 0
        self.passed: list[bytes] = []
        self.special: list[tuple[bytes, bytes]] = []
        self.length = 0
        self.version = "1.1"
        self.key = ""
        """SHA-256 of the API key, hexadecimal; empty without one."""
        self.authorization = b""
        self.version_wanted = ""
        """Of a service: `x-bandari-version`."""
        self.continues = False
        """Whether the client waits for `100 Continue` before it sends the body."""

    def refusal(self) -> Answer | None:
        """Reads the special headers; what is wrong with the request, or None."""
        version = self.version
        if version not in _VERSIONS:
            return malformed(f"it is HTTP/{version}")
        hosts = 0
        encodings: list[bytes] = []
        lengths = 0
        for name, value in self.special:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                lengths += 1
                self.length = int(value) if value.isdigit() and len(value) < 20 else -1
            elif name == b"transfer-encoding":
                encodings.append(value.strip().lower())
            elif name == b"authorization":
                if self.authorization:
                    return malformed("it has several Authorization headers")
                self._authorize(value)
            elif name == b"connection":
                self._unnamed(value)
            elif name in _UNUSUAL and (answer := self._unusual(name, value)):
                return answer
        if hosts == lengths == 1 and self.length >= 0 and not encodings:
            return None
        return _framing(hosts, lengths, self.length, encodings, version)

    def _authorize(self, value: bytes) -> None:
        self.authorization = value
        if value[: len(_BEARER)].lower() == _BEARER:
            self.key = hashlib.sha256(value[len(_BEARER) :].strip()).hexdigest()

    def _unnamed(self, connection: bytes) -> None:
        # Headers that `Connection` names are about the connection, too.
        named = {name.strip() for name in connection.lower().split(b",")} - {b"close", b"keep-alive", b""} - SPECIAL
        if named:
            self.passed = [
                piece
                for at in range(0, len(self.passed), 4)
                if self.passed[at].lower() not in named
                for piece in self.passed[at : at + 4]
            ]

    def _unusual(self, name: bytes, value: bytes) -> Answer | None:
        if name == b"x-bandari-version":
            self.version_wanted = value.strip().decode("latin-1")
            return None
        value = value.lower()
        if name == b"content-encoding":
            if value.strip() in {b"", b"identity"} or not (path_of(self.target) or "/v1/").startswith("/v1/"):
                return None
            return error(415, "cannot read a compressed body: send it plain", code="unsupported_encoding", close=True)
        if value.strip() != b"100-continue":
            return error(417, "cannot meet the expectation: only 100-continue is known", close=True)
        self.continues = self.version == "1.1"
        return None


def _framing(hosts: int, lengths: int, length: int, encodings: list[bytes], version: str) -> Answer | None:
    """What two readers of the request could disagree on (request smuggling, RFC 9112, 6.3 and 11.2)."""
    if hosts > 1 or (not hosts and version == "1.1"):
        return malformed("it needs one Host header")
    if encodings and lengths:
        return malformed("it has both Content-Length and Transfer-Encoding")
    if lengths > 1 or length < 0:
        return malformed("its Content-Length is no length")
    if encodings and (tuple(encodings) != _CHUNKED or version != "1.1"):
        return malformed("its Transfer-Encoding is not chunked")
    return None


def without_upgrade(method: bytes, head: Head) -> bytes:
    """The head again, for a second reading as a plain request: some clients offer `Upgrade: h2c` with every first
    request and are content with HTTP/1.1.
    """
    kept = [
        b"%b: %b\r\n" % (name, value)
        for name, value in head.special
        if name not in {b"upgrade", b"http2-settings", b"connection"}
    ]
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, head.target, b"".join(kept), b"".join(head.passed))


@functools.lru_cache(maxsize=256)
def path_of(target: bytes) -> str | None:
    """The path of a request target, without its query; None when it is none that a server is asked for."""
    if not target.startswith(b"/"):
        scheme, found, rest = target.partition(b"://")
        if not found or scheme.lower() not in {b"http", b"https"}:
            return None
        target = b"/" + rest.partition(b"/")[2]
    try:
        return target.partition(b"?")[0].decode("ascii")
    except UnicodeDecodeError:
        return None
