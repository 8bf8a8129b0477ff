"""Ports that are free, ports that are taken, and by whom."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from bandari.serving.supervisor import ports


def test_a_free_port_is_none_of_the_taken() -> None:
    port = ports.free_port()
    with ports.listen("127.0.0.1", port) as listener:
        assert listener.getsockname() == ("127.0.0.1", port)
    assert ports.free_port({port}) != port


def test_the_first_free_port_is_taken_that_is_not_excluded() -> None:
    with ports.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with ports.listen_from("127.0.0.1", port, {port + 1}) as found:
            assert found.getsockname()[1] > port + 1


def test_a_taken_port_names_its_holder() -> None:
    with ports.listen("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(ports.PortTaken) as raised:
            ports.listen_on("127.0.0.1", port)
    start = f"cannot listen on 127.0.0.1:{port}: the port is taken by process {os.getpid()} ("
    assert str(raised.value).startswith(start)
    assert Path(sys.argv[0]).parent.name in str(raised.value)


def test_an_address_of_another_machine_is_said_to_be_none_of_ours() -> None:
    with pytest.raises(ports.PortTaken, match=r"cannot listen on 192\.0\.2\.1:8080: cannot assign requested address"):
        ports.listen_on("192.0.2.1", 8080)


def test_a_listener_of_ipv6_is_found_as_well() -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    with ports.listen("::1", 0) as held:
        assert f"by process {os.getpid()}" in ports.holder(held.getsockname()[1])
