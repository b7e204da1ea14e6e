"""`python -m local_cluster`: local Kubernetes clusters and the tools they need.

Data goes to stdout, progress to stderr. Exit code 0: done; 1: it failed, the last line says why;
2: the request was wrong; 130: interrupted.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from local_cluster import simulated
from local_cluster.build import build_groups, link_tools, remove_cache
from local_cluster.catalogue import DEMO, SETS
from local_cluster.errors import LocalClusterError, UsageError
from local_cluster.progress import say

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


def build(arguments: argparse.Namespace) -> None:
    """Build the tools that are missing."""
    build_groups(SETS[arguments.purpose])
    link_tools()


def up(arguments: argparse.Namespace) -> None:
    """Start a cluster, or mend it, or find it running; print the path of its kubeconfig."""
    build_groups(DEMO)
    print(simulated.start(arguments.name, owner_pid=arguments.owner).kubeconfig)


def down(arguments: argparse.Namespace) -> None:
    """Stop a cluster and remove everything it kept."""
    existed = simulated.stop(arguments.name)
    say(f"cluster {arguments.name} {'is removed' if existed else 'does not exist'}")


def kubeconfig(arguments: argparse.Namespace) -> None:
    """Print the path of a cluster's kubeconfig."""
    cluster = simulated.find(arguments.name)
    if cluster is None:
        raise LocalClusterError(f"There is no cluster {arguments.name}; start it first.")
    print(cluster.kubeconfig)


def list_clusters(_: argparse.Namespace) -> None:
    """Print name, kind, state and kubeconfig of each cluster of this clone."""
    for cluster, state in simulated.list_clusters():
        print(f"{cluster.name}\tsimulated\t{state}\t{cluster.kubeconfig}")


def tools_path(arguments: argparse.Namespace) -> None:
    """Print the folder with helm and kubectl, and build what is missing in it."""
    build_groups(SETS[arguments.purpose])
    print(link_tools())


def clean_cache(_: argparse.Namespace) -> None:
    """Stop this clone's clusters and remove everything built and downloaded."""
    for cluster, _state in simulated.list_clusters():
        simulated.stop(cluster.name)
    remove_cache()


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; argparse itself exits with code 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="local_cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command.set_defaults(run=run)
        return command

    for name, run in (("build", build), ("tools-path", tools_path)):
        add(name, run).add_argument(
            "--for", dest="purpose", choices=SETS, default="demo", help="what the tools are for"
        )
    start = add("up", up)
    start.add_argument("name", metavar="NAME")
    start.add_argument(
        "--owner",
        type=int,
        metavar="PID",
        help="the process it belongs to; once that has ended, the next `up` removes the cluster",
    )
    start.add_argument(
        "--containers",
        choices=["simulated"],
        default="simulated",
        help="who plays the containers (default: %(default)s)",
    )
    for name, run in (("down", down), ("kubeconfig", kubeconfig)):
        add(name, run).add_argument("name", metavar="NAME")
    add("list", list_clusters)
    add("clean-cache", clean_cache)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    # `kill` ends a command the way Ctrl-C does: unfinished work is removed first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = read_arguments(arguments)
    try:
        options.run(options)
    except UsageError as error:
        say(str(error))
        return WRONG_USAGE
    except LocalClusterError as error:
        say(str(error))
        return FAILED
    except KeyboardInterrupt:
        say("interrupted; nothing unfinished is left behind, the same command goes on from here")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
