"""`python -m local_cluster`: local Kubernetes clusters and the tools they need.

Data goes to stdout, progress to stderr. Exit code 0: done; 1: it failed, the last line says why;
2: the request was wrong; 130: interrupted.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from local_cluster import clusters, images
from local_cluster.build import build_groups, link_tools, remove_cache
from local_cluster.catalogue import CHART_TOOLS, FOREIGN_CHARTS, HELM, TFLINT
from local_cluster.clusters import REAL, SIMULATED
from local_cluster.errors import LocalClusterError, UsageError
from local_cluster.progress import say

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
PURPOSES = ("demo", "test", "release")


def build_for(purpose: str) -> None:
    """Build what a purpose needs: `demo`, `test` or `release`."""
    if purpose == "release":
        build_groups([HELM])
    else:
        SIMULATED.build()
    if purpose == "test":
        build_groups((*CHART_TOOLS, TFLINT, FOREIGN_CHARTS))
        if clusters.choose_kind("auto") is REAL:
            REAL.build()
            for name in images.ARCHIVES:
                images.build_archive(name)


def build(arguments: argparse.Namespace) -> None:
    """Build what is missing."""
    build_for(arguments.purpose)
    link_tools()


def up(arguments: argparse.Namespace) -> None:
    """Start a cluster, or mend it, or find it running; print the path of its kubeconfig."""
    kind = clusters.choose_kind(arguments.containers)
    kind.build()
    started = clusters.start(arguments.name, containers=kind.name, owner_pid=arguments.owner)
    print(started.kubeconfig)


def load(arguments: argparse.Namespace) -> None:
    """Give a node with real containers an archive of images that were made here."""
    cluster = _find(arguments.name)
    cluster.load(arguments.archive)


def execute(arguments: argparse.Namespace) -> None:
    """Run a command inside a node with real containers, in its place and with its exit code."""
    program = [*_find(arguments.name).enter(), *arguments.program]
    os.execvp(program[0], program)


def _find(name: str) -> clusters.Cluster:
    """Return a cluster that was started."""
    cluster = clusters.find(name)
    if cluster is None:
        raise LocalClusterError(f"There is no cluster {name}; start it first.")
    return cluster


def down(arguments: argparse.Namespace) -> None:
    """Stop a cluster and remove everything it kept."""
    existed = clusters.stop(arguments.name)
    say(f"cluster {arguments.name} {'is removed' if existed else 'does not exist'}")


def kubeconfig(arguments: argparse.Namespace) -> None:
    """Print the path of a cluster's kubeconfig."""
    print(_find(arguments.name).kubeconfig)


def list_clusters(_: argparse.Namespace) -> None:
    """Print name, kind, state and kubeconfig of each cluster of this clone."""
    for cluster, state in clusters.list_clusters():
        print(f"{cluster.name}\t{cluster.containers}\t{state}\t{cluster.kubeconfig}")


def tools_path(arguments: argparse.Namespace) -> None:
    """Print the folder with helm and kubectl, and build what is missing in it."""
    build_for(arguments.purpose)
    print(link_tools())


def clean_cache(_: argparse.Namespace) -> None:
    """Stop this clone's clusters and remove everything built and downloaded."""
    for cluster, _state in clusters.list_clusters():
        clusters.stop(cluster.name)
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
            "--for", dest="purpose", choices=PURPOSES, default="demo", help="what the tools are for"
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
        choices=["auto", "real", "simulated"],
        default="auto",
        help="who plays the containers; auto is real where that is possible (default: %(default)s)",
    )
    images_into = add("load", load)
    images_into.add_argument("name", metavar="NAME")
    images_into.add_argument("archive", choices=images.ARCHIVES, metavar="ARCHIVE")
    inside = add("exec", execute)
    inside.add_argument("name", metavar="NAME")
    inside.add_argument("program", nargs=argparse.REMAINDER, metavar="COMMAND")
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
