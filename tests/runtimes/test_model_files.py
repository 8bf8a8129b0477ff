"""Globs over a repository, and the one file that is the model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.runtimes.model_files import SHOWN, NoChoice, choose, listed, matching, parts

QUANTIZED = ("README.md", "llama.Q4_0.gguf", "llama.Q8_0.gguf")
SPLIT = tuple(f"big-{number:05}-of-00003.gguf" for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("globs", "taken"),
    [
        (("*",), QUANTIZED),
        (("*.Q4_0.gguf",), ("llama.Q4_0.gguf",)),
        (("*.md", "*Q8*"), ("README.md", "llama.Q8_0.gguf")),
        (("*.q4_0.gguf",), ()),
        ((), ()),
    ],
)
def test_globs_take_files_by_name_with_case(globs: tuple[str, ...], taken: tuple[str, ...]) -> None:
    assert matching(QUANTIZED, globs) == taken


def test_a_glob_reaches_into_folders_as_the_hub_has_it() -> None:
    files = ("BF16/model.gguf", "Q4/model.gguf", "model.gguf")
    assert matching(files, ("*.gguf",)) == files
    assert matching(files, ("Q4/",)) == ("Q4/model.gguf",)


@pytest.mark.parametrize(
    ("files", "model"),
    [
        (("README.md", "llama.Q4_0.gguf"), "llama.Q4_0.gguf"),
        (SPLIT, SPLIT[0]),
        (tuple(reversed(SPLIT)), SPLIT[0]),
        (("mmproj-F16.gguf", "gemma.gguf"), "gemma.gguf"),
        (("Q4/Model.GGUF", "imatrix.gguf"), "Q4/Model.GGUF"),
    ],
)
def test_the_only_gguf_or_part_one_of_a_split_one_is_the_model(files: tuple[str, ...], model: str) -> None:
    assert choose(files) == model


def test_several_models_are_no_choice_and_all_are_listed() -> None:
    problem = choose((*QUANTIZED, *SPLIT))
    assert isinstance(problem, NoChoice)
    assert problem.candidates == (SPLIT[0], "llama.Q4_0.gguf", "llama.Q8_0.gguf")
    assert "3 models match" in problem.message
    assert '["big-*.gguf"]' in problem.fix


def test_a_split_model_without_one_of_its_parts_is_no_choice() -> None:
    problem = choose((SPLIT[0], SPLIT[2]))
    assert isinstance(problem, NoChoice)
    assert SPLIT[1] in problem.message
    assert '["big-*.gguf"]' in problem.fix


def test_a_repository_without_gguf_is_no_choice() -> None:
    problem = choose(("model.safetensors", "mmproj.gguf"))
    assert isinstance(problem, NoChoice)
    assert "no .gguf among model.safetensors, mmproj.gguf" in problem.message


def test_parts_of_a_split_model_follow_from_its_first() -> None:
    assert parts(SPLIT[0]) == SPLIT
    assert parts("one.gguf") == ("one.gguf",)


def test_a_long_list_of_names_is_cut_and_counted() -> None:
    assert listed([]) == "no files"
    assert listed([f"f{number}" for number in range(SHOWN + 5)]).endswith("f11 and 5 more")


@given(st.lists(st.text(min_size=1, max_size=30)))
def test_a_choice_is_always_one_of_the_files(files: list[str]) -> None:
    chosen = choose(files)
    assert isinstance(chosen, NoChoice) or chosen in files
