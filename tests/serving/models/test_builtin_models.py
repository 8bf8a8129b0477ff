"""The built-in tiny model as a file: its size, its name, its bytes."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import gguf
import pytest

from bandari.serving.models import BUILTINS, CLASSES, FOLLOWS, RECIPE, builtin, vocabulary
from bandari.serving.protocol import BUILTIN_MODELS


def test_the_tiny_model_is_a_gguf_of_under_a_megabyte_named_by_its_hash(tmp_path: Path) -> None:
    path = builtin("tiny", tmp_path / "new" / "folder")
    assert path.stat().st_size < 1_000_000
    assert path.read_bytes()[:4] == b"GGUF"
    assert path.name == f"tiny-{RECIPE}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}.gguf"
    assert list(path.parent.iterdir()) == [path]


def test_it_is_the_same_on_every_machine(tmp_path: Path) -> None:
    first, second = builtin("tiny", tmp_path / "a"), builtin("tiny", tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_it_is_made_once_and_again_when_its_file_is_damaged(tmp_path: Path) -> None:
    path = builtin("tiny", tmp_path)
    made = path.stat().st_mtime_ns
    assert builtin("tiny", tmp_path).stat().st_mtime_ns == made
    path.write_bytes(path.read_bytes()[:1000])
    assert builtin("tiny", tmp_path).stat().st_size > 1000


def test_several_makers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    makers = [threading.Thread(target=builtin, args=("tiny", tmp_path)) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    (path,) = tmp_path.iterdir()
    assert path == builtin("tiny", tmp_path)


def test_the_names_that_a_file_may_say_are_those_that_can_be_made() -> None:
    assert set(BUILTINS) == set(BUILTIN_MODELS)


def test_an_unknown_name_is_a_lookup_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        builtin("huge", tmp_path)


def test_its_vocabulary_has_every_word_once_and_falls_back_on_bytes() -> None:
    pieces = vocabulary()
    assert len({piece.text for piece in pieces}) == len(pieces)
    assert sum(piece.kind == "BYTE" for piece in pieces) == 256
    assert sum(bool(piece.word) for piece in pieces) == sum(len(words) for words in CLASSES.values())
    assert CLASSES.keys() == FOLLOWS.keys()


def test_its_metadata_says_what_an_engine_needs(tmp_path: Path) -> None:
    fields = gguf.GGUFReader(builtin("tiny", tmp_path)).fields
    assert fields["general.architecture"].contents() == "llama"
    assert fields["llama.context_length"].contents() >= 2048
    assert "add_generation_prompt" in fields["tokenizer.chat_template"].contents()
