"""The programs inside the stand-in images."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from local_cluster.folders import PACKAGE
from local_cluster.ports import pick_ports
from local_cluster.stand_ins.gateway import Gateway, determine_tenant
from local_cluster.stand_ins.openclaw import (
    OpenClaw,
    list_config_faults,
    list_place_faults,
    list_process_faults,
    read_config,
    read_mount_points,
)
from local_cluster.stand_ins.serving import Answer, Request
from local_cluster.stand_ins.tokens import is_valid_token

TOKEN = "a-token-that-nobody-may-see"
NOWHERE = "/nonexistent"
CONFIG: dict[str, Any] = {
    "mode": "local",
    "bind": "lan",
    "port": 18789,
    "auth": {"mode": "token"},
    "trustedProxies": ["10.42.0.0/16"],
    "controlUi": {"allowedOrigins": ["https://acme.wareit.ai"]},
}


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make_gateway(clock: Callable[[], float] = time.monotonic, **variables: str) -> Gateway:
    return Gateway(
        {"OPENCLAW_GATEWAY_TOKEN": TOKEN, "STAND_IN_DATA": NOWHERE} | variables, clock=clock
    )


def make_request(
    path: str, method: str = "GET", client: str = "10.0.0.1", **headers: str
) -> Request:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return Request(method, path, message, client)


def ask(gateway: Gateway, path: str, method: str = "GET", token: str = TOKEN) -> Answer:
    return gateway.answer(make_request(path, method, Authorization=f"Bearer {token}"))


class Running:
    """A gateway's process and its port."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def ask(self, path: str, method: str = "GET", token: str = TOKEN) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def start(program: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"local_cluster.stand_ins.{program}", *arguments],
        env={"PYTHONPATH": str(PACKAGE.parent)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def run_gateway(**variables: str) -> Iterator[Running]:
    [port] = pick_ports(1)
    settings = {"OPENCLAW_GATEWAY_TOKEN": TOKEN, "PORT": str(port)}
    with start("gateway", **(settings | variables)) as process:
        assert process.stdout is not None
        try:
            assert "STAND-IN" in process.stdout.readline()
            assert process.stdout.readline() == f"listens on port {port}\n"
            yield Running(process, port)
        finally:
            process.kill()


def test_probes_need_no_token() -> None:
    gateway = make_gateway()
    for path in ("/startupz", "/readyz", "/healthz"):
        assert gateway.answer(make_request(path)).status == 200


def test_every_other_path_needs_the_token() -> None:
    gateway = make_gateway()
    for method, path in (("GET", "/"), ("POST", "/counter"), ("GET", "/nothing")):
        assert gateway.answer(make_request(path, method)).status == 401
        assert ask(gateway, path, method, token="wrong").status == 401
    assert ask(gateway, "/").status == 200
    assert ask(gateway, "/nothing").status == 404


@pytest.mark.parametrize("authorization", [TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer \xe9"])
def test_what_is_not_the_token_as_bearer_is_refused(authorization: str) -> None:
    request = make_request("/", Authorization=authorization)
    assert make_gateway().answer(request).status == 401


def test_answers_say_who_speaks() -> None:
    answer = ask(make_gateway(STAND_IN_VERSION="1.0.0-stand-in", TENANT="acme"), "/")
    assert answer.body == {
        "stand_in": True,
        "name": "aware-gateway",
        "version": "1.0.0-stand-in",
        "tenant": "acme",
        "counter": 0,
        "volume": False,
    }


def test_tenant_is_read_from_the_pods_name() -> None:
    assert determine_tenant({"HOSTNAME": "tenant-acme-2-5d9c7b8f66-x7k2p"}) == "acme-2"
    assert determine_tenant({"HOSTNAME": "laptop"}) is None


def test_counter_without_a_volume_is_in_memory() -> None:
    gateway = make_gateway()
    ask(gateway, "/counter", "POST")
    assert gateway.describe()["counter"] == 1
    assert make_gateway().describe()["counter"] == 0


def test_probes_wait_for_the_start_and_liveness_does_not() -> None:
    clock = Clock()
    gateway = make_gateway(clock, STAND_IN_START_SECONDS="5")
    clock.now += 2
    for path in ("/startupz", "/readyz"):
        answer = gateway.answer(make_request(path))
        assert (answer.status, answer.body) == (503, "still starting: 3 s to go\n")
    assert gateway.answer(make_request("/healthz")).status == 200
    clock.now += 4
    assert gateway.answer(make_request("/readyz")).status == 200


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startup", "/startupz"), ("readiness", "/readyz"), ("liveness", "/healthz")],
)
def test_probe_that_is_told_to_fail_says_so_and_no_other_fails(probe: str, path: str) -> None:
    gateway = make_gateway(STAND_IN_FAIL_PROBE=probe)
    answers = {each: gateway.answer(make_request(each)) for each in ("/startupz", "/readyz")}
    answers["/healthz"] = gateway.answer(make_request("/healthz"))
    assert answers.pop(path).body == f"told to fail its {probe} probe\n"
    assert [answer.status for answer in answers.values()] == [200, 200]


def test_counter_outlives_the_process(tmp_path: Path) -> None:
    for value in (1, 2):
        with run_gateway(STAND_IN_DATA=str(tmp_path)) as gateway:
            status, body = gateway.ask("/counter", "POST")
            answer = json.loads(body)
            assert (status, answer["counter"], answer["volume"]) == (200, value, True)
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_sigterm_is_followed_by_the_answer_to_an_open_request_and_a_clean_end() -> None:
    with run_gateway(STAND_IN_DATA=NOWHERE) as gateway:
        with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)) as client:
            client.putrequest("POST", "/counter")
            client.putheader("Authorization", f"Bearer {TOKEN}")
            client.putheader("Content-Length", "2")
            client.endheaders(b"a")
            assert gateway.ask("/healthz")[0] == 200
            gateway.process.terminate()
            assert gateway.process.stdout is not None
            assert "SIGTERM" in gateway.process.stdout.readline()
            client.send(b"b")
            assert client.getresponse().status == 200
        assert gateway.process.wait(5) == 0
        assert gateway.process.stdout.read() == "ended\n"


