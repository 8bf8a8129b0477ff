"""What the supervisor keeps on disk: the state file, and logs of bounded size."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.serving.protocol import STATE_FILE, Stored
from bandari.serving.supervisor.logs import last_line, log_path, open_log, rotate
from bandari.serving.supervisor.store import Record, Store


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    store = Store(tmp_path, "try")
    store.state.resources["group.chat"] = Stored("group.chat", {"a": [1]}, {"b": "c"})
    store.state.counts["chat"] = 3
    store.put(Record("chat-0", "1.2.3", group="chat", pid=12, start=34, port=56))
    again = Store(tmp_path, "try")
    assert again.state == store.state
    assert not again.lost


def test_the_file_is_private_and_lists_resources_for_whoever_may_not_ask(tmp_path: Path) -> None:
    store = Store(tmp_path, "try")
    store.state.resources["route.chat"] = Stored("route.chat", {"group": "chat"})
    store.write()
    path = tmp_path / STATE_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_bytes())["resources"] == [
        {"address": "route.chat", "body": {"group": "chat"}, "outputs": {}}
    ]
    assert [p.name for p in tmp_path.iterdir()] == [STATE_FILE]


@given(st.binary(max_size=200))
def test_no_content_of_the_file_stops_a_supervisor(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("state")
    (folder / STATE_FILE).write_bytes(content)
    store = Store(folder, "try")
    assert store.lost
    assert [p.read_bytes() for p in folder.glob(f"{STATE_FILE}.corrupt-*")] == [content]


def test_a_full_log_moves_aside_and_only_so_many_pieces_are_kept(tmp_path: Path) -> None:
    path = log_path(tmp_path, "chat-0")
    output = open_log(path)
    for round_ in range(5):
        os.write(output, f"{round_}".encode() * 100)
        assert rotate(path, limit=100, keep=2)
        assert not rotate(path, limit=100, keep=2)
    os.write(output, b"new")
    os.close(output)
    pieces = {p.name: p.read_bytes()[:3] for p in path.parent.iterdir()}
    assert pieces == {"chat-0.log": b"new", "chat-0.log.1": b"444", "chat-0.log.2": b"333"}


def test_the_last_line_is_of_this_start_only(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("before\n")
    offset = path.stat().st_size
    assert last_line(path, offset) == ""
    with path.open("a") as file:
        file.write("Traceback\n  cannot load: " + "x" * 300 + "\n\n")
    assert last_line(path, offset) == "cannot load: " + "x" * 187
    assert last_line(tmp_path / "none.log") == ""


def test_what_could_not_be_written_is_not_taken_for_written(tmp_path: Path) -> None:
    store = Store(tmp_path, "try")
    store.put(Record("chat-0", "1"))
    (tmp_path / "state.tmp").mkdir()  # In the place of the file that is written aside.
    with pytest.raises(OSError, match="Is a directory"):
        store.put(Record("chat-0", "2"))
    store.note(Record("chat-1", "3"))
    assert store.state.records == {"chat-0": Record("chat-0", "1")}
    (tmp_path / "state.tmp").rmdir()
    store.put(Record("chat-0", "2"))
    assert Store(tmp_path, "try").state.records == {"chat-0": Record("chat-0", "2")}
