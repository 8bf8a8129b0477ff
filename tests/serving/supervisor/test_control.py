"""The control socket, with whatever a client may send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandari.serving.protocol import Op, Request
from bandari.serving.supervisor.control import MAX_LINE, Control, Refused
from bandari.serving.supervisor.sockets import connect_unix


async def _answer(request: Request) -> object:
    if request.op is Op.DELETE:
        raise Refused(f'cannot delete "{request.address}": it is needed', "delete what needs it first")
    if request.op is Op.STOP:
        raise RuntimeError("a bug")
    return {"op": request.op.value}


def talk(folder: Path, *lines: bytes) -> list[dict[str, object]]:
    """Sends lines over one connection to a server that lives as long; the answers until it closes or all are there."""

    async def serve() -> list[dict[str, object]]:
        control = Control(folder, _answer)
        await control.open()
        try:
            return await asyncio.to_thread(_ask, control.path, lines)
        finally:
            await control.close()

    return asyncio.run(serve())


def _ask(path: Path, lines: tuple[bytes, ...]) -> list[dict[str, object]]:
    answers = []
    with connect_unix(path) as client, client.makefile("rb") as reader:
        for line in lines:
            answer = b""
            with contextlib.suppress(OSError):  # Closed by the server, with or without unread bytes.
                client.sendall(line + b"\n")
                answer = reader.readline()
            if not answer:
                break
            answers.append(json.loads(answer))
    return answers


def test_each_request_gets_the_answer_of_its_id(tmp_path: Path) -> None:
    asked = [json.dumps({"id": n, "op": "hello"}).encode() for n in (7, 8)]
    assert talk(tmp_path, *asked) == [{"id": 7, "result": {"op": "hello"}}, {"id": 8, "result": {"op": "hello"}}]


def test_a_refusal_has_a_reason_and_a_fix(tmp_path: Path) -> None:
    (answer,) = talk(tmp_path, b'{"id": 1, "op": "delete", "address": "group.chat"}')
    assert answer == {"id": 1, "error": 'cannot delete "group.chat": it is needed', "fix": "delete what needs it first"}


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"null", b'{"id": 3, "op": "explode"}', b'{"id": "x", "op": "hello"}', b"\xff\xfe", b"[" * 5000],
)
def test_a_line_that_is_no_request_gets_an_error_and_the_next_one_an_answer(tmp_path: Path, line: bytes) -> None:
    bad, good = talk(tmp_path, line, b'{"id": 4, "op": "hello"}')
    assert str(bad["error"]).startswith("cannot read a request: ")
    assert good["result"] == {"op": "hello"}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300).filter(lambda b: b"\n" not in b))
def test_no_bytes_end_the_server(tmp_path: Path, line: bytes) -> None:
    answers = talk(tmp_path, line, b'{"id": 4, "op": "hello"}')
    assert answers[-1] == {"id": 4, "result": {"op": "hello"}}


def test_a_line_that_is_too_long_ends_its_connection_with_a_reason(tmp_path: Path) -> None:
    answers = talk(tmp_path, b"x" * (MAX_LINE + 1), b'{"id": 4, "op": "hello"}')
    assert [answer["error"] for answer in answers] == [f"cannot read a request: it is longer than {MAX_LINE} bytes"]


def test_a_bug_in_one_request_is_an_error_of_that_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad, good = talk(tmp_path, b'{"id": 4, "op": "stop"}', b'{"id": 5, "op": "hello"}')
    assert bad["error"] == "cannot do stop: RuntimeError: a bug"
    assert good["id"] == 5
    assert "a bug" in caplog.text


def test_a_long_folder_has_a_socket_too_and_only_its_owner_may_use_it(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    assert len(os.fsencode(folder)) > 108

    async def serve() -> int:
        control = Control(folder, _answer)
        await control.open()
        mode = control.path.stat().st_mode & 0o777
        await asyncio.to_thread(_ask, control.path, (b'{"id": 4, "op": "hello"}',))
        await control.close()
        assert not control.path.exists()
        return mode

    assert asyncio.run(serve()) == 0o600