def test_crash_comes_with_its_last_lines_and_its_code() -> None:
    with run_gateway(STAND_IN_DATA=NOWHERE, STAND_IN_CRASH_AFTER_SECONDS="0.1") as gateway:
        printed, _ = gateway.process.communicate(timeout=5)
        assert gateway.process.returncode == 3
        assert printed.splitlines()[-1].endswith("cannot open its database: told to crash")


def test_token_is_never_printed() -> None:
    with run_gateway(STAND_IN_DATA=NOWHERE) as gateway:
        _, body = gateway.ask("/", token="wrong")
        gateway.process.terminate()
        printed, errors = gateway.process.communicate(timeout=5)
        assert TOKEN not in printed + errors + body


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "OPENCLAW_GATEWAY_TOKEN is missing or empty"),
        ({"OPENCLAW_GATEWAY_TOKEN": ""}, "OPENCLAW_GATEWAY_TOKEN is missing or empty"),
        (
            {"OPENCLAW_GATEWAY_TOKEN": "x", "STAND_IN_START_SECONDS": "-"},
            "STAND_IN_START_SECONDS must",
        ),
        ({"OPENCLAW_GATEWAY_TOKEN": "x", "STAND_IN_FAIL_PROBE": "any"}, "STAND_IN_FAIL_PROBE must"),
    ],
)
def test_wrong_configuration_is_one_sentence_and_exit_code_78(
    variables: dict[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        Gateway(variables)
    assert ended.value.code == 78
    printed = capsys.readouterr().err
    assert printed.startswith(sentence)
    assert printed.count("\n") == 1


def test_openclaw_needs_its_command_and_says_what_is_missing() -> None:
    with start("openclaw") as process:
        _, errors = process.communicate(timeout=5)
        assert (process.returncode, errors.count("\n")) == (64, 1)


def test_openclaw_starts_with_what_the_profile_gives_it() -> None:
    assert list(list_config_faults(CONFIG)) == []
    environment = {"NODE_OPTIONS": "--max-old-space-size=1024"}
    assert list(list_process_faults(environment, user=1000)) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"mode": "remote"}, "gateway.mode"),
        ({"bind": "loopback"}, "gateway.bind"),
        ({"port": None}, "gateway.port"),
        ({"auth": None}, "gateway.auth.mode"),
        ({"auth": {"mode": "password"}}, "gateway.auth.mode"),
        ({"trustedProxies": []}, "gateway.trustedProxies"),
        ({"trustedProxies": ["10.0.0.0/99"]}, "gateway.trustedProxies"),
        ({"controlUi": {}}, "gateway.controlUi.allowedOrigins"),
    ],
)
def test_openclaw_insists_on_its_configuration(changed: Mapping[str, Any], sentence: str) -> None:
    [fault] = list_config_faults(CONFIG | changed)
    assert fault.startswith(sentence)


