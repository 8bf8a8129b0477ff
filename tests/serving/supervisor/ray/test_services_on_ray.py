"""Ray Serve behind the gateway, on real Ray. The tests share a cluster and stand in the order of a service's life."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

import pytest

from bandari.serving import keys
from bandari.serving.protocol import GatewayBody, plain
from bandari.serving.ray.bodies import RayApplicationBody, RayClusterBody, RayNodeBody, RayServiceBody
from bandari.testing.clients import Response, Wire, ask
from bandari.testing.processes import until
from bandari.testing.ray import PATIENCE, SMALL, RaySite, get_json

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

CLUSTER = RayClusterBody("demo", RayNodeBody(resources={"CPU": 2}, memory=SMALL))
CODE = """
from ray import serve
from starlette.responses import StreamingResponse

@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Echo:
    def __init__(self, word):
        if word == "broken":
            raise RuntimeError("the word is broken")
        self.word = word

    async def __call__(self, request):
        if request.url.path.endswith("/stream"):
            return StreamingResponse((f"part {n};" for n in range(3)), media_type="text/plain")
        body = await request.body()
        return {"word": self.word, "text": open("word.txt").read(), "path": request.scope["path"], "body": len(body)}

def app(args):
    return Echo.bind(args["word"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of the applications."""
    made = tmp_path_factory.mktemp("code")
    (made / "echo.py").write_text(CODE)
    (made / "word.txt").write_text("of a file")
    return made


@pytest.fixture(scope="module")
def site(ray_site: RaySite) -> RaySite:
    gateway = GatewayBody(public=True, public_address="127.0.0.1")
    ray_site.apply("gateway.gateway", plain(gateway))
    ray_site.ray(CLUSTER)
    ray_site.settled("demo")
    return ray_site


def body(folder: Path, version: str, word: str, **fields: Any) -> RayServiceBody:
    config = {"import_path": "echo:app", "args": {"word": word}, "runtime_env": {"working_dir": str(folder)}}
    application = RayApplicationBody("echo", "/echo", config)
    return RayServiceBody("speak", "demo", (application,), version, public=True, steps=(20, 50), **fields)


def port(site: RaySite, name: str = "port") -> int:
    stored = {item["address"]: item for item in site.call("observe")["result"]["resources"]}
    return int(stored["gateway.gateway"]["outputs"][name])


def dashboard(site: RaySite) -> str:
    return f"http://{site.facts('demo')['subnet']}.1:8265"


def applications(site: RaySite) -> dict[str, Any]:
    found: dict[str, Any] = get_json(f"{dashboard(site)}/api/serve/applications/")["applications"]
    return found


def settled(site: RaySite, state: str = "ready") -> dict[str, Any]:
    """The status line of the service, when it is in a state."""
    try:
        until(lambda: site.part("speak").get("state") == state, f"the service is {state}", within=PATIENCE)
    except AssertionError as error:
        raise AssertionError(f"{error}: {site.part('speak')}") from None
    return site.part("speak")


def test_an_application_answers_below_its_route(site: RaySite, folder: Path) -> None:
    site.apply("rayservice.speak", plain(body(folder, "v1", "one")))
    line = settled(site)
    assert (line["kind"], line["ready"], line["replicas"], line["note"]) == ("rayservice", 1, 1, "v1 100 %")
    until(lambda: ask(port(site), "/echo").status == 200, "the gateway has the route")
    answer = ask(port(site), "/echo/deep?x=1", b"x" * (4 << 20), method="PUT")
    assert (answer.status, answer.headers["x-bandari-version"]) == (200, "v1")
    assert answer.json() | {"word": "one", "text": "of a file", "body": 4 << 20} == answer.json()
    assert ask(port(site), "/echo/stream").body == b"part 0;part 1;part 2;"
    assert ask(port(site), "/nowhere").status == 404


def test_the_public_listener_asks_for_a_key(site: RaySite) -> None:
    key = keys.create(site.folder, "laptop", 1.0)[1]
    assert "error" not in site.call("refresh")
    public = port(site, "public_port")
    assert ask(public, "/echo").error["code"] == "invalid_api_key"

    def opened() -> Response:
        return ask(public, "/echo", authorization=f"Bearer {key}")

    until(lambda: opened().status == 200, "the key opens it")
    assert opened().json()["word"] == "one"


class Asking:
    """Asks again and again, on one connection after another, until the block ends; counts what came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]

    def _ask(self) -> None:
        while not self._over.is_set():
            with Wire(self.port, patience=60) as wire:
                for _ in range(20):
                    answer = wire.ask("/echo")
                    self.statuses[answer.status] += 1
                    self.versions[answer.headers.get("x-bandari-version", "")] += 1
                    if self._over.wait(0.02):
                        return

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_a_new_version_takes_the_traffic_in_steps_and_no_request_fails(site: RaySite, folder: Path) -> None:
    with Asking(port(site)) as asking:
        site.apply("rayservice.speak", plain(body(folder, "v2", "two", step_seconds=2.0)))
        until(lambda: "step 1 of 3" in site.part("speak")["note"], "the first step", within=PATIENCE)
        assert site.part("speak")["note"] == "v1 80 %, v2 20 %; v2: step 1 of 3"
        settled(site)
        before = asking.versions["v2"]
        until(lambda: asking.versions["v2"] > before + 20, "requests go to the new one")
        until(lambda: list(applications(site)) == ["speak.echo--v2"], "the old one is gone", within=60)
    assert set(asking.statuses) == {200}, asking.statuses
    assert set(asking.versions) == {"v1", "v2"}
    assert ask(port(site), "/echo").json()["word"] == "two"


def test_a_broken_version_is_taken_back_and_the_old_one_serves_on(site: RaySite, folder: Path) -> None:
    with Asking(port(site)) as asking:
        site.apply("rayservice.speak", plain(body(folder, "v3", "broken", timeout=60.0)))
        line = settled(site, "reverted")
        assert 'version "v3" was taken back' in line["reason"]
        assert '"v2" serves' in line["reason"]
        until(lambda: list(applications(site)) == ["speak.echo--v2"], "the broken one is gone", within=60)
    assert (set(asking.statuses), set(asking.versions)) == ({200}, {"v2"})


def test_services_outlive_the_supervisor(site: RaySite) -> None:
    before = site.status()["supervisor_pid"]
    with Asking(port(site)) as asking:
        os.kill(before, signal.SIGKILL)
        until(lambda: site.answers() and site.status()["supervisor_pid"] != before, "the next supervisor", within=60)
        line = settled(site, "reverted")
        assert 'version "v3" was taken back' in line["reason"]
        until(lambda: site.part("speak")["note"] == "v2 100 %", "it knows what serves", within=60)
    assert set(asking.versions) == {"v2"}, asking.statuses


def test_a_service_answers_again_when_the_head_is_back(site: RaySite) -> None:
    (head,) = site.nodes("demo", "head")
    os.kill(head["pid"], signal.SIGKILL)
    until(lambda: ask(port(site), "/echo").status == 503, "the service is away", within=30)
    assert ask(port(site), "/echo").headers["retry-after"] == "5"
    until(lambda: ask(port(site), "/echo").status == 200, "it answers again", within=PATIENCE)
    assert ask(port(site), "/echo").json()["word"] == "two"


def test_a_removed_service_leaves_nothing(site: RaySite) -> None:
    site.call("delete", "rayservice.speak")
    until(lambda: ask(port(site), "/echo").status == 404, "its route is gone")
    until(lambda: not applications(site), "its applications are gone", within=60)
    until(lambda: not list((site.folder / "services").glob("packages/*.zip")), "its packages are gone")


@pytest.mark.parametrize(
    ("route", "words"),
    [("/v1/chat", "/v1 is the gateway's own"), ("/healthz", "/healthz is the gateway's own")],
)
def test_a_route_of_the_gateway_is_refused(site: RaySite, folder: Path, route: str, words: str) -> None:
    application = RayApplicationBody("echo", route, {"import_path": "echo:app"})
    asked = RayServiceBody("own", "demo", (application,), "v1")
    response = site.call("apply", "rayservice.own", body=plain(asked))
    assert words in response["error"]
