"""`python -m local_cluster.node.hold CLUSTER_FOLDER`: the process that a node hangs on.

It enters control groups of its own and becomes `unshare`, whose one child is process 1 of the
node. However `unshare` ends, the kernel ends that child, and with it every process of the node.
"""

import json
import os
import sys
from pathlib import Path

from local_cluster.node import cgroups
from local_cluster.node.layout import Layout

NAMESPACES = ("--mount", "--net", "--uts", "--ipc", "--pid")


def main(cluster: Path) -> None:
    """Become the holder of a node's namespaces."""
    layout = Layout(cluster)
    plan = json.loads(layout.plan.read_text())
    trees = [] if cgroups.is_version_2() else cgroups.find_trees()
    # Written down before they are made, so that they can be removed whatever happens.
    planned = list(cgroups.plan_groups(plan["cgroup"]))
    layout.cgroups.write_text("".join(f"{folder}\n" for folder in planned))
    cgroups.enter(planned)
    program = [sys.executable, "-m", "local_cluster.node.enter", f"{cluster}/", *trees]
    os.execvp("unshare", ["unshare", *NAMESPACES, "--fork", "--kill-child", "--", *program])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
