"""`make demo`: tenants in a cluster, by the same commands that a person would type.

It uses a cluster of its own, with real containers where that is possible (CONTAINERS=simulated or
CONTAINERS=real insists), or, with the environment variable KUBE_CONTEXT, the cluster of the user's
that this context names. It can be run again: tenants that are there stay.
"""

import base64
import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, chdir, closing
from dataclasses import dataclass
from pathlib import Path

from local_cluster import catalogue, clusters, demo_fleet
from local_cluster.build import build_groups, link_tools
from local_cluster.errors import LocalClusterError, UsageError
from local_cluster.node.reach import reach
from local_cluster.own_cluster import copy_context
from local_cluster.progress import say

NAMESPACE = "aware"
# Refuses every pod that does not meet the strictest Pod Security level.
NAMESPACE_LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}
FAILED, WRONG_USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143

# Images that are made here: Aware's own cannot be pulled everywhere.
VOLUME_OF_STAND_IN = (
    *("--set", "image.tag=1.0.0-stand-in"),
    *("--set", "persistence.enabled=true", "--set", "persistence.size=10Mi"),
)
PORT = 18789
VISIT_SECONDS = 10
_GET = ("--namespace", NAMESPACE, "get", "--output", "json")

SIMULATED_TRUTH = """Containers are simulated (KWOK): no image was pulled and no gateway runs.
The Kubernetes API, scheduling, admission and Helm are real."""
REAL_TRUTH = """Containers are real, on a node of their own: kubelet, containerd, DNS, volumes.
The gateway in them is a stand-in of this project: Aware's own image cannot be pulled here."""

Command = tuple[str, ...]
STOPPED_ITSELF = 3


@dataclass(frozen=True)
class Place:
    """Where the demo runs: a kubeconfig with one context, and whose cluster it is.

    `context` is the user's, None in the demo's own cluster. `node` is the folder of a cluster with
    real containers, whose Services can be reached from here.
    """

    kubeconfig: Path
    context: str | None = None
    node: Path | None = None


@dataclass(frozen=True)
class Step:
    """A command as a person would type it, and the exit code that the demo expects of it."""

    command: Command
    exit_code: int = 0


@dataclass(frozen=True)
class Visit:
    """A request to a tenant's Service, with or without its token, and the status it must give."""

    slug: str
    path: str
    method: str
    has_token: bool
    status: int


def plan_platform(*, has_real_containers: bool) -> list[Step]:
    """Return what makes the cluster one for tenants; nothing of it is done twice."""
    # Simulated jobs print nothing.
    backup = [
        Step(("release-manager", "backup-database")),
        Step(("release-manager", "list-backups")),
        Step(("release-manager", "restore-database", "latest", "--yes")),
    ]
    return [
        Step(("release-manager", "install-platform")),
        Step(("release-manager", "install-api")),
        *(backup if has_real_containers else []),
        Step(("release-manager", "show-platform")),
    ]


def plan_steps(existing: Collection[str], *, has_real_containers: bool) -> list[Step | Visit]:
    """Return what to do, given the tenants that are there already."""
    acme = VOLUME_OF_STAND_IN if has_real_containers else ()
    installs = {"acme": acme, "globex": ("--stopped",)}
    steps: list[Step | Visit] = [
        Step(("release-manager", "install-tenant", slug, *options))
        for slug, options in installs.items()
        if slug not in existing
    ]
    steps += _plan_visits() if has_real_containers else [_plan_upgrade()]
    return [
        *steps,
        Step(("release-manager", "list-tenants")),
        Step(("helm", "list", "-n", NAMESPACE)),
        Step(("release-manager", "show-tenant", "acme")),
    ]


def _plan_upgrade() -> Step:
    """Return an upgrade that pods of any kind can take."""
    return Step(
        ("release-manager", "upgrade-tenant", "acme", "--set", "resources.limits.memory=384Mi")
    )


def _plan_visits() -> list[Step | Visit]:
    """Return what only real containers can show."""
    crash = ("--set", "image.tag=1.2.0-crashes-stand-in")
    home = Visit("acme", "/", "GET", has_token=True, status=200)
    return [
        Visit("acme", "/", "GET", has_token=False, status=401),
        Visit("acme", "/counter", "POST", has_token=True, status=200),
        Step(("release-manager", "stop-tenant", "acme")),
        Step(("release-manager", "start-tenant", "acme")),
        home,
        # A version that ends with an error: explained, and taken back.
        Step(("release-manager", "upgrade-tenant", "acme", *crash), exit_code=FAILED),
        home,
    ]


