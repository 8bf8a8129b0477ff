"""Public groups, keys, scaling and interruption on the road, with the stock client."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bandari.testing.user import User

FILE = """\
version: "1.3"
local:
  publicAddress: 127.0.0.1
{options}  cluster:
    name: pub
  modelGroups:
    - name: open
      isPublic: true
      minInstances: {least}
      maxInstances: 2
      runtime: {{image: "ghcr.io/ggml-org/llama.cpp:server-b6823"}}
      model: {{source: "builtin:tiny"}}
    - name: closed
      minInstances: 1
      maxInstances: 1
      runtime: {{image: "ghcr.io/ggml-org/llama.cpp:server-b6823"}}
      model: {{source: "builtin:tiny"}}
"""

pytestmark = pytest.mark.engine


def up(user: User, *, options: str = "", least: int = 1) -> dict[str, str]:
    """Brings it up; the private and the public address."""
    user.write(FILE.format(options=options, least=least))
    made = user.bandari("up", "--yes", "--json")
    assert made.code == 0, made.out + made.err
    rows = made.document["endpoints"]
    return {"public" if row["public"] else "private": row["url"] for row in rows}


@contextmanager
def client(url: str, key: str = "none", verify: ssl.SSLContext | bool = True) -> Iterator[openai.OpenAI]:
    with (
        openai.DefaultHttpxClient(verify=verify) as http,
        openai.OpenAI(base_url=url, api_key=key, http_client=http, max_retries=0) as made,
    ):
        yield made


def chat(at: openai.OpenAI, model: str = "open", **more: Any) -> Any:
    return at.chat.completions.create(model=model, max_tokens=8, messages=[{"role": "user", "content": "hi"}], **more)


def new_key(user: User) -> str:
    made: str = user.bandari("keys", "create", "app", "--json").document["key"]
    return made


def test_a_public_group_asks_for_a_key_and_a_private_one_is_not_there(user: User) -> None:
    urls = up(user)
    key = new_key(user)
    with client(urls["public"]) as nobody, pytest.raises(openai.AuthenticationError):
        chat(nobody)
    with client(urls["public"], key) as somebody:
        assert chat(somebody).choices[0].message.content
        assert "".join(c.choices[0].delta.content or "" for c in chat(somebody, stream=True) if c.choices)
        assert [m.id for m in somebody.models.list()] == ["open"]
        with pytest.raises(openai.NotFoundError):
            chat(somebody, model="closed")
    with client(urls["private"]) as here:
        assert chat(here, model="closed").choices[0].message.content
        assert {m.id for m in here.models.list()} == {"open", "closed"}
    listed = user.bandari("keys", "list")
    assert "app" in listed.out
    assert key not in listed.out
    for path in (user.home / "state").rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), "a key is kept as a hash only"
    assert user.bandari("keys", "revoke", "app").code == 0
    with client(urls["public"], key) as late, pytest.raises(openai.AuthenticationError):
        chat(late)


def certificate(folder: Path) -> ssl.SSLContext:
    """A throwaway certificate for 127.0.0.1 in two PEM files; a context that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bandari test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ssl.create_default_context(cafile=str(folder / "c.pem"))


def test_with_tls_the_public_listener_speaks_https(user: User) -> None:
    context = certificate(user.folder)
    urls = up(user, options="  tls: {certificate: c.pem, key: k.pem}\n")
    assert urls["public"].startswith("https://")
    with client(urls["public"], new_key(user), context) as somebody:
        assert chat(somebody).choices[0].message.content


def test_a_group_at_zero_is_started_by_the_request_that_waits_for_it(user: User) -> None:
    urls = up(user, least=0)
    [part] = [p for p in user.bandari("status", "--json").document["parts"] if p["name"] == "open"]
    assert (part["replicas"], part["ready"]) == (0, 0)
    with client(urls["private"]) as here:
        assert chat(here).choices[0].message.content


