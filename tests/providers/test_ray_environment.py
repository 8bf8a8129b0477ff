"""What an image comes to on this machine: versions, packages, variables, files, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandari.desired.ray import RayImage
from bandari.diagnostics import Diagnostic, Origin, Span
from bandari.pipeline.images import ray_images
from bandari.providers.ray_environment import ImageFiles, environment_of
from bandari.serving.ray.bodies import RayEnvironmentBody
from bandari.serving.ray.environments import Here, uses_own

HERE = Here(ray="2.60.0", python="3.11", pythons=("3.11", "3.12"), environments="/data/environments")
ORIGIN = Origin(Span("job.yaml", 1, 1))
BASE = "FROM rayproject/ray:2.60.0-py311\n"


def read(
    image: RayImage, files: Mapping[str, str] | None = None, here: Here = HERE
) -> tuple[RayEnvironmentBody | None, tuple[Diagnostic, ...]]:
    there = files or {}

    def fingerprint(path: str) -> str:
        if path in there:
            return f"file {there[path]}"
        return "folder 1" if any(name.startswith(f"{path}/") for name in there) else ""

    return environment_of("try", image, images=ray_images(), here=here, files=ImageFiles(there.get, fingerprint))


def body_of(image: RayImage, files: Mapping[str, str] | None = None, here: Here = HERE) -> RayEnvironmentBody:
    body, found = read(image, files, here)
    assert body, found
    return body


def containerfile(lines: str, **files: str) -> tuple[RayEnvironmentBody | None, tuple[Diagnostic, ...]]:
    named = {f"/work/{name.replace('_', '.')}": text for name, text in files.items()}
    return read(
        RayImage(containerfile="/work/Containerfile", origin=ORIGIN), {"/work/Containerfile": BASE + lines, **named}
    )


def test_no_image_is_bandaris_own_environment() -> None:
    body = body_of(RayImage())
    assert (body.ray, body.python) == ("2.60.0", "3.11")
    assert uses_own(body, HERE)


def test_an_image_of_the_same_ray_and_python_is_so_too_and_keeps_its_variables() -> None:
    body = body_of(RayImage(uri="rayproject/ray:2.60.0-py311", env={"A": "b"}))
    assert uses_own(body, HERE)
    assert body.env == {"A": "b"}


def test_latest_is_written_down_as_what_it_is() -> None:
    body = body_of(RayImage(ray_version="latest"))
    assert (body.ray, body.image) == ("2.60.0", "rayproject/ray:2.60.0-py310")
    assert body_of(RayImage(uri="rayproject/ray:latest-py311")).image == "rayproject/ray:2.60.0-py311"


def test_a_python_that_nobody_named_is_the_one_that_is_here() -> None:
    assert body_of(RayImage(uri="rayproject/ray:2.60.0")).python == "3.11"
    assert body_of(RayImage(uri="rayproject/ray:2.60.0-py312")).python == "3.12"


def test_an_anyscale_image_is_read_for_its_versions_and_the_swap_is_shown() -> None:
    body, found = read(RayImage(uri="anyscale/ray:2.59.0-slim-py312", origin=ORIGIN))
    assert body
    assert (body.ray, body.python) == ("2.59.0", "3.12")
    assert [d.code for d in found] == ["BND792"]
    assert "rayproject/ray:2.59.0-py312" in found[0].message


def test_another_ray_is_chosen_for_this_machine_alone() -> None:
    image = RayImage(uri="rayproject/ray:2.9.0-py311", origin=ORIGIN)
    _, found = read(image)
    assert [d.code for d in found] == ["BND797"]
    assert "--ray-version 2.60.0" in found[0].help
    chosen = Here("2.60.0", "3.11", ("3.11",), ray_version="2.58.1")
    assert body_of(image, here=chosen).ray == "2.58.1"


def test_an_image_of_ones_own_is_taken_for_the_ray_that_is_said() -> None:
    body, found = read(RayImage(uri="example.org/mine:1", ray_version="2.59.0", origin=ORIGIN))
    assert body
    assert body.ray == "2.59.0"
    assert [d.code for d in found] == ["BND799"]


def test_pip_lines_of_all_forms_become_packages() -> None:
    lines = (
        "RUN pip install --no-cache-dir -U 'torch>=2' humanize && rm -rf /var/lib/apt/lists/*\n"
        "RUN python3 -m pip install --extra-index-url https://example.org/simple a==1\n"
        "RUN sudo uv pip install --system b\n"
        'RUN ["pip", "install", "c"]\n'
        "COPY requirements.txt /app/\n"
        "WORKDIR /app\n"
        "RUN pip3 install -r requirements.txt\n"
    )
    body, found = containerfile(lines, requirements_txt="# all\nd==2 # two\ne[x] \\\n  >=1\n")
    assert found == ()
    assert body
    assert body.requirements == (
        *("torch>=2", "humanize", "--extra-index-url https://example.org/simple", "a==1", "b", "c"),
        *("d==2", "e[x] >=1"),
    )


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("RUN apt-get install -y libgl1", "apt-get install -y libgl1"),
        ("RUN pip install a && make all", "make all"),
        ("RUN pip install -e .", "-e"),
        ("RUN pip install ./wheels/a.whl", "./wheels/a.whl"),
        ("RUN pip install $(cat names)", "pip install $(cat names)"),
        ("RUN pip install a | tee log", "pip install a | tee log"),
        ("RUN pip install -r nowhere.txt", "-r nowhere.txt"),
        ("RUN pip install -c bounds.txt a", "-c bounds.txt"),
        ("RUN curl https://example.org | sh", "curl https://example.org | sh"),
        ("COPY --from=tools /x /y", "COPY --from=tools"),
        ("COPY *.txt /app/", "COPY *.txt"),
        ("USER nobody", "USER nobody"),
    ],
)
def test_what_cannot_be_had_here_is_a_warning_on_its_line(line: str, part: str) -> None:
    body, found = containerfile(f"ENV A=b\n{line}\n")
    assert body
    assert {(d.code, d.severity.value, d.span.line) for d in found} == {("BND796", "warning", 3)}
    assert any(f"'{part}'" in d.message for d in found)


def test_variables_name_copied_files_where_they_are_here() -> None:
    body, _ = containerfile("COPY task.py /app/\nENV PYTHONPATH=/app:/elsewhere PLAIN=word\n", task_py="print()")
    assert body
    assert body.copies == (("/work/task.py", "/app/task.py"),)
    root = f"/data/environments/{body.digest}/files"
    assert body.env == {"PYTHONPATH": f"{root}/app:/elsewhere", "PLAIN": "word"}


def test_no_copy_reaches_out_of_the_folder_of_the_file() -> None:
    _, found = containerfile("COPY ../secret /app/\n")
    assert [d.code for d in found] == ["BND793"]
    assert "outside of the folder" in found[0].message


def test_the_digest_is_over_all_that_goes_in_and_nothing_else() -> None:
    image = RayImage(uri="rayproject/ray:2.60.0-py311", requirements=("a",), env={"B": "c"})
    one, same = body_of(image), environment_of("other", image, images=ray_images(), here=HERE)[0]
    assert same
    assert one.digest == same.digest
    others = [
        body_of(RayImage(uri="rayproject/ray:2.60.0-py312", requirements=("a",), env={"B": "c"})).digest,
        body_of(RayImage(uri="rayproject/ray:2.60.0-py311", requirements=("b",), env={"B": "c"})).digest,
        body_of(RayImage(uri="rayproject/ray:2.60.0-py311", requirements=("a",), env={"B": "d"})).digest,
        containerfile("COPY f /f\n", f="one")[0],
        containerfile("COPY f /f\n", f="two")[0],
    ]
    digests = [item if isinstance(item, str) else item and item.digest for item in others]
    assert len({one.digest, *digests}) == 6


def test_packages_may_be_a_file_beside_the_image() -> None:
    image = RayImage(uri="rayproject/ray:2.60.0-py311", requirements=("/work/needs.txt",), origin=ORIGIN)
    assert body_of(image, {"/work/needs.txt": "a\nb\n"}).requirements == ("a", "b")
    assert [d.code for d in read(image)[1]] == ["BND793"]


@given(st.text(max_size=120))
def test_no_run_line_is_too_odd_to_be_answered(text: str) -> None:
    body, found = containerfile(f"RUN {text}\n")
    assert body is not None or found
