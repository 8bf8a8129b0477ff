"""One replica of the embedded engine: llama.cpp's own HTTP server in this process, through the xllamacpp wheel.

`python -m bandari.serving.llama FLAGS...` takes llama-server's flags, so that one command line starts either. It says
where it listens and when it is ready, ends at once on SIGTERM and SIGINT, and exits 1 with one line on a bad start.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO
from urllib.parse import urlsplit

from bandari.runtimes.llama_flags import AUTO_SLOTS, BY_NAME, FLAGS, IGNORED, REFUSED, Arity, Flag, Given, read

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
MAGIC = b"GGUF"


class BadStart(Exception):  # noqa: N818 - reads as the sentence it is
    """The engine cannot start; the text is the one line to print."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs until it is told to stop."""
    began = time.monotonic()
    loaded = threading.Event()
    end_while_loading = _die_of_stop_signals_until(loaded)
    try:
        address = start(sys.argv[1:] if argv is None else argv, os.environ)
    except BadStart as error:
        _say(sys.stderr, str(error))
        os._exit(1)
    _say(sys.stdout, f"listening on {address}")
    wait_for_health(address)
    loaded.set()
    end_while_loading.join()
    _say(sys.stdout, f"ready after {time.monotonic() - began:.3f} s")
    signal.sigwait(STOP_SIGNALS)
    os._exit(0)  # open requests end here; a replica that is to finish them is drained before it is told to stop


def _die_of_stop_signals_until(loaded: threading.Event) -> threading.Thread:
    """Loading holds the interpreter's lock for as long as it takes, so no handler of ours could run meanwhile.

    So one thread lets the signals through to their default action, which needs no interpreter. All others block them,
    the engine's too as they inherit it; handlers that the C++ server may install therefore never see a signal, and
    `sigwait` gets them once loading is over.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    thread = threading.Thread(target=_let_through_until, args=(loaded,), daemon=True)
    thread.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    return thread


def _let_through_until(loaded: threading.Event) -> None:
    loaded.wait()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # a joined thread may live on for a moment


def _say(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def start(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Starts the server and returns its URL; BadStart when the flags or the model are wrong."""
    import xllamacpp  # noqa: PLC0415 - 100 MB of engine, after the cheap checks of the interpreter's start

    given = (*from_environment(environ), *read(argv))
    params = xllamacpp.CommonParams()
    keep_small(params)
    for item in given:
        apply(params, item, xllamacpp)
    complete(params, given, xllamacpp)
    check_model(params.model.path)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        where = f"{params.hostnames[0]}:{params.port}"
        raise BadStart(
            f"cannot start the engine on {where} with model {params.model.path!r}: its own words stand above"
        ) from error
    _alive.append(server)
    return str(server.listening_address)


_alive: list[object] = []
"""Keeps the server from being collected, which would stop it."""


def keep_small(params: Any) -> None:
    """Settings of a replica that shares one machine with others; every flag comes after them."""
    params.ui = False
    params.cache_ram_mib = 0
    params.verbosity = 1
    params.n_parallel = AUTO_SLOTS
    params.kv_unified = True


def complete(params: Any, given: Sequence[Given], engine: Any) -> None:
    """What follows from the flags together."""
    named = {item.flag.name for item in given if item.flag}
    if "--parallel" in named and params.n_parallel != -1 and not named & {"--kv-unified", "--kv-unified-per-slot"}:
        params.kv_unified = False  # as llama-server: one pool for all slots only when their number is automatic
    if params.n_parallel == -1:
        params.n_parallel = AUTO_SLOTS
    if "--fit" not in named:
        params.fit_params = params.n_ctx == 0  # a second look at the model, of use only where the context is open
    if params.embedding and not named & {"--pooling", "--reranking"}:
        # without it embeddings are per token, which OpenAI's route refuses
        params.pooling_type = engine.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if "--threads" in named and "--threads-batch" not in named:
        params.cpuparams_batch.n_threads = params.cpuparams.n_threads


