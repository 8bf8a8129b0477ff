"""Every verb by itself, as a process, without starting a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bandari import __version__
from bandari.cli.app import VERBS
from bandari.cli.doctor import system
from bandari.codes import CODES
from bandari.testing.user import User

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
EXAMPLES = Path(__file__).parents[2] / "examples"
FINDINGS = Draft202012Validator(json.loads((SCHEMAS / "findings.json").read_text()))


def test_the_version_is_the_one_of_the_package(user: User) -> None:
    assert user.bandari("--version").out == f"bandari {__version__}\n"


def test_help_names_every_verb_and_every_verb_has_a_page(user: User) -> None:
    page = user.bandari("--help").out
    for name in VERBS:
        assert name in page
        own = user.bandari(name, "--help")
        assert own.code == 0
        assert own.err == ""


def test_a_misspelt_verb_gets_the_nearest_one(user: User) -> None:
    done = user.bandari("explan")
    assert done.code == 2
    assert "explain" in done.err


def test_init_writes_a_file_that_checks_without_a_finding(user: User) -> None:
    assert user.bandari("init", "--name", "harbour").code == 0
    done = user.bandari("check", "--json")
    assert done.code == 0
    assert done.document["diagnostics"] == []
    assert "name: harbour" in (user.folder / "cluster.yaml").read_text()


def test_init_does_not_write_over_a_file(user: User) -> None:
    user.write("precious")
    assert user.bandari("init").code == 2
    assert (user.folder / "cluster.yaml").read_text() == "precious"


def test_a_file_that_is_not_there_is_said_with_its_name(user: User) -> None:
    done = user.bandari("check", "-f", "nowhere.yaml", "--json")
    assert done.code == 2
    FINDINGS.validate(done.document)
    assert "nowhere.yaml" in done.document["diagnostics"][0]["message"]


@pytest.mark.parametrize("name", [".", "x\0y"])
def test_a_name_that_is_no_file_is_a_clear_answer(user: User, name: str) -> None:
    if "\0" in name:
        name = name.replace("\0", "?")
    done = user.bandari("check", "-f", name)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "bug" not in done.err


def test_findings_print_place_caret_code_and_fix_and_the_json_says_the_same(user: User) -> None:
    user.write("version: '1.3'\nlocal:\n  cluster:\n    nmae: x\n  modelGroups: []\n")
    told = user.bandari("check")
    assert told.code == 2
    assert "cluster.yaml:4:5" in told.err
    assert "^" in told.err
    assert "name" in told.err
    written = user.bandari("check", "--json")
    assert written.code == 2
    FINDINGS.validate(written.document)
    codes = {d["code"] for d in written.document["diagnostics"]}
    assert codes <= CODES.keys()
    assert all(f"[{code}]" in told.err for code in codes)


@pytest.mark.parametrize("verb", ["check", "plan", "up", "render"])
def test_every_verb_that_reads_a_file_refuses_an_invalid_one_with_the_same_document(user: User, verb: str) -> None:
    user.write("version: 9\n")
    done = user.bandari(verb, "--json")
    assert done.code == 2
    FINDINGS.validate(done.document)
    assert done.document["diagnostics"]


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained_with_a_bad_and_a_good_example(code: str) -> None:
    item = CODES[code]
    assert item.title
    assert len(item.explanation.split()) >= 8
    assert item.bad.strip()
    assert item.good.strip()
    assert item.bad != item.good


def test_explain_prints_the_page_of_a_code_and_knows_the_nearest_one(user: User) -> None:
    code = next(iter(CODES))
    assert CODES[code].title in user.bandari("explain", code.lower()).out
    assert user.bandari("explain", "BND9999").code == 2
    listed = user.bandari("explain", "--json").document["codes"]
    assert [row["code"] for row in listed] == list(CODES)


def test_the_schema_is_json_schema(user: User) -> None:
    Draft202012Validator.check_schema(json.loads(user.bandari("schema").out))


def test_doctor_finds_the_embedded_engine(user: User) -> None:
    done = user.bandari("doctor", "--json")
    assert done.code == 0
    found = {row["what"]: row["state"] for row in done.document["checks"]}
    assert found["xllamacpp"] == "ok"
    assert found["system"] == "ok"


def test_doctor_says_that_the_local_target_needs_linux() -> None:
    [finding] = system("Darwin", "24.1")
    assert finding.state == "missing"
    assert "check, plan, render and remote targets work; the local target needs Linux" in finding.detail
    [here] = system("Linux", "6.1")
    assert here.state == "ok"


def test_a_target_of_a_later_version_is_checked_and_not_planned(user: User) -> None:
    example = str(EXAMPLES / "full-cluster.yaml")
    checked = user.bandari("check", "-f", example, "--json")
    assert checked.code == 0, checked.out
    planned = user.bandari("plan", "-f", example, "--json")
    assert planned.code == 2
    assert [d["code"] for d in planned.document["diagnostics"] if d["severity"] == "error"] == ["BND601"]


def test_what_this_machine_lacks_is_listed_by_plan_and_refused_by_up_all_at_once(user: User) -> None:
    example = str(EXAMPLES / "full-cluster.yaml")
    planned = user.bandari("plan", "-f", example, "--target", "local", "--offline")
    assert planned.code == 0, planned.err
    assert "Not served here" in planned.out
    refused = user.bandari("up", "-f", example, "--target", "local", "--yes", "--json")
    assert refused.code == 2
    FINDINGS.validate(refused.document)
    assert len(refused.document["diagnostics"]) > 3
    assert all(d["severity"] == "error" and d["help"] for d in refused.document["diagnostics"])
    assert user.marked() == []


def test_an_unknown_section_or_stand_in_is_refused(user: User) -> None:
    example = str(EXAMPLES / "quickstart.yaml")
    for words in (["--skip", "nothing"], ["--stand-in", "giant"], ["--stand-in", "nobody=tiny"]):
        done = user.bandari("check", "-f", example, *words, "--json")
        assert done.code == 2
        assert [d["code"] for d in done.document["diagnostics"]] == ["BND605"]


def test_a_secret_in_the_file_prints_nowhere(user: User) -> None:
    user.write(
        (EXAMPLES / "quickstart.yaml")
        .read_text()
        .replace(
            "runtime:\n",
            "runtime:\n        env:\n          - {name: HF_TOKEN, value: hf_abcdefghijklmnopqrstuvwx}\n",
            1,
        )
    )
    for words in (
        ["check"],
        ["plan", "-v"],
        ["plan", "--json"],
        ["render"],
        ["render", "--json"],
        ["plan", "-o", "p.json"],
    ):
        done = user.bandari(*words)
        assert "hf_abcdef" not in done.out + done.err, words
    assert "hf_abcdef" not in (user.folder / "p.json").read_text()


def test_render_writes_one_file_a_resource(user: User) -> None:
    done = user.bandari("render", "-f", str(EXAMPLES / "quickstart.yaml"), "-o", "out")
    assert done.code == 0
    names = {path.name for path in (user.folder / "out").iterdir()}
    assert names == {"gateway.gateway.yaml", "model.chat.yaml", "group.chat.yaml", "route.chat.yaml"}


def test_status_without_a_cluster_says_how_to_get_one(user: User) -> None:
    done = user.bandari("status")
    assert done.code == 1
    assert "bandari up" in done.err


def test_paths_that_lead_nowhere_are_listed_by_plan_and_refused_by_up(user: User) -> None:
    text = (EXAMPLES / "quickstart.yaml").read_text().replace("builtin:tiny", "models/none.gguf")
    user.write(text)
    planned = user.bandari("plan", "--offline", "--json")
    assert planned.code == 0
    assert "BND607" in {d["code"] for d in planned.document["diagnostics"]}
    refused = user.bandari("up", "--yes", "--json")
    assert refused.code == 2
    assert [d["code"] for d in refused.document["diagnostics"]] == ["BND607"]
    assert "none.gguf" in refused.document["diagnostics"][0]["message"]


def test_folders_that_cannot_be_written_are_said_and_are_no_bug(user: User) -> None:
    user.write((EXAMPLES / "quickstart.yaml").read_text())
    for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        done = user.bandari("up", "--yes", extra={variable: "/proc/nothing"})
        assert done.code == 1
        assert "Traceback" not in done.err
        assert "bug" not in done.err
        assert "/proc/nothing" in done.out + done.err


def test_a_plan_is_not_saved_over_a_file_that_is_none(user: User) -> None:
    user.write((EXAMPLES / "quickstart.yaml").read_text())
    done = user.bandari("plan", "-o", "cluster.yaml", "--json")
    assert done.code == 2
    FINDINGS.validate(done.document)
    assert (user.folder / "cluster.yaml").read_text() == (EXAMPLES / "quickstart.yaml").read_text()
    for _ in range(2):
        assert user.bandari("plan", "-o", "my.plan").code == 0


@pytest.mark.parametrize("words", [["check", "--bogus"], ["check", "--target", "moon"], ["plan", "a", "-f", "b"]])
def test_a_wrong_option_is_exit_code_2_with_the_same_document(user: User, words: list[str]) -> None:
    done = user.bandari(*words, "--json")
    assert done.code == 2
    FINDINGS.validate(done.document)
    assert done.document["error"]["message"]
    assert "Traceback" not in done.err


def test_sections_with_nothing_after_their_key_are_absent(user: User) -> None:
    empty = "".join(f"  {key}:\n" for key in ("prometheus", "tracing", "function", "job", "vectorStore"))
    user.write((EXAMPLES / "quickstart.yaml").read_text() + empty)
    done = user.bandari("check", "--json")
    assert done.code == 0, done.out
    assert done.document["diagnostics"] == []


def test_without_the_hubs_client_plan_says_so_and_goes_on(user: User) -> None:
    """As on a base install: the client of the hub cannot be imported."""
    (user.folder / "huggingface_hub.py").write_text("raise ModuleNotFoundError('huggingface_hub')\n")
    text = (EXAMPLES / "quickstart.yaml").read_text()
    user.write(text.replace("source: builtin:tiny", 'hfRepoId: org/model\n        files: ["*.gguf"]'))
    done = user.bandari("plan", "--json", extra={"PYTHONPATH": str(user.folder)})
    assert done.code == 0, done.out + done.err
    [finding] = [d for d in done.document["diagnostics"] if d["code"] == "BND604"]
    assert "bandari[local]" in finding["help"]


def test_a_folder_with_several_models_or_none_is_a_finding_that_lists_them(user: User) -> None:
    (user.folder / "models").mkdir()
    user.write((EXAMPLES / "quickstart.yaml").read_text().replace("builtin:tiny", "models"))
    for names, code in (((), "BND603"), (("a.gguf", "b.gguf"), "BND602")):
        for name in names:
            (user.folder / "models" / name).touch()
        refused = user.bandari("up", "--yes", "--json")
        assert refused.code == 2
        [finding] = refused.document["diagnostics"]
        assert finding["code"] == code
        assert all(name in finding["message"] for name in names)


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("schema",), ("explain", "BND101")], ids=" ".join)
def test_output_that_cannot_be_written_is_a_failure_in_words(user: User, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bandari.cli", *words],
            env=user.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no space left on device" in done.stderr


def test_init_names_a_cluster_only_as_its_file_may(user: User) -> None:
    done = user.bandari("init", "--name", "My Cluster")
    assert done.code == 2
    assert "--name my-cluster" in done.err
    assert not (user.folder / "cluster.yaml").exists()
