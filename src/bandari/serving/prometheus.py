"""Asks a Prometheus HTTP API for the one number that a trigger scales on, and reads it as KEDA does.

Used by the autoscaler; nothing here raises for what a network or a server does: the answer is a number or `NoData` with
a reason that names the address without credentials and never a header, a parameter or a body.
Source: keda/pkg/scalers/prometheus_scaler.go (ExecutePromQuery).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from bandari.desired.scaling import PrometheusTarget
from bandari.serving.scaling import NoData

BODY_LIMIT = 1 << 20
"""Bytes of an answer that are read; one number needs a few hundred."""
_IN_CLUSTER = (".svc", ".svc.cluster.local")


class _Element(msgspec.Struct):
    value: Sequence[Any] = ()


class _Result(msgspec.Struct):
    result: Sequence[_Element] | None = None


class _Answer(msgspec.Struct):
    status: str = ""
    data: _Result | None = None


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    """Ends a query early; its text becomes the reason of a `NoData`."""


class Prometheus:
    """Keeps connections between queries. `local` is the address of this machine's own Prometheus, which answers for
    every address inside a cluster; None: none runs here.
    """

    def __init__(self, *, local: str | None = None) -> None:
        self._local = local
        self._clients: dict[tuple[bool, bool], httpx.AsyncClient] = {}

    async def query(self, target: PrometheusTarget, *, timeout: float) -> float | NoData:  # noqa: ASYNC109 - bounds the whole exchange, not one await
        """The value of the target's query now, after at most `timeout` seconds."""
        server = target.server
        if _in_cluster(server):
            if self._local is None:
                return NoData("its address is inside a cluster and no local Prometheus runs yet")
            server = self._local
        try:
            async with asyncio.timeout(timeout):
                return _read(target, await self._get(server, target))
        except TimeoutError:
            return NoData(f"no answer from {_shown(server)} within {timeout:g} s")
        except _Refusal as refusal:
            return NoData(str(refusal))
        except Exception as error:  # noqa: BLE001 - a malformed address, header or port; the text may quote a secret
            return NoData(f"its server address, a header or a parameter is malformed ({type(error).__name__})")

    async def aclose(self) -> None:
        """Closes the connections; a query after it opens new ones."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            with contextlib.suppress(httpx.HTTPError, OSError):
                await client.aclose()

    async def _get(self, server: str, target: PrometheusTarget) -> bytes:
        try:
            url = _url(server, target)
            client = self._client(url, unsafe=target.unsafe_ssl)
            headers = {**target.headers, "accept-encoding": "identity"}
            # A redirect could carry the file's own headers to another host.
            follow = not target.headers
            async with client.stream("GET", url, headers=headers, follow_redirects=follow) as response:
                if not response.is_success:
                    raise _Refusal(f"{_shown(server)} answered HTTP {response.status_code}")
                return await _body(response, server)
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.ConnectError as error:
            raise _Refusal(f"cannot reach {_shown(server)}: {str(error) or 'connection failed'}") from None
        except httpx.HTTPError as error:
            raise _Refusal(
                f"cannot ask {_shown(server)}: {type(error).__name__}"
            ) from None  # its text may quote a header

    def _client(self, url: httpx.URL, *, unsafe: bool) -> httpx.AsyncClient:
        proxies = not _loopback(url.host)
        if (key := (unsafe, proxies)) not in self._clients:
            self._clients[key] = httpx.AsyncClient(verify=not unsafe, trust_env=proxies, timeout=None)  # noqa: S113 - asyncio.timeout bounds the whole
        return self._clients[key]


def _url(server: str, target: PrometheusTarget) -> httpx.URL:
    params = [("query", target.query), ("time", datetime.now(UTC).isoformat(timespec="seconds"))]
    if target.namespace:
        params.append(("namespace", target.namespace))
    return httpx.URL(f"{server.rstrip('/')}/api/v1/query", params=[*params, *target.query_parameters.items()])


async def _body(response: httpx.Response, server: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _Refusal(f"the answer of {_shown(server)} is larger than {BODY_LIMIT} bytes")
    return bytes(body)


def _read(target: PrometheusTarget, body: bytes) -> float:
    """KEDA's reading: nothing, NaN and infinity are 0 where nulls are ignored; two elements are an error."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _Refusal("the answer is no instant vector of the Prometheus API") from None
    if answer.status == "error":
        raise _Refusal("the query failed")
    elements = answer.data.result if answer.data and answer.data.result else ()
    if len(elements) > 1:
        raise _Refusal(f"the query gave {len(elements)} elements and has to give one")
    if not elements or not elements[0].value:
        return _null(target, "the query gave nothing")
    value = _number(elements[0].value)
    return value if math.isfinite(value) else _null(target, f"the query gave {value}")


def _number(value: Sequence[Any]) -> float:
    if len(value) < 2:
        raise _Refusal("the query gave a value without a number")
    try:
        return -1.0 if value[1] is None else float(value[1])
    except (TypeError, ValueError, OverflowError):
        raise _Refusal("the query gave a value that is no number") from None


def _null(target: PrometheusTarget, reason: str) -> float:
    if target.ignore_null_values:
        return 0.0
    raise _Refusal(f"{reason}, and ignoreNullValues is false")


def _in_cluster(server: str) -> bool:
    return _host(server).rstrip(".").endswith(_IN_CLUSTER)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(server: str) -> str:
    try:
        return httpx.URL(server).host.lower()
    except (httpx.InvalidURL, ValueError, TypeError):
        return ""


def _shown(server: str) -> str:
    """The address without user, password, path and parameters, any of which may hold a secret."""
    url = httpx.URL(server)
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