def check_model(path: str) -> None:
    """A clear word on the usual mistakes, which llama.cpp answers with five lines of its own."""
    if not path:
        raise BadStart("cannot start the engine: no --model is given")
    try:
        with Path(path).open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise BadStart(f"cannot load model {path!r}: {error.strerror or error}") from error
    if magic != MAGIC:
        raise BadStart(f"cannot load model {path!r}: it is no GGUF file (it starts with {magic!r})")


def wait_for_health(address: str, *, period: float = 0.005) -> None:
    """Returns when `/health` answers 200; the model is loaded then."""
    parts = urlsplit(address)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    while not _healthy(host, port):
        time.sleep(period)


def _healthy(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


# --- flags -> fields ------------------------------------------------------------------------------------------------


def from_environment(environ: Mapping[str, str]) -> Iterator[Given]:
    """llama-server's LLAMA_ARG_... variables as flags; what the command line says comes later and wins."""
    for flag in FLAGS:
        value = environ.get(flag.env) if flag.env else None
        if value is None or flag.field in (REFUSED, IGNORED):
            continue
        if flag.arity is not Arity.NONE:
            yield Given(-1, flag.name, (value,), flag)
        elif (switched := _switched(flag, value)) is not None:
            yield Given(-1, switched.name, (), switched)


def _switched(flag: Flag, value: str) -> Flag | None:
    if value.lower() in ("1", "true", "on", "enabled"):
        return flag
    opposite = BY_NAME.get(f"--no-{flag.name.removeprefix('--')}")
    return opposite if value.lower() in ("0", "false", "off", "disabled") else None


def apply(params: Any, item: Given, engine: Any) -> None:
    """Sets the field of one flag; BadStart where it has none or the value is wrong."""
    flag = item.flag
    if flag is None:
        raise BadStart(f"cannot read flag {item.name!r}: llama-server has none of this name")
    if flag.field == REFUSED:
        raise BadStart(f"cannot apply flag {item.name!r}: the embedded engine has no such setting")
    if flag.field == IGNORED:
        _say(sys.stderr, f"{item.name} has no effect in the embedded engine")
        return
    if flag.arity is Arity.ONE and not item.values:
        raise BadStart(f"cannot read flag {item.name!r}: its value is missing")
    if flag.arity is Arity.NONE and item.values:
        raise BadStart(f"cannot read flag {item.name!r}: it takes no value")
    try:
        value = READERS[flag.kind](item.values[0] if item.values else "", engine)
    except (ValueError, KeyError, OSError) as error:
        raise BadStart(f"cannot read flag {item.name!r} {' '.join(item.values)!r}: {error}") from error
    if flag.kind == "rerank":
        params.embedding = True
    for field in flag.field.split():
        _set(params, field, value)


def _set(params: Any, field: str, value: Any) -> None:
    *path, last = field.split(".")
    for name in path:
        params = getattr(params, name)
    if isinstance(value, list) and field not in WHOLE_LISTS:
        value = [*getattr(params, last), *value]
    setattr(params, last, value)


WHOLE_LISTS = frozenset({"hostnames", "tensor_split"})
"""Lists that a flag replaces; it adds to any other."""

Reader = Callable[[str, Any], Any]


def _member(kind: str, prefix: str, **spellings: str) -> Reader:
    """A reader of names of an enum such as llama_pooling_type, whose members start with `prefix`."""

    def read_member(text: str, engine: Any) -> Any:
        name = spellings.get(text.replace("+", "_"), text.upper().replace("-", "_"))
        member = getattr(getattr(engine, kind), prefix + name, None)
        if member is None:
            raise ValueError(f"unknown value {text!r}")
        return member

    return read_member


def _fixed(value: Any) -> Reader:
    return lambda _text, _engine: value


def _load_mode(name: str) -> Reader:
    return lambda _text, engine: engine.llama_load_mode[f"LLAMA_LOAD_MODE_{name}"]


def _flash(text: str, engine: Any) -> Any:
    if text == "auto":
        return engine.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO
    name = "ENABLED" if not text or _truth(text, engine) else "DISABLED"
    return engine.llama_flash_attn_type[f"LLAMA_FLASH_ATTN_TYPE_{name}"]


def _truth(text: str, _engine: Any) -> bool:
    if text not in ("on", "off", "1", "0", "true", "false", "enabled", "disabled"):
        raise ValueError(f"unknown value {text!r}")
    return text in ("on", "1", "true", "enabled")


def _layers(text: str, _engine: Any) -> int:
    return {"auto": -1, "all": -2}.get(text) or int(text)


def _shares(text: str, _engine: Any) -> list[float]:
    shares = [float(part) for part in text.replace("/", ",").split(",")]
    return [*shares, *[0.0] * (128 - len(shares))]  # xllamacpp wants one share for each of 128 possible devices


def _adapters(text: str, engine: Any) -> list[Any]:
    return [engine.CommonAdapterLoraInfo(path, 1.0) for path in text.split(",")]


def _scaled_adapters(text: str, engine: Any) -> list[Any]:
    pairs = (part.rpartition(":") for part in text.split(","))
    return [engine.CommonAdapterLoraInfo(path, float(scale)) for path, _, scale in pairs]


READERS: Mapping[str, Reader] = {
    "on": _fixed(True),
    "off": _fixed(False),
    "loud": _fixed(5),
    "int": lambda text, _: int(text),
    "slots": lambda text, _: int(text),
    "float": lambda text, _: float(text),
    "inverse": lambda text, _: 1 / float(text),
    "text": lambda text, _: text,
    "seed": lambda text, _: int(text) & 0xFFFFFFFF,
    "list": lambda text, _: text.split(","),
    "append": lambda text, _: [text],
    "names": lambda text, _: set(text.split(",")),
    "object": lambda text, _: {str(key): json.dumps(value) for key, value in json.loads(text).items()},
    "file": lambda text, _: Path(text).read_text(encoding="utf-8"),
    "lines": lambda text, _: [x for x in Path(text).read_text(encoding="utf-8").split() if not x.startswith("#")],
    "bit": _truth,
    "toggle": _truth,
    "think": lambda text, _: {"on": 1, "off": 0, "auto": -1}[text],
    "flash": _flash,
    "layers": _layers,
    "shares": _shares,
    "lora": _adapters,
    "scaled": _scaled_adapters,
    "prio": lambda text, engine: engine.ggml_sched_priority(int(text)),
    "mlock": _load_mode("MMAP_MLOCK"),
    "mmap": _load_mode("MMAP"),
    "unmapped": _load_mode("NONE"),
    "direct": _load_mode("DIRECT_IO"),
    "rope": _member("llama_rope_scaling_type", "LLAMA_ROPE_SCALING_TYPE_"),
    "type": _member("ggml_type", "GGML_TYPE_"),
    "load": _member("llama_load_mode", "LLAMA_LOAD_MODE_", dio="DIRECT_IO", mmap_mlock="MMAP_MLOCK"),
    "lazy": _member("llama_lazy_mode", "LLAMA_LAZY_MODE_"),
    "numa": _member("ggml_numa_strategy", "GGML_NUMA_STRATEGY_"),
    "split": _member("llama_split_mode", "LLAMA_SPLIT_MODE_"),
    "pool": _member("llama_pooling_type", "LLAMA_POOLING_TYPE_"),
    "rerank": lambda _, engine: engine.llama_pooling_type.LLAMA_POOLING_TYPE_RANK,
    "attend": _member("llama_attention_type", "LLAMA_ATTENTION_TYPE_"),
    "reason": _member("common_reasoning_format", "COMMON_REASONING_FORMAT_"),
}
"""Kind of value in the table of flags -> how it becomes the value of a field."""


if __name__ == "__main__":
    main()
