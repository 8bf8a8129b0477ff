"""What a query comes to, over real sockets; the cases of KEDA's own prometheus scaler among them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandari.desired.scaling import PrometheusTarget
from bandari.serving.prometheus import BODY_LIMIT, Prometheus
from bandari.serving.scaling import NoData
from bandari.testing.prometheus import FakePrometheus, Reply, vector

TIMEOUT = 5.0


@pytest.fixture
def double() -> Iterator[FakePrometheus]:
    with FakePrometheus() as served:
        yield served


def target(server: str, query: str = "up", **options: Any) -> PrometheusTarget:
    return PrometheusTarget(server, query, threshold=1, **options)


def ask(wanted: PrometheusTarget, *, timeout: float = TIMEOUT, local: str | None = None) -> float | NoData:
    async def once() -> float | NoData:
        prometheus = Prometheus(local=local)
        try:
            return await prometheus.query(wanted, timeout=timeout)
        finally:
            await prometheus.aclose()

    return asyncio.run(once())


# --- what is sent ------------------------------------------------------------------------------------------------


def test_the_query_travels_whole_with_all_that_the_trigger_says(double: FakePrometheus) -> None:
    query = 'histogram_quantile(0.95, sum(rate(x{a="b&c"}[5m])) by (le))\n'
    double.set(query, 21.5)
    wanted = target(
        f"{double.address}/",
        query,
        namespace="models",
        headers={"X-Scope": "team"},
        query_parameters={"dedup": "true", "a b": "ä"},
    )

    assert ask(wanted) == 21.5

    (asked,) = double.asked
    assert asked.path == "/api/v1/query"
    assert asked.parameters["query"] == query
    assert asked.parameters["namespace"] == "models"
    assert asked.parameters["dedup"] == "true"
    assert asked.parameters["a b"] == "ä"
    assert asked.headers["x-scope"] == "team"
    assert abs(datetime.fromisoformat(asked.parameters["time"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_server_below_a_path_is_asked_there(double: FakePrometheus) -> None:
    double.set("up", 3)

    assert ask(target(f"{double.address}/prometheus")) == 3
    assert double.asked[0].path == "/prometheus/api/v1/query"


# --- how answers are read ----------------------------------------------------------------------------------------

NULL = "and ignoreNullValues is false"


@pytest.mark.parametrize(
    ("body", "ignoring", "strict"),
    [
        (b"{}", 0.0, NULL),
        (b'{"data":{"result":[]}}', 0.0, NULL),
        (b'{"data":{"result":[{"value":[]}]}}', 0.0, NULL),
        (b'{"data":{"resultType":"matrix","result":[{"values":[[1,"2"]]}]}}', 0.0, NULL),
        (b'{"data":{"result":[{"value":["1","2"]}]}}', 2.0, 2.0),
        (b'{"data":{"result":[{"value":[1,null]}]}}', -1.0, -1.0),
        (b'{"data":{"result":[{"value":["1"]}]}}', "a value without a number", "a value without a number"),
        (b'{"data":{"result":[{},{}]}}', "gave 2 elements", "gave 2 elements"),
        (b'{"data":{"result":[{"value":[1,"+Inf"]}]}}', 0.0, NULL),
        (b'{"data":{"result":[{"value":[1,"-Inf"]}]}}', 0.0, NULL),
        (b'{"data":{"result":[{"value":[1,"NaN"]}]}}', 0.0, NULL),
        (b'{"data":{"result":[{"value":[1,"many"]}]}}', "no number", "no number"),
        (b'{"data":{"result":[{"value":[1,{"a":1}]}]}}', "no number", "no number"),
        (b'{"data":{"resultType":"scalar","result":[1,"2"]}}', "no instant vector", "no instant vector"),
        (b'{"status":"error","error":"token abc"}', "the query failed", "the query failed"),
        (b"<html>", "no instant vector", "no instant vector"),
        (b"", "no instant vector", "no instant vector"),
        (b"\xff\xfe", "no instant vector", "no instant vector"),
        (b"[" * 100_000, "no instant vector", "no instant vector"),
    ],
)
def test_an_answer_is_read_as_keda_reads_it(
    double: FakePrometheus, body: bytes, ignoring: float | str, strict: float | str
) -> None:
    double.set("up", Reply(body))

    for ignore, expected in ((True, ignoring), (False, strict)):
        answer = ask(target(double.address, ignore_null_values=ignore))
        if isinstance(expected, str):
            assert isinstance(answer, NoData)
            assert expected in answer.reason
        else:
            assert answer == expected


@pytest.mark.parametrize("status", [302, 400, 404, 422, 500, 503])
def test_a_refusal_is_no_data_that_names_the_status(double: FakePrometheus, status: int) -> None:
    double.set("up", Reply(b'{"status":"error","error":"secret"}', status))

    assert ask(target(double.address)) == NoData(f"{double.address} answered HTTP {status}")


@given(body=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_is_a_number_or_no_data(double: FakePrometheus, body: bytes) -> None:
    double.set("up", Reply(body))

    assert isinstance(ask(target(double.address)), float | NoData)


# --- what a network does -----------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_no_data() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and never listening: refused
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"

        answer = ask(target(address))

    assert isinstance(answer, NoData)
    assert answer.reason.startswith(f"cannot reach {address}: ")


def test_a_server_that_hangs_is_given_up_after_the_timeout(double: FakePrometheus) -> None:
    double.set("up", Reply(b"", hangs=True))

    assert ask(target(double.address), timeout=0.2) == NoData(f"no answer from {double.address} within 0.2 s")


def raw_server(answer: bytes, *, endless: bool = False) -> tuple[str, threading.Thread]:
    """Serves one connection and sends bytes as they are; `endless` repeats them until the other side goes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            try:
                connection.sendall(answer)
                while endless:
                    connection.sendall(answer[-1024:])
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", thread


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b",
    ],
)
def test_whatever_a_server_sends_is_no_data(answer: bytes) -> None:
    address, thread = raw_server(answer)

    assert isinstance(ask(target(address)), NoData)
    thread.join(TIMEOUT)


