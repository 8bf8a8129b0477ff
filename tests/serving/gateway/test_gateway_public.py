"""The public listener: public groups only, with a key, over TLS when there is a certificate."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bandari.serving import keys
from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer

pytestmark = pytest.mark.engine
Open = Callable[..., Harbour]


@pytest.fixture
def key(tmp_path: Path) -> str:
    return keys.create(tmp_path, "laptop", 1.0)[1]


@pytest.fixture
def public(open_harbour: Open, server: ModelServer, tmp_path: Path, key: str) -> Harbour:
    harbour = open_harbour(public=True)
    harbour.told(group("chat", server.port, public=True), group("secret", server.port), keys=keys.hashes(tmp_path))
    return harbour


def test_a_public_group_is_answered_to_who_has_a_key(public: Harbour, server: ModelServer, key: str) -> None:
    answer = ask(public.public_port, body={"model": "chat"}, authorization=f"Bearer {key}")
    assert answer.status == 200
    assert "x-bandari-replica" not in answer.headers
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Basic abc", "Bearer ", "{key}", "Bearer {key}x"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/metrics", "/nowhere"])
def test_without_a_key_nothing_is_told(public: Harbour, server: ModelServer, key: str, shown: str, path: str) -> None:
    headers = {"authorization": shown.format(key=key)} if shown else {}
    body = {"model": "chat"} if "chat" in path else None
    answer = ask(public.public_port, path, body, **headers)
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert "www-authenticate" in answer.headers
    assert server.requests == []


def test_a_private_group_is_told_apart_from_nothing(public: Harbour, key: str) -> None:
    def told(model: str) -> tuple[int, str]:
        answer = ask(public.public_port, body={"model": model}, authorization=f"Bearer {key}")
        return answer.status, answer.body.decode().replace(model, "MODEL")

    assert told("secret") == told("absent")
    assert told("secret")[0] == 404
    listed = ask(public.public_port, "/v1/models", authorization=f"Bearer {key}").json()
    assert [model["id"] for model in listed["data"]] == ["chat"]
    assert ask(public.public_port, "/v1/models/secret", authorization=f"Bearer {key}").status == 404
    assert ask(public.public_port, "/metrics", authorization=f"Bearer {key}").status == 404
    assert ask(public.port, body={"model": "secret"}).status == 200


def test_health_needs_no_key(public: Harbour) -> None:
    assert ask(public.public_port, "/healthz").json() == {"status": "ok"}


def test_a_revoked_key_opens_nothing_from_the_next_table_on(
    public: Harbour, server: ModelServer, tmp_path: Path, key: str
) -> None:
    with Wire(public.public_port) as wire:
        assert wire.ask(body={"model": "chat"}, authorization=f"Bearer {key}").status == 200
        keys.revoke(tmp_path, "laptop")
        public.told(group("chat", server.port, public=True), keys=keys.hashes(tmp_path))
        assert wire.ask(body={"model": "chat"}, authorization=f"Bearer {key}").status == 401


def test_a_body_without_a_key_is_refused_before_it_is_sent(public: Harbour) -> None:
    head, _, _ = request(body={"model": "chat"}, expect="100-continue").partition(b"\r\n\r\n")
    with Wire(public.public_port) as wire:
        assert wire.send(head + b"\r\n\r\n").response().status == 401
        assert wire.ended


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    subprocess.run([*words, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def test_tls_is_spoken_on_the_public_listener_only(
    open_harbour: Open, server: ModelServer, certificate: tuple[Path, Path], tmp_path: Path, key: str
) -> None:
    harbour = open_harbour("--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1]), public=True)
    harbour.told(group("chat", server.port, public=True), keys=keys.hashes(tmp_path))
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    body = {"model": "chat", "stream": True, "double": {"tokens": 50, "padding": 1000}}
    with Wire(harbour.public_port, tls=trusting) as wire:
        for _ in range(2):
            assert len(wire.ask(body=body, authorization=f"Bearer {key}").events()) == 52
        broken = wire.ask(body={**body, "double": {"die": "event"}}, authorization=f"Bearer {key}")
        assert broken.events()[-1]["error"]["code"] == "upstream_failed"
        assert wire.ended
    assert ask(harbour.port, body={"model": "chat"}).status == 200
    with Wire(harbour.public_port) as plain:
        assert plain.send(request("/healthz")).ended


@pytest.mark.parametrize("broken", ["absent", "nonsense", "no key"])
def test_a_certificate_that_cannot_be_used_is_named_and_ends_the_program(
    open_harbour: Open, certificate: tuple[Path, Path], tmp_path: Path, broken: str
) -> None:
    file = certificate[0] if broken == "no key" else tmp_path / "broken.pem"
    if broken == "nonsense":
        file.write_text("no certificate")
    harbour = open_harbour("--tls-certificate", str(file), public=True)
    assert harbour.process.wait(10) == 1
    assert f"cannot {'read' if broken == 'absent' else 'use'}" in harbour.errors
    assert str(file) in harbour.errors
    assert "Traceback" not in harbour.errors
