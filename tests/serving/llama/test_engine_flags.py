"""Every flag of the table sets a field that the embedded engine really has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import xllamacpp

from bandari.runtimes.llama_flags import (
    AUTO_SLOTS,
    BY_NAME,
    CHOICES,
    FLAGS,
    IGNORED,
    REFUSED,
    SWITCHES,
    Arity,
    Flag,
    Given,
    read,
)
from bandari.serving.llama import (
    READERS,
    BadStart,
    apply,
    check_model,
    complete,
    from_environment,
    keep_small,
)

SETTING = [flag for flag in FLAGS if flag.field not in (REFUSED, IGNORED)]
SAMPLES = {
    "--override-tensor": "exps=CPU",
    "text": "some",
    "list": "a,b",
    "names": "a,b",
    "append": "stop",
    "object": '{"a": 1}',
    "shares": "3,1",
    "lora": "a.gguf",
    "scaled": "a.gguf:0.5",
    "layers": "7",
    "prio": "1",
}


def params_of(*argv: str) -> Any:
    params = xllamacpp.CommonParams()
    keep_small(params)
    given = read(argv)
    for item in given:
        apply(params, item, xllamacpp)
    complete(params, given, xllamacpp)
    return params


def field(params: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        params = getattr(params, name)
    return params


@pytest.mark.parametrize("flag", SETTING, ids=lambda flag: flag.name)
def test_a_flag_changes_its_field_and_takes_each_of_its_values(flag: Flag, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one\n")
    one = SAMPLES.get(flag.name) or SAMPLES.get(flag.kind) or (str(file) if flag.kind in ("file", "lines") else "3")
    for value in ("",) if flag.kind in SWITCHES else CHOICES.get(flag.kind, (one,)):
        params = xllamacpp.CommonParams()
        apply(params, Given(0, flag.name, (value,) if value else (), flag), xllamacpp)
        for path in flag.field.split():
            assert field(params, path) is not None


def test_every_kind_of_value_has_a_reader_and_every_choice_a_meaning() -> None:
    assert {flag.kind for flag in SETTING} <= READERS.keys()
    assert {kind for kind in CHOICES if kind not in READERS} == set()


def test_values_arrive_as_written() -> None:
    params = params_of(
        *("-m", "x.gguf", "-c", "4096", "--port=8081", "--host", "127.0.0.1", "-np", "2", "-a", "chat,other"),
        *("--temp", "0.25", "-s", "-1", "--rope-scale", "4", "-ctk", "q8_0", "-fa", "--no-mmap", "-ngl", "all"),
        *("--api-key", "a,b", "-to", "9", "--no-slots", "--pooling", "cls", "-t", "3"),
    )
    assert (params.model.path, params.n_ctx, params.port, params.n_parallel) == ("x.gguf", 4096, 8081, 2)
    assert (params.hostnames, params.model_alias, params.api_keys) == (["127.0.0.1"], {"chat", "other"}, ["a", "b"])
    assert (params.sampling.temp, params.sampling.seed, params.rope_freq_scale) == (0.25, 0xFFFFFFFF, 0.25)
    assert params.cache_type_k == xllamacpp.ggml_type.GGML_TYPE_Q8_0
    assert params.flash_attn_type == xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    assert params.load_mode == xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    assert (params.n_gpu_layers, params.timeout_read, params.timeout_write) == (-2, 9, 9)
    assert params.endpoint_slots is False
    assert params.pooling_type == xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_CLS
    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads) == (3, 3)


def test_without_a_number_of_slots_four_share_the_context() -> None:
    for params in (params_of("-c", "4096"), params_of("-c", "4096", "-np", "-1")):
        assert (params.n_parallel, params.kv_unified) == (AUTO_SLOTS, True)
    assert params_of("-np", "2").kv_unified is False
    assert params_of("-np", "2", "-kvu").kv_unified is True


def test_embeddings_get_a_pooling_that_the_openai_route_takes() -> None:
    pooling = xllamacpp.llama_pooling_type
    assert params_of("--embedding").pooling_type == pooling.LLAMA_POOLING_TYPE_MEAN
    assert params_of("--embeddings", "--pooling", "last").pooling_type == pooling.LLAMA_POOLING_TYPE_LAST
    reranking = params_of("--reranking")
    assert (reranking.embedding, reranking.pooling_type) == (True, pooling.LLAMA_POOLING_TYPE_RANK)


def test_the_context_is_fitted_to_memory_only_where_it_is_open() -> None:
    assert params_of().fit_params is True
    assert params_of("-c", "512").fit_params is False
    assert params_of("-c", "512", "--fit", "on").fit_params is True


def test_adapters_and_template_settings_become_values() -> None:
    params = params_of("--lora", "a,b", "--lora-scaled", "c:0.5", "--chat-template-kwargs", json.dumps({"think": True}))
    assert [(adapter.path, adapter.scale) for adapter in params.lora_adapters] == [("a", 1), ("b", 1), ("c", 0.5)]
    assert params.default_template_kwargs == {"think": "true"}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--bogus",), "cannot read flag '--bogus'"),
        (("-c", "many"), "cannot read flag '-c' 'many'"),
        (("-c",), "cannot read flag '-c': its value is missing"),
        (("--metrics=1",), "cannot read flag '--metrics': it takes no value"),
        (("--device", "CUDA0"), "cannot apply flag '--device'"),
        (("--pooling", "max"), "cannot read flag '--pooling' 'max': unknown value 'max'"),
        (("--chat-template-file", "/no/such/file"), "cannot read flag '--chat-template-file'"),
    ],
)
def test_a_wrong_flag_is_one_line(argv: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadStart) as caught:
        params_of(*argv)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_variables_stand_for_flags_and_switches_can_be_off() -> None:
    environ = {
        "LLAMA_ARG_CTX_SIZE": "512",
        "LLAMA_ARG_CONT_BATCHING": "0",
        "LLAMA_ARG_JINJA": "on",
        "LLAMA_ARG_HF_REPO": "a/b",
    }
    given = {item.name: item.values for item in from_environment(environ)}
    assert given == {"--ctx-size": ("512",), "--no-cont-batching": (), "--jinja": ()}


def test_a_flag_that_means_nothing_here_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    params_of("--log-disable")
    assert capsys.readouterr().err == "--log-disable has no effect in the embedded engine\n"


def test_a_model_is_looked_at_before_the_engine_sees_it(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"PK\x03\x04")
    for path, said in (
        ("", "no --model is given"),
        (str(tmp_path / "absent.gguf"), "No such file or directory"),
        (str(tmp_path), "Is a directory"),
        (str(wrong), "it is no GGUF file"),
    ):
        with pytest.raises(BadStart, match=said):
            check_model(path)


def test_all_flags_with_one_value_ask_for_it() -> None:
    assert all(BY_NAME[flag.name].arity is Arity.ONE for flag in SETTING if flag.kind in ("int", "text", "float"))
