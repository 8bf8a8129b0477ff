"""`bandari endpoints` lists each application of a service with its address and who may ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bandari.serving.protocol import GatewayBody, plain
from bandari.serving.ray.bodies import RayApplicationBody, RayServiceBody


def endpoints(state: Path, *words: str) -> str:
    """What the command prints about the cluster `shop`."""
    done = subprocess.run(
        [Path(sys.executable).with_name("bandari"), "endpoints", "--cluster", "shop", *words],
        env=os.environ | {"XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_service_has_a_row_for_each_application_and_listener(tmp_path: Path) -> None:
    folder = tmp_path / "bandari" / "clusters" / "shop"
    folder.mkdir(parents=True)
    gateway = plain(GatewayBody(public=True, public_address="127.0.0.1"))
    applications = (RayApplicationBody("front", "/"), RayApplicationBody("admin", "/admin"))
    bodies = {
        "rayservice.shop": plain(RayServiceBody("shop", "ray", applications, "v1", public=True)),
        "rayservice.inside": plain(RayServiceBody("inside", "ray", (RayApplicationBody("in", "/in"),), "v1")),
    }
    resources = [
        {"address": "gateway.gateway", "body": gateway, "outputs": {"port": 8000, "public_port": 8443}},
        *({"address": address, "body": body} for address, body in bodies.items()),
    ]
    (folder / "state.json").write_text(json.dumps({"resources": resources}))
    rows = json.loads(endpoints(tmp_path, "--json"))["endpoints"]
    assert [(row["service"], row["application"], row["url"], row["public"]) for row in rows] == [
        ("inside", "in", "http://127.0.0.1:8000/in", False),
        ("shop", "front", "http://127.0.0.1:8000/", False),
        ("shop", "front", "http://127.0.0.1:8443/", True),
        ("shop", "admin", "http://127.0.0.1:8000/admin", False),
        ("shop", "admin", "http://127.0.0.1:8443/admin", True),
    ]
    lines = endpoints(tmp_path).splitlines()
    assert lines[0].split()[:2] == ["inside/in", "http://127.0.0.1:8000/in"]
    assert "no key" in lines[0]
    assert "API key needed" in lines[2]
