"""`--render`: templates become text in a sandbox, or findings say why not; nothing they do holds up the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bandari import pipeline
from bandari.pipeline.rendering import Rendered, render

HEAD = "head_node: {instance_type: m5.large}\n"


def rendered(text: str, folder: Path, variables: str = "env: {}\n") -> Rendered:
    file = folder / "env.yaml"
    file.write_text(variables)
    return render(text, "compute.yaml", file)


def said(text: str, folder: Path, variables: str = "env: {}\n") -> list[tuple[int, int, str]]:
    made = rendered(text, folder, variables)
    assert made.text is None
    return [(f.span.line, f.span.column, f.code) for f in made.diagnostics]


def test_variables_are_filled_in_and_those_of_env_are_text(tmp_path: Path) -> None:
    made = rendered("a: {{ env['A'] }}\nb: {{ size * 2 }}\n", tmp_path, "env: {A: 012}\nsize: 3\n")
    assert (made.text, list(made.diagnostics)) == ("a: 012\nb: 6\n", [])


def test_every_name_that_is_not_defined_is_a_finding_at_its_place(tmp_path: Path) -> None:
    text = "cloud: {{ env['CLOUD'] }}\nzones: [{{ env.ZONE }}, {{ place }}]\nname: {{ env['CLOUD'] }}\n"
    assert said(text, tmp_path) == [(1, 16, "BND730"), (2, 16, "BND730"), (2, 28, "BND730"), (3, 15, "BND730")]


def test_what_may_be_missing_is_no_finding(tmp_path: Path) -> None:
    made = rendered("{% if zone is defined %}x{% endif %}{{ place | default('here') }}", tmp_path)
    assert made.text == "here"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n{% for %}", 2),
        ("a\n{{ 1 / 0 }}", 2),
        ("a\n{% include 'x.yaml' %}", 2),
        ("{% import 'os' as os %}", 1),
        ("{{ range(10**9) }}", 1),
    ],
)
def test_a_template_that_fails_is_answered_on_its_line(text: str, line: int, tmp_path: Path) -> None:
    [(found, _, code)] = said(text, tmp_path)
    assert (found, code) == (line, "BND731")


def test_the_sandbox_shows_nothing_of_python(tmp_path: Path) -> None:
    [(line, _, code)] = said("a\n{{ ''.__class__.__mro__[1].__subclasses__() }}", tmp_path)
    assert (line, code) == (2, "BND730")


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**9 * 10 }}",
        "{% set n = namespace(x='a') %}{% for a in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    ],
)
def test_too_much_text_is_refused(text: str, tmp_path: Path) -> None:
    [(_, _, code)] = said(text, tmp_path)
    assert code == "BND731"


@pytest.mark.parametrize(
    "text",
    ["{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "{{ 9 ** (9 ** 9) }}"],
)
def test_an_endless_template_does_not_hang(text: str, tmp_path: Path) -> None:
    (tmp_path / "env.yaml").write_text("env: {}\n")
    [finding] = render(text, "compute.yaml", tmp_path / "env.yaml", longest=1).diagnostics
    assert finding.code == "BND731"
    assert "did not end within 1 second" in finding.message


def test_variables_that_cannot_be_read_are_a_finding_in_their_file(tmp_path: Path) -> None:
    [finding] = render("a", "compute.yaml", tmp_path / "none.yaml").diagnostics
    assert (finding.code, finding.span.file) == ("BND731", str(tmp_path / "none.yaml"))
    [finding] = rendered("a", tmp_path, "env: [\n").diagnostics
    assert (finding.code[:4], finding.span.file) == ("BND1", str(tmp_path / "env.yaml"))


def test_findings_about_a_rendered_file_say_so_and_stand_on_its_lines(tmp_path: Path) -> None:
    file, variables = tmp_path / "compute.yaml", tmp_path / "env.yaml"
    file.write_text("{% for k in range(3) %}\n{% endfor %}\nworker_nodes:\n  - {instance_type: {{ kind }}, nmae: x}\n")
    variables.write_text("kind: m5.large\n")
    checked = pipeline.check(file, pipeline.Options(render=str(variables)))
    [finding] = checked.diagnostics
    assert finding.span.file == f"{file} (rendered)"
    assert "nmae" in checked.sources[finding.span.file].splitlines()[finding.span.line - 1]


def test_a_rendered_file_keeps_the_name_of_its_file(tmp_path: Path) -> None:
    file, variables = tmp_path / "demo.yaml", tmp_path / "env.yaml"
    file.write_text("{{ '' }}" + HEAD)
    variables.write_text("env: {}\n")
    state = pipeline.check(file, pipeline.Options(render=str(variables))).state
    assert state is not None
    assert state.target.cluster == "demo"


def test_where_jinja_is_missing_the_extra_is_named() -> None:
    """The one finding without a file of its own: it is about the environment."""
    code = "import sys; sys.modules['jinja2'] = None; from bandari.pipeline.sandbox import main; main()"
    asked = json.dumps({"template": "a", "variables": {}, "largest": 100, "memory": 2**30})
    done = subprocess.run([sys.executable, "-c", code], input=asked, capture_output=True, text=True, check=True)
    [finding] = json.loads(done.stdout)["findings"]
    assert finding["code"] == "BND733"
    assert "bandari[render]" in finding["fix"]