def test_openclaw_insists_on_its_user_and_on_a_limit_for_node() -> None:
    assert len(list(list_process_faults({}, user=0))) == 2


def test_openclaw_insists_on_a_volume_of_its_own(tmp_path: Path) -> None:
    (tmp_path / ".openclaw").mkdir()
    [fault] = list_place_faults(tmp_path, {tmp_path})
    assert "must be a volume" in fault
    assert list(list_place_faults(tmp_path, {tmp_path / ".openclaw"})) == []


def test_volume_on_the_same_disk_is_a_mount_point() -> None:
    mounts = "36 35 98:0 /pv /home/node/.openclaw rw,noatime - ext4 /dev/vda rw\n"
    assert read_mount_points(mounts) == {Path("/home/node/.openclaw")}


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_openclaw_insists_on_a_readable_configuration(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "openclaw.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as ended:
        read_config({"OPENCLAW_CONFIG_PATH": str(path)})
    assert ended.value.code == 78


def test_openclaw_answers_as_openclaw_does() -> None:
    openclaw = OpenClaw(
        {"OPENCLAW_GATEWAY_TOKEN": TOKEN, "STAND_IN_DATA": NOWHERE}, ["10.42.0.0/16"]
    )
    proxy = "10.42.0.7"
    assert openclaw.answer(make_request("/readyz", client=proxy)).status == 403
    assert openclaw.answer(make_request("/startupz", client=proxy)).status == 403
    assert openclaw.answer(make_request("/healthz", client=proxy)).status == 200
    forwarded = make_request("/readyz", client=proxy, X_Forwarded_For="203.0.113.9")
    assert openclaw.answer(forwarded).status == 200
    assert openclaw.answer(make_request("/readyz", client="127.0.0.1")).status == 200
    assert openclaw.answer(make_request("/any/page")).status == 200
    assert openclaw.answer(make_request("/")).status == 401


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def make_token(secret: str, algorithm: str = "HS256", **claims: object) -> str:
    header, payload = (json.dumps(part).encode() for part in ({"alg": algorithm}, claims))
    signed = f"{encode(header)}.{encode(payload)}"
    return f"{signed}.{encode(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def test_signed_token_is_valid_until_it_expires() -> None:
    assert is_valid_token(make_token("secret"), "secret", now=5)
    assert is_valid_token(make_token("secret", exp=6), "secret", now=5)
    assert not is_valid_token(make_token("secret", exp=5), "secret", now=5)


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c", "e30.e30.", make_token("other"), make_token("s", "none")]
)
def test_token_that_is_not_signed_with_the_secret_is_not_valid(token: str) -> None:
    assert not is_valid_token(token, "s", now=5)
