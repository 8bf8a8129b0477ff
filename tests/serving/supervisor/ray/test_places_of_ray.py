"""Where Ray clusters stand on this machine: ports that no two of them get, numbers that come again late."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.supervisor.environment import CannotStart
from bandari.serving.supervisor.ports import free_port
from bandari.serving.supervisor.ray import places

CLUSTERS = [f"c{number}" for number in range(8)]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for cluster in CLUSTERS:
        places.remove(places.cluster_folder(tmp_path, cluster))


def test_a_cluster_gets_the_same_port_again(state: Path) -> None:
    assert places.gcs_port(state, "c0", ()) == places.gcs_port(state, "c0", ())


def test_clusters_that_start_at_one_moment_get_ports_of_their_own(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_GCS_PORTS", 100)  # else they would hardly ever meet
    with ThreadPoolExecutor(len(CLUSTERS)) as pool:
        ports = list(pool.map(lambda cluster: places.gcs_port(state, cluster, ()), CLUSTERS))
    assert len(set(ports)) == len(CLUSTERS)


def test_a_port_that_is_taken_or_listened_on_is_left_alone(state: Path) -> None:
    first = places.gcs_port(state, "c0", ())
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", first))
        holder.listen()
        second = places.gcs_port(state, "c0", ())
    assert len({first, second, places.gcs_port(state, "c0", {first, second})}) == 3
    assert places.gcs_port(state, "c1", {first}) != first


def test_a_port_is_free_again_when_its_cluster_is_gone(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_FIRST_GCS_PORT", free_port())
    monkeypatch.setattr(places, "_GCS_PORTS", 1)
    port = places.gcs_port(state, "c0", ())
    with pytest.raises(CannotStart, match="no port is free"):
        places.gcs_port(state, "c1", ())
    places.remove(places.cluster_folder(state, "c0"))
    assert places.gcs_port(state, "c1", ()) == port


@given(st.integers(1, places.LAST_NUMBER), st.sets(st.integers(2, places.LAST_NUMBER), max_size=252))
def test_the_number_of_a_node_is_free_and_was_used_longest_ago(last: int, taken: set[int]) -> None:
    number = places.next_number(last, taken)
    assert number not in taken
    assert places.HEAD_NUMBER < number <= places.LAST_NUMBER
    after = set(range(last + 1, places.LAST_NUMBER + 1)) - taken
    assert number == min(after or set(range(2, last + 1)) - taken)
