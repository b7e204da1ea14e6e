"""The commands of the chart's README, typed as they stand there."""

from __future__ import annotations

import os
import re
import subprocess

from local_cluster.clusters import Cluster
from tests.charts.chart import CHART, RunTool


def test_the_commands_for_plain_helm_work(cluster: Cluster, run_tool: RunTool) -> None:
    block = re.search(r"```console\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    assert block is not None
    # A namespace of its own, since others have tenants called acme as well.
    commands = block[1].replace("-n aware", "-n readme")
    run_tool("kubectl", "--kubeconfig", cluster.kubeconfig, "create", "namespace", "readme")

    result = subprocess.run(
        ["bash", "-euxc", commands],
        cwd=CHART.parents[1],
        env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
