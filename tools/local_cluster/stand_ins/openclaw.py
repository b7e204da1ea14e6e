"""STAND-IN for OpenClaw's own image: this project's own program, which only behaves like one.

It is the gateway's stand-in, and strict: it starts only with all that OpenClaw needs, and answers
as OpenClaw does where that surprises: 403 to probes from a trusted proxy that forwards for nobody,
and 200, its user interface, for any path that it does not know.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from .gateway import PROBES, Gateway, run
from .serving import Answer, Request, refuse, tell

USER = 1000
HOME = Path("/home/node")
WRONG_USAGE = 64
API_PATHS = ("/", "/counter")


def read_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the part `gateway` of the configuration; refuse to start when it is not readable."""
    path = environment.get("OPENCLAW_CONFIG_PATH", "")
    if not path:
        refuse("OPENCLAW_CONFIG_PATH is missing; set it to the path of a configuration file.")
    try:
        content = json.loads(Path(path).read_text())
    except OSError as exc:
        refuse(f"The configuration {path} cannot be read: {exc.strerror}.")
    except ValueError:
        refuse(f"The configuration {path} is not JSON.")
    gateway = content.get("gateway") if isinstance(content, dict) else None
    if not isinstance(gateway, dict):
        refuse(f"The configuration {path} has no object `gateway`.")
    return gateway


def list_config_faults(gateway: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each thing in the configuration that OpenClaw would not work with."""
    if gateway.get("mode") != "local":
        yield "gateway.mode must be local."
    if gateway.get("bind") != "lan":
        yield "gateway.bind must be lan, or nobody outside of the container can connect."
    if not isinstance(gateway.get("port"), int):
        yield "gateway.port must be a number."
    if _get(gateway, "auth", "mode") != "token":
        yield "gateway.auth.mode must be token."
    if not _are_networks(gateway.get("trustedProxies")):
        yield "gateway.trustedProxies must be a list of addresses or networks."
    if not _are_texts(_get(gateway, "controlUi", "allowedOrigins")):
        yield "gateway.controlUi.allowedOrigins must be a list of origins."


def read_mount_points(mounts: str) -> set[Path]:
    """Return the mount points that a text like /proc/self/mountinfo lists.

    Comparing devices would not do: the volume may be on the disk that the folder above is on.
    """
    return {Path(line.split()[4]) for line in mounts.splitlines()}


def list_place_faults(home: Path, mount_points: set[Path]) -> Iterator[str]:
    """Yield a sentence for each folder that is not as OpenClaw needs it."""
    data = home / ".openclaw"
    if data not in mount_points:
        yield f"{data} must be a volume of its own, or its data dies with the pod."
    for folder in (data, home, Path("/tmp")):  # noqa: S108
        if not os.access(folder, os.W_OK):
            yield f"{folder} must be writable."


def list_process_faults(environment: Mapping[str, str], user: int) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with how the process was started."""
    if user != USER:
        yield f"It must run as the user {USER}, not as {user}."
    if not environment.get("NODE_OPTIONS"):
        yield "NODE_OPTIONS is missing; set --max-old-space-size to fit the memory limit."


def _get(fields: Mapping[str, Any], outer: str, inner: str) -> object:
    """Return a field of a field; None when either is missing."""
    found = fields.get(outer)
    return found.get(inner) if isinstance(found, dict) else None


def _are_texts(value: object) -> bool:
    """Tell whether this is a list of texts, with at least one."""
    return isinstance(value, list) and value != [] and all(isinstance(each, str) for each in value)


def _are_networks(value: object) -> bool:
    """Tell whether this is a list of addresses or networks, with at least one."""
    try:
        return isinstance(value, list) and len([ip_network(each) for each in value]) > 0
    except ValueError:
        return False


class OpenClaw(Gateway):
    """The gateway's answers, and OpenClaw's own."""

    def __init__(self, environment: Mapping[str, str], trusted_proxies: list[str]) -> None:
        super().__init__(environment, name="openclaw")
        self._trusted = [ip_network(network) for network in trusted_proxies]

    def answer(self, request: Request) -> Answer:
        """Answer a request; the user interface needs no token."""
        if request.path not in (*PROBES, *API_PATHS) and request.method in ("GET", "HEAD"):
            return Answer(200, {"stand_in": True, "page": "the user interface would be here"})
        return super().answer(request)

    def answer_probe(self, request: Request) -> Answer:
        """Answer a probe, unless it comes from a trusted proxy that forwards for nobody."""
        is_direct = "X-Forwarded-For" not in request.headers
        if PROBES[request.path] != "liveness" and is_direct and self._is_trusted(request.client):
            return Answer(403, "a trusted proxy must say for whom it asks\n")
        return super().answer_probe(request)

    def _is_trusted(self, client: str) -> bool:
        """Tell whether an address is a trusted proxy's."""
        return any(ip_address(client) in network for network in self._trusted)


def main() -> None:
    """Run `openclaw gateway` until it is told to end."""
    if sys.argv[1:] != ["gateway"]:
        refuse("This stand-in knows `openclaw gateway` only.", exit_code=WRONG_USAGE)
    _refuse_first(list_process_faults(os.environ, os.getuid()))
    config = read_config(os.environ)
    _refuse_first(list_config_faults(config))
    mount_points = read_mount_points(Path("/proc/self/mountinfo").read_text())
    _refuse_first(list_place_faults(HOME, mount_points))
    gateway = OpenClaw(os.environ, config["trustedProxies"])
    tell(gateway.introduction)
    run(gateway, config["port"])


def _refuse_first(faults: Iterator[str]) -> None:
    """Refuse to start when there is a fault."""
    for fault in faults:
        refuse(fault)


if __name__ == "__main__":
    main()
