"""`python -m local_cluster.node.volumes CLUSTER_FOLDER`: volumes for claims, on the node's disk.

It plays the part of k3s's local-path provisioner: a volume is made once a pod that wants it is
scheduled, and removed, with its data, when its claim is deleted. The volumes are of the kind
`local`, to which the kubelet applies fsGroup; the controller manager's own `hostPath` volumes
could be written by root only.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local_cluster.apiserver import ApiServer
from local_cluster.control_plane import ControlPlane
from local_cluster.node.layout import NODE_NAME, Layout
from local_cluster.record import read_record

PROVISIONER = "local-cluster/node"
POLL_SECONDS = 0.3
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"

Json = dict[str, Any]


def plan_volume(claim: Json, folder: Path) -> Json:
    """Return the PersistentVolume for a claim, whose data lives in ``folder``."""
    metadata, spec = claim["metadata"], claim["spec"]
    place = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": folder.name, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec["storageClassName"],
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **{key: metadata[key] for key in ("namespace", "name", "uid")},
            },
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [place]}]}},
        },
    }


def find_wanted(claims: Iterable[Json], classes: Iterable[str]) -> list[Json]:
    """Return the claims that wait for a volume of ours on this node."""
    return [
        claim
        for claim in claims
        if claim["status"].get("phase") == "Pending"
        and claim["spec"].get("storageClassName") in classes
        and claim["metadata"].get("annotations", {}).get(SELECTED_NODE) == NODE_NAME
        and "deletionTimestamp" not in claim["metadata"]
    ]


def find_released(volumes: Iterable[Json]) -> list[str]:
    """Return the names of our volumes whose claim is gone."""
    return [
        volume["metadata"]["name"]
        for volume in volumes
        if volume["status"].get("phase") == "Released"
        and volume["metadata"].get("annotations", {}).get(PROVISIONED_BY) == PROVISIONER
        and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    ]


def read_items(api: ApiServer, path: str) -> list[Json]:
    """Return the objects at a path; none when the API server does not answer."""
    answer = api.read(path)
    return list(json.loads(answer)["items"]) if answer else []


def work_once(api: ApiServer, folder: Path) -> None:
    """Make and remove the volumes that are due."""
    classes = {
        item["metadata"]["name"]
        for item in read_items(api, "/apis/storage.k8s.io/v1/storageclasses")
        if item["provisioner"] == PROVISIONER
    }
    for claim in find_wanted(read_items(api, CLAIMS), classes):
        place = folder / f"pvc-{claim['metadata']['uid']}"
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        if api.create(VOLUMES, plan_volume(claim, place)):
            print(f"made {place.name}", flush=True)
    for name in find_released(read_items(api, VOLUMES)):
        shutil.rmtree(folder / name, ignore_errors=True)
        if api.delete(f"{VOLUMES}/{name}"):
            print(f"removed {name}", flush=True)


def main(cluster: Path) -> None:
    """Serve claims until the node ends."""
    record = read_record(cluster)
    if record is None:
        sys.exit("the cluster has no record")
    api = ControlPlane(cluster, record.ports, {}).api_server()
    while True:
        work_once(api, Layout(cluster).volumes)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