def plan_fleet(
    existing: Collection[str], charts: demo_fleet.Charts, *, has_unfinished: bool
) -> list[Step | demo_fleet.Installation]:
    """Return what is done with a fleet of twenty, given what an earlier run has left."""
    give_up = Step(("release-manager", "abort-rollout", "--yes"))
    return [
        *([give_up] if has_unfinished else []),
        *demo_fleet.plan_installation(existing),
        Step(("release-manager", "hold-tenant", "shop-18", "--reason", "demo on Friday")),
        # The chart lets its first tenant crash: it is taken back, and nobody else is touched.
        Step(demo_fleet.build_upgrade(charts.broken), exit_code=STOPPED_ITSELF),
        Step(demo_fleet.build_upgrade(charts.fixed)),
        Step(("release-manager", "list-rollouts")),
        Step(("release-manager", "list-tenants", "--chart", charts.fixed.name)),
        Step(("release-manager", "capacity")),
    ]


def find_place(context: str | None, scratch: Path) -> Place:
    """Start the demo's cluster, or copy the user's context; build what that needs first."""
    if context is None:
        say("cluster: a local one, started for this demo")
        kind = clusters.choose_kind(os.environ.get("CONTAINERS") or "auto")
        kind.build()
        cluster = clusters.start("demo", containers=kind.name)
        if kind is clusters.REAL:
            cluster.load("postgres")
        return Place(cluster.kubeconfig, node=cluster.folder if kind is clusters.REAL else None)
    build_groups(catalogue.OWN_CLUSTER)
    kubeconfig = scratch / "kubeconfig"
    copy_context(context, kubeconfig)
    say(f"cluster: yours, context {context}; its containers are real")
    return Place(kubeconfig, context=context)


def build_environment(place: Place, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the demo's commands: its cluster, its tools, no other settings."""
    own = {key: value for key, value in inherited.items() if not key.startswith("RELEASE_MANAGER_")}
    path = [str(link_tools()), str(Path(sys.executable).parent), inherited.get("PATH", "")]
    return own | {
        "KUBECONFIG": str(place.kubeconfig),
        # Not the user's ~/.kube/cache, where another cluster may have had the same port.
        "KUBECACHEDIR": str(place.kubeconfig.parent / "discovery"),
        "PATH": os.pathsep.join(path),
    }


def run(command: Command, environment: Mapping[str, str]) -> int:
    """Show a command line as a person would type it, run it, return its exit code."""
    print(f"\n$ {shlex.join(command)}", flush=True)
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise LocalClusterError(f"There is no {command[0]} in .venv/bin or the folder of tools.")
    with subprocess.Popen([program, *command[1:]], env=dict(environment)) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal has sent it to the command too, which ends in good order.
            process.wait()
            raise
        except SystemExit:
            process.terminate()
            process.wait()
            raise


def visit(planned: Visit, node: Path, environment: Mapping[str, str]) -> int:
    """Send one request through the tenant's Service, show what it answers, return the status."""
    name = f"tenant-{planned.slug}"
    service = json.loads(ask(("kubectl", *_GET, "service", name), environment) or "{}")
    secret = json.loads(ask(("kubectl", *_GET, "secret", f"{name}-token"), environment) or "{}")
    headers = {}
    if planned.has_token:
        token = base64.b64decode(secret["data"]["token"]).decode()
        headers["Authorization"] = f"Bearer {token}"
    said = "with its token" if planned.has_token else "without a token"
    print(
        f"\n> {planned.method} http://{name}.{NAMESPACE}:{PORT}{planned.path}, {said}", flush=True
    )
    with reach(node, service["spec"]["clusterIP"], PORT) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=VISIT_SECONDS)
        with closing(connection):
            connection.request(planned.method, planned.path, headers=headers)
            answer = connection.getresponse()
            print(f"{answer.status} {answer.reason}  {answer.read().decode().strip()}", flush=True)
    return answer.status


def take(
    step: Step | Visit | demo_fleet.Installation, place: Place, environment: Mapping[str, str]
) -> bool:
    """Take one step of the demo; tell whether it went as the demo expects."""
    if isinstance(step, demo_fleet.Installation):
        return demo_fleet.install(step, environment)
    if isinstance(step, Visit):
        return place.node is not None and visit(step, place.node, environment) == step.status
    return run(step.command, environment) == step.exit_code


def ask(command: Command, environment: Mapping[str, str]) -> str | None:
    """Run a command without showing it; return what it prints, None when it fails."""
    program = shutil.which(command[0], path=environment["PATH"]) or command[0]
    answer = subprocess.run(
        [program, *command[1:]], env=dict(environment), capture_output=True, text=True, check=False
    )
    return answer.stdout if answer.returncode == 0 else None