def test_an_endless_answer_is_cut_off() -> None:
    address, thread = raw_server(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1024, endless=True)

    assert ask(target(address)) == NoData(f"the answer of {address} is larger than {BODY_LIMIT} bytes")
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_headers_of_the_file_do_not_follow_a_redirect(double: FakePrometheus) -> None:
    double.set("new", 4)
    moved = Reply(b"", 307, {"location": "/api/v1/query?query=new"})
    double.set("old", moved)

    assert ask(target(double.address, "old")) == 4
    assert ask(target(double.address, "old", headers={"authorization": "Bearer s3cret"})) == NoData(
        f"{double.address} answered HTTP 307"
    )


def test_connections_are_kept_between_queries(double: FakePrometheus) -> None:
    double.set("up", 1)

    async def twice() -> list[float | NoData]:
        prometheus = Prometheus()
        answers = [await prometheus.query(target(double.address), timeout=TIMEOUT) for _ in range(2)]
        await prometheus.aclose()
        return answers

    assert asyncio.run(twice()) == [1, 1]
    assert double.connections == 1


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    return tls


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_the_trigger_says_otherwise(tmp_path: Path) -> None:
    with FakePrometheus(tls=self_signed(tmp_path)) as double:
        double.set("up", 5)

        refused = ask(target(double.address))
        assert isinstance(refused, NoData)
        assert "certificate verify failed" in refused.reason.lower()
        assert ask(target(double.address, unsafe_ssl=True)) == 5


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    double: FakePrometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    double.set("up", 5)

    assert ask(target(double.address)) == 5


# --- addresses and secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server",
    [
        "http://kube-prometheus-stack-prometheus.prometheus.svc.cluster.local:9090",
        "http://prometheus.monitoring.SVC.cluster.local.",
        "http://prometheus.monitoring.svc:9090/",
    ],
)
def test_an_address_inside_a_cluster_means_the_local_prometheus(double: FakePrometheus, server: str) -> None:
    double.set("up", 7)

    assert ask(target(server), local=double.address) == 7
    assert ask(target(server)) == NoData("its address is inside a cluster and no local Prometheus runs yet")


def test_any_other_address_is_asked_as_given(double: FakePrometheus) -> None:
    double.set("up", 7)

    assert ask(target(double.address), local="http://127.0.0.1:1") == 7


@pytest.mark.parametrize(
    "server",
    [
        "",
        "prometheus:9090",
        "http://",
        "ftp://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://\x00",
        "x" * 70000,
    ],
)
def test_an_address_that_is_none_is_no_data(server: str) -> None:
    assert isinstance(ask(target(server)), NoData)


@pytest.mark.parametrize("headers", [{"x-token": "s3cret\n"}, {"x-token": "s3cret€"}, {"s3cret:": "x"}, {"": "s3cret"}])
def test_a_malformed_header_is_no_data_and_is_not_quoted(double: FakePrometheus, headers: dict[str, str]) -> None:
    answer = ask(target(double.address, headers=headers))

    assert isinstance(answer, NoData)
    assert "s3cret" not in answer.reason


def test_no_secret_of_a_trigger_is_ever_in_a_reason(double: FakePrometheus) -> None:
    secret = "s3cret"
    port = double.address.rpartition(":")[2]
    wanted = target(
        f"http://user:{secret}@127.0.0.1:{port}/{secret}?token={secret}",
        headers={"authorization": secret},
        query_parameters={"token": secret},
    )
    double.set("up", Reply(secret.encode(), 500))
    reasons = [ask(wanted)]
    double.set("up", Reply(b"", hangs=True))
    reasons.append(ask(wanted, timeout=0.2))
    reasons.append(ask(replace(wanted, server=wanted.server.replace(port, "1"))))
    double.set("up", vector(1, 2))
    reasons.append(ask(wanted))

    for reason in reasons:
        assert isinstance(reason, NoData)
        assert secret not in reason.reason