def test_under_load_a_group_grows_and_says_why(user: User) -> None:
    urls = up(user)
    stop = threading.Event()

    def load() -> None:
        with client(urls["private"]) as here:
            while not stop.is_set():
                here.chat.completions.create(
                    model="open",
                    max_tokens=1500,
                    messages=[{"role": "user", "content": "hi"}],
                    extra_body={"ignore_eos": True},
                )

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        grown = False
        for _ in range(60):
            [part] = [p for p in user.bandari("status", "--json").document["parts"] if p["name"] == "open"]
            if grown := part["ready"] == 2:
                break
        assert grown, part
        assert part["scaling"], "the reason of the last decision"
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def killed_after(user: User, steps: int) -> None:
    """Runs `up` and kills it -9 when it has said that many steps are done."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "bandari.cli", "up", "--yes"],
        cwd=user.folder,
        env=user.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    done = 0
    for line in process.stdout:
        done += " done (" in line
        if done > steps or (steps == 0 and "to create" in line):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("steps", range(7))
def test_up_may_die_between_any_two_of_its_steps_and_the_next_one_converges(user: User, steps: int) -> None:
    user.write(FILE.format(options="", least=1))
    killed_after(user, steps)
    urls = up(user)
    assert user.bandari("plan", "--exit-code").code == 0
    parts = [line.split(" --alias ")[1].split()[0] for line in user.marked() if " --alias " in line]
    assert Counter(parts) == {"open": 1, "closed": 1}, "nothing is started twice"
    assert len([line for line in user.marked() if "serving.supervisor" in line]) == 1
    assert len([line for line in user.marked() if "serving.gateway" in line]) == 1
    with client(urls["private"]) as here:
        assert chat(here).choices[0].message.content


def answered(user: User, answer: bytes, meanwhile: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """`up` on a terminal where somebody gives that answer: exit code, and all that was shown. `meanwhile` happens
    while the question stands.
    """
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bandari.cli", "up"],
        cwd=user.folder,
        env={**user.environment, "TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    seen = b""
    while b"Go on?" not in seen:
        seen += os.read(leader, 4096)
    meanwhile()
    os.write(leader, answer)
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    return process.wait(), seen.decode(errors="replace")


def test_on_a_terminal_up_asks_and_a_no_does_nothing(user: User) -> None:
    user.write(FILE.format(options="", least=1))
    code, seen = answered(user, b"n\n")
    assert code == 2
    assert "Nothing was done" in seen
    assert user.marked() == []


def test_an_answer_that_comes_after_the_cluster_changed_does_nothing(user: User) -> None:
    up(user)
    user.write(FILE.format(options="", least=2))
    code, seen = answered(user, b"y\n", lambda: user.bandari("down", "--yes"))
    assert code == 2
    assert "the cluster changed while the question stood" in " ".join(seen.split())
    assert user.marked() == []


def test_on_a_terminal_a_yes_goes_on_with_live_progress(user: User) -> None:
    user.write(FILE.format(options="", least=1))
    code, seen = answered(user, b"y\n")
    assert code == 0
    assert "group.open done" in seen
    assert "\x1b[" in seen, "a moving picture, not lines alone"
    assert "pub is ready" in seen
    assert user.bandari("status").code == 0


def test_a_secret_by_reference_reaches_its_replica_and_no_plan_log_or_state(user: User) -> None:
    (user.folder / "secrets.yaml").write_text("hub:\n  token: s3cr3t-value-1\n")
    text = FILE.format(options="  secretsFile: secrets.yaml\n", least=1).replace(
        'runtime: {image: "ghcr.io/ggml-org/llama.cpp:server-b6823"}',
        'runtime: {image: "ghcr.io/ggml-org/llama.cpp:server-b6823", '
        "env: [{name: API_TOKEN, valueFrom: {secretKeyRef: {name: hub, key: token}}}]}",
        1,
    )
    user.write(text)
    made = user.bandari("up", "--yes", "--json")
    assert made.code == 0, made.out
    seen = made.out + "".join(user.bandari(*words).out for words in (["plan", "-v"], ["render"], ["status", "--json"]))
    assert "s3cr3t-value" not in seen
    details = [r for p in user.bandari("status", "--json").document["parts"] for r in p.get("detail", [])]
    [pid] = [r["pid"] for r in details if r["name"].startswith("open")]
    assert b"API_TOKEN=s3cr3t-value-1" in Path(f"/proc/{pid}/environ").read_bytes()
    for path in (user.home / "state").rglob("*"):
        if path.is_file():
            assert b"s3cr3t-value" not in path.read_bytes()
    (user.folder / "secrets.yaml").write_text("hub:\n  token: s3cr3t-value-2\n")
    [change] = user.bandari("plan", "--json").document["changes"]
    assert change["address"] == "group.open"
    assert "s3cr3t" not in str(change)


def test_no_listener_stands_on_another_address_than_was_asked_for(user: User) -> None:
    urls = up(user)
    for url in urls.values():
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.2", port)) != 0