def ensure_namespace(environment: Mapping[str, str]) -> None:
    """Create the namespace, unless there is one, which is left as it is."""
    if ask(("kubectl", "get", "namespace", NAMESPACE), environment) is not None:
        return
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": NAMESPACE_LABELS},
    }
    say(f"creating the namespace {NAMESPACE}, which takes pods of the level restricted only")
    created = subprocess.run(
        [shutil.which("kubectl", path=environment["PATH"]) or "kubectl", "create", "-f", "-"],
        input=json.dumps(manifest),
        text=True,
        env=dict(environment),
        check=False,
        capture_output=True,
    )
    if created.returncode != 0:
        raise LocalClusterError(f"The namespace cannot be created: {created.stderr.strip()}")


def list_slugs(environment: Mapping[str, str]) -> set[str]:
    """Return the tenants that are there."""
    answer = ask(("release-manager", "list-tenants", "-o", "json"), environment)
    if answer is None:
        return set()
    return {tenant["slug"] for tenant in json.loads(answer)}


def has_unfinished_rollout(environment: Mapping[str, str]) -> bool:
    """Tell whether an earlier run was ended in the middle of a rollout."""
    answer = ask(("release-manager", "list-rollouts", "-o", "json"), environment)
    states = [rollout["state"] for rollout in json.loads(answer or "[]")]
    return "interrupted" in states


def summarise(place: Place, seconds: float) -> str:
    """Return the demo's last words."""
    if place.context is not None:
        return (
            f"\nDone in {seconds:.0f} s, in your cluster (context {place.context}).\n"
            "Remove the tenants again:\n"
            f"  .venv/bin/release-manager uninstall-tenant acme --context {place.context}\n"
            f"  .venv/bin/release-manager uninstall-tenant globex --context {place.context}"
        )
    return f"""
Done in {seconds:.0f} s.
{SIMULATED_TRUTH if place.node is None else REAL_TRUTH}

Go on by hand:
  export KUBECONFIG=$(make -s demo-kubeconfig) PATH=$(make -s tools-path):$PWD/.venv/bin:$PATH
  release-manager --help
Run the demo in a cluster of your own:  make demo KUBE_CONTEXT=name-of-a-context
Stop the cluster and remove its data:   make demo-down"""


def demonstrate(context: str | None, scratch: Path) -> int:
    """Run the demo; return its exit code, that of the first command that fails."""
    started = time.monotonic()
    place = find_place(context, scratch)
    environment = build_environment(place, os.environ)
    has_real_containers = place.node is not None
    if place.context is None:
        demo_fleet.write_fleet_file(scratch)
        for first in plan_platform(has_real_containers=has_real_containers):
            if not take(first, place, environment):
                return give_up(first)
    else:
        ensure_namespace(environment)
    # What it finds fault with is for the reader; the demo goes on.
    run(("release-manager", "doctor"), environment)
    existing = list_slugs(environment)
    for slug in sorted(existing & {"acme", "globex"}):
        say(f"tenant {slug} is there from an earlier run")
    steps: list[Step | Visit | demo_fleet.Installation] = []
    steps += plan_steps(existing, has_real_containers=has_real_containers)
    if place.context is None:
        charts = demo_fleet.write_charts(scratch, has_real_containers=has_real_containers)
        has_unfinished = has_unfinished_rollout(environment)
        steps += plan_fleet(existing, charts, has_unfinished=has_unfinished)
    for step in steps:
        if not take(step, place, environment):
            return give_up(step)
    print(summarise(place, time.monotonic() - started))
    return 0


def give_up(step: Step | Visit | demo_fleet.Installation) -> int:
    """Say where the demo ends; return its exit code."""
    say(f"the demo ends here: this went otherwise than expected: {step}")
    return FAILED


def main(arguments: Sequence[str]) -> int:
    """Run the demo; return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if arguments:
        print(__doc__)
        return 0 if set(arguments) <= {"-h", "--help"} else WRONG_USAGE
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aware-demo-")))
        try:
            # There the commands find fleet.yaml, and the charts by their names alone.
            with chdir(scratch):
                return demonstrate(os.environ.get("KUBE_CONTEXT") or None, scratch)
        except UsageError as error:
            say(str(error))
            return WRONG_USAGE
        except LocalClusterError as error:
            say(str(error))
            return FAILED
        except KeyboardInterrupt:
            say("interrupted; `make demo` goes on from here, `make demo-down` removes everything")
            return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
