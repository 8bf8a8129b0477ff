"""Weights that bandari makes or judges itself: the built-in tiny model, and which file of a folder is the model.

`builtin:tiny` is a llama of random weights in which a grammar is planted: some dimensions of the residual stream carry
the class of the last word, and the output layer prefers the classes that may follow. So its text is nonsense that
reads as sentences, at the cost and through the code of a real model. One attention head counts: it sees which share the
starts of turns have among all words, and as it falls the end of the text becomes likely. So an answer has at least 80
tokens (if `max_tokens` allows) and ends after a full stop, mostly before 300; with `ignore_eos` it goes on for ever.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Matrix: TypeAlias = Any
"""A numpy array of float32; numpy is not needed to import this module."""

RECIPE = 2
"""Grows with every change of what is made, so that an old file is not taken for a new one."""

CLASSES: Mapping[str, tuple[str, ...]] = {
    "start": ("<s>",),
    "colon": (":",),
    "opening": ("The", "A", "Every", "This", "One", "Each", "No"),
    "determiner": ("the", "a", "every", "this", "one", "each", "no"),
    "adjective": ("fast", "slow", "red", "green", "blue", "small", "large", "quiet", "new", "old", "ready", "warm"),
    "subject": (
        *("model", "cluster", "node", "job", "queue", "broker", "vector", "search", "token", "stream", "request"),
        *("response", "gateway", "worker", "store", "cache", "server", "harbour", "ship", "crane", "pilot", "tide"),
    ),
    "verb": (
        *("answers", "starts", "stops", "scales", "holds", "routes", "finds", "counts", "moves", "reads", "writes"),
        *("keeps", "meets", "loads", "drains", "follows"),
    ),
    "object": (
        *("models", "clusters", "nodes", "jobs", "queues", "brokers", "vectors", "tokens", "streams", "requests"),
        *("gateways", "workers", "stores", "caches", "servers", "harbours", "ships", "cranes", "pilots", "tides"),
    ),
    "preposition": ("of", "with", "for", "by", "from", "at", "near", "before", "after", "under"),
    "conjunction": ("and", "or", "but", "while", "because", "when"),
    "comma": (",",),
    "stop": (".",),
    "end": ("</s>",),
}
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "start": ("opening",),
    "colon": ("opening",),
    "opening": ("adjective", "subject"),
    "determiner": ("adjective", "subject"),
    "adjective": ("subject",),
    "subject": ("verb",),
    "verb": ("object",),
    "object": ("preposition", "comma", "stop"),
    "preposition": ("object",),
    "conjunction": ("determiner",),
    "comma": ("conjunction",),
    "stop": ("opening", "end"),
    "end": ("opening",),
}
CONTROL = frozenset({"start", "end"})
JOINED = frozenset({"colon", "comma", "stop"})
"""Classes that stand without a space before them."""
SAYABLE = frozenset(name for names in FOLLOWS.values() for name in names)
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789;!?'\"()-\n"
SPACE = "\u2581"
"""Stands for a space in a SentencePiece vocabulary."""
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the tiny llama; with the vocabulary of `CLASSES` it has about 180 thousand parameters."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 128
    context: int = 8192

    @property
    def head(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class Piece:
    """An entry of the vocabulary; `kind` is its GGUF token type, `word` its class in the grammar."""

    text: str
    kind: str
    word: str = ""


def vocabulary() -> tuple[Piece, ...]:
    """Three control tokens, the 256 bytes that any text falls back on, words, single characters, beginnings of words.

    A SentencePiece tokenizer joins two pieces at a time if the result is a piece too, so it finds a word only when all
    its beginnings are there.
    """
    control = (Piece("<unk>", "UNKNOWN"), Piece("<s>", "CONTROL", "start"), Piece("</s>", "CONTROL", "end"))
    raw = tuple(Piece(f"<0x{byte:02X}>", "BYTE") for byte in range(256))
    words = tuple(
        Piece(word if name in JOINED else SPACE + word, "NORMAL", name)
        for name, members in CLASSES.items()
        if name not in CONTROL
        for word in members
    )
    single = tuple(Piece(character, "NORMAL") for character in (*CHARACTERS, SPACE))
    whole = {piece.text for piece in (*words, *single)}
    begun = dict.fromkeys(word.text[:length] for word in words for length in range(2, len(word.text)))
    return (*control, *raw, *words, *single, *(Piece(text, "NORMAL") for text in begun if text not in whole))


def builtin(name: str, folder: Path) -> Path:
    """The file of built-in model `name` in `folder`, made if it is not there yet; LookupError for an unknown name.

    The name of the file holds the hash of its bytes, which is checked: a damaged file is made anew.
    """
    make = BUILTINS[name]
    for path in sorted(folder.glob(f"{name}-{RECIPE}-*.gguf")):
        if path.stem.endswith(f"-{_digest(path)}"):
            return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as scratch:
        made = Path(scratch, "model.gguf")
        make(made)
        path = folder / f"{name}-{RECIPE}-{_digest(made)}.gguf"
        made.replace(path)
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _make_tiny(path: Path) -> None:
    import gguf  # noqa: PLC0415 - with numpy 0.2 s, and only needed once

    shape, pieces = Shape(), vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    _write_shape(writer, shape, len(pieces))
    _write_vocabulary(writer, pieces, gguf.TokenType)
    for name, tensor in _tensors(shape, pieces).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


BUILTINS: Mapping[str, Callable[[Path], None]] = {"tiny": _make_tiny}


def _write_shape(writer: Any, shape: Shape, vocabulary_size: int) -> None:
    writer.add_name("bandari tiny")
    writer.add_license("Apache-2.0")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(1e9)  # so slow in the last pair of a head that what stands there knows no position
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocabulary_size)
    writer.add_file_type(0)  # all tensors are float32


def _write_vocabulary(writer: Any, pieces: tuple[Piece, ...], types: Any) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.text.encode() for piece in pieces])
    writer.add_token_scores([-float(index) if p.kind == "NORMAL" else 0.0 for index, p in enumerate(pieces)])
    writer.add_token_types([int(types[piece.kind]) for piece in pieces])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


CONSTANT = 0
"""The dimension of the residual stream that is 2 for every token; then come those of the classes, 3 for its words."""
CLASS_DIMENSION = {name: number for number, name in enumerate(CLASSES, start=1)}
SHARE = len(CLASSES) + 1
"""The dimension that the counting head writes: 3 at the start of a text, towards 0 as words follow."""


class _Noise:
    """Random matrices that are the same for ever: raw bits of PCG64 are stable between numpy's versions, its normal
    distribution is not, so values are uniform with the given standard deviation.
    """

    def __init__(self, seed: int) -> None:
        import numpy as np  # noqa: PLC0415 - only needed when a model is made

        self._np = np
        self._bits = np.random.PCG64(seed)

    def __call__(self, rows: int, columns: int, deviation: float) -> Matrix:
        unit = (self._bits.random_raw(rows * columns) >> self._np.uint64(40)).astype(self._np.float64) / 2**24
        return ((unit - 0.5) * (12**0.5 * deviation)).reshape(rows, columns).astype(self._np.float32)


def _tensors(shape: Shape, pieces: tuple[Piece, ...]) -> dict[str, Matrix]:
    import numpy as np  # noqa: PLC0415 - only needed when a model is made

    noise = _Noise(seed=20)
    ones: Matrix = np.ones(shape.width, np.float32)
    tensors = {"token_embd.weight": _embedding(noise, shape, pieces)}
    for layer in range(shape.layers):
        block = {
            "attn_q": noise(shape.width, shape.width, 0.08),
            "attn_k": noise(shape.head * shape.kv_heads, shape.width, 0.08),
            "attn_v": noise(shape.head * shape.kv_heads, shape.width, 0.08),
            "attn_output": noise(shape.width, shape.width, 0.08),
            "ffn_gate": noise(shape.feed_forward, shape.width, 0.08),
            "ffn_up": noise(shape.feed_forward, shape.width, 0.08),
            "ffn_down": noise(shape.width, shape.feed_forward, 0.08),
        }
        for name in ("attn_output", "ffn_down"):
            block[name][: SHARE + 1] = 0  # no layer touches what is planted
        if layer == 0:
            _plant_count(block, shape)
        block |= {"attn_norm": ones, "ffn_norm": ones}
        tensors |= {f"blk.{layer}.{name}.weight": tensor for name, tensor in block.items()}
    return tensors | {"output_norm.weight": ones, "output.weight": _output(noise, shape, pieces)}


def _plant_count(block: dict[str, Matrix], shape: Shape) -> None:
    """Head 0 looks at starts of turns (weight 64, the start of the text 128) and at words (1), at nothing else, and
    writes which share of its look the starts had.

    Scores are logarithms of weights. Inputs are normalized: 3.1 for the constant and 4.7 for a class in a word's
    vector, 3.9 for the constant in another's.
    """
    slow = shape.head - 2
    query, key, value, output = (block[name] for name in ("attn_q", "attn_k", "attn_v", "attn_output"))
    query[: shape.head] = 0
    query[slow, CONSTANT] = shape.head**0.5 / 3.1
    key[slow] = 0
    key[slow, CONSTANT] = -2.1
    for name, dimension in CLASS_DIMENSION.items():
        weight = {"start": 128, "colon": 64}.get(name, 1)
        key[slow, dimension] = (2.1 * 3.1 + math.log(weight)) / 4.7
    value[0] = 0
    value[0, [CLASS_DIMENSION["start"], CLASS_DIMENSION["colon"]]] = 1 / 4.7
    output[:, : shape.head] = 0
    output[SHARE, 0] = 3.0


def _embedding(noise: _Noise, shape: Shape, pieces: tuple[Piece, ...]) -> Matrix:
    embedding = noise(len(pieces), shape.width, 0.5)
    embedding[:, CONSTANT] = 2.0
    embedding[:, SHARE] = 0.0
    for name, dimension in CLASS_DIMENSION.items():
        embedding[:, dimension] = [3.0 if piece.word == name else 0.0 for piece in pieces]
    return embedding


def _output(noise: _Noise, shape: Shape, pieces: tuple[Piece, ...]) -> Matrix:
    """Logits: the constant rules out all that is no word, and each class raises what may follow it.

    Words of a small class are raised further, so that classes are as likely as each other, not words. The end is held
    down by the share of starts; at one half it is as likely as another sentence.
    """
    output = noise(len(pieces), shape.width, 0.15)
    output[:, CONSTANT] = [0.0 if piece.word in SAYABLE else -50.0 for piece in pieces]
    output[:, SHARE] = 0.0
    for name, dimension in CLASS_DIMENSION.items():
        follows = FOLLOWS[name]
        output[:, dimension] = [
            3.0 - 0.4 * math.log(len(CLASSES[piece.word])) if piece.word in follows else -3.0 for piece in pieces
        ]
    (end,) = (number for number, piece in enumerate(pieces) if piece.word == "end")
    output[end, SHARE] = -6.0
    output[end, CLASS_DIMENSION["stop"]] += 3.0
    return output
