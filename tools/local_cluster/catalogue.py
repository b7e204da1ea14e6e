"""The tools there are, and how each is built.

A group is what one `go.mod` in `modules/` pins and builds. Its key is a digest of everything that
decides what comes out, so another version is another folder and never overwrites a tool in use.
"""

import hashlib
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path

from local_cluster.folders import MODULES

KUBERNETES_VERSION = "v1.35.8"
HELM_VERSION = "v4.3.1"
KWOK_VERSION = "v0.8.0"


@dataclass(frozen=True)
class ModuleFile:
    """A file or folder inside a published Go module; `module` is `<path>@<version>`."""

    module: str
    path: str


@dataclass(frozen=True)
class ToolGroup:
    """Programs, built from Go packages, and files, copied as they are, that one go.mod pins.

    `packages` maps a program's name to its Go package, `files` a name to where it comes from,
    `build_flags` are further ones of `go build`.
    """

    name: str
    module: Path
    packages: dict[str, str] = field(default_factory=dict)
    linker_flags: str = "-s -w"
    files: dict[str, ModuleFile] = field(default_factory=dict)
    build_flags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Digest of the module's pins and sources, the recipe and the machine's kind."""
        recipe = (
            sorted(self.packages.items()),
            sorted((name, file.module, file.path) for name, file in self.files.items()),
            self.linker_flags,
            *self.build_flags,
            platform.system(),
            platform.machine(),
        )
        digest = hashlib.sha256(repr(recipe).encode())
        for source in sorted(self.module.iterdir()):
            digest.update(source.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of everything the group makes."""
        return (*self.packages, *self.files)

    @property
    def minimum_go(self) -> tuple[int, int, int]:
        """The Go release that the module asks for."""
        return read_go_directive((self.module / "go.mod").read_text())


def read_go_directive(go_mod: str) -> tuple[int, int, int]:
    """Return the `go` line of a go.mod as numbers; 1.26 is 1.26.0."""
    found = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError("the go.mod has no go line")
    major, minor, patch = found.groups(default="0")
    return int(major), int(minor), int(patch)


def _kubernetes_linker_flags(version: str) -> str:
    """Flags without which /version says v0.0.0-master and a chart's kubeVersion check fails."""
    major, minor, _ = version.removeprefix("v").split(".")
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    settings = [
        f"-X {package}.{name}={value}" for package in packages for name, value in values.items()
    ]
    return " ".join(["-s -w", *settings])


_KUBERNETES = MODULES / "control-plane"
_KUBERNETES_FLAGS = _kubernetes_linker_flags(KUBERNETES_VERSION)

HELM = ToolGroup(
    "helm",
    MODULES / "helm",
    {"helm": "helm.sh/helm/v4/cmd/helm"},
    # Without it helm calls itself v4.3, and pyhelm3 refuses that.
    f"-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}",
)
KUBECTL = ToolGroup(
    "kubectl", _KUBERNETES, {"kubectl": "k8s.io/kubernetes/cmd/kubectl"}, _KUBERNETES_FLAGS
)
CONTROL_PLANE = ToolGroup(
    "control-plane",
    _KUBERNETES,
    {
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "etcd": "go.etcd.io/etcd/server/v3",
    },
    _KUBERNETES_FLAGS,
)
NODE = ToolGroup(
    "node",
    _KUBERNETES,
    {
        "kubelet": "k8s.io/kubernetes/cmd/kubelet",
        "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    },
    _KUBERNETES_FLAGS,
)
COREDNS = ToolGroup(
    "coredns",
    MODULES / "coredns",
    {"coredns": "local-cluster/coredns"},
    # It goes into an image: the same Go makes the same bytes, in whatever folder and commit.
    build_flags=("-trimpath", "-buildvcs=false"),
)
KWOK = ToolGroup(
    "kwok",
    MODULES / "kwok",
    {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    files={
        "kwok-logs.yaml": ModuleFile(
            f"sigs.k8s.io/kwok@{KWOK_VERSION}", "kustomize/crd/bases/kwok.x-k8s.io_logs.yaml"
        )
    },
)
_CERT_MANAGER = "github.com/cert-manager/cert-manager@v1.21.1"
CRDS = ToolGroup(
    "crds",
    MODULES / "crds",
    files={
        "traefik.yaml": ModuleFile(
            "github.com/traefik/traefik/v3@v3.7.9",
            "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
        ),
        "cert-manager": ModuleFile(_CERT_MANAGER, "deploy/crds"),
    },
)
# Not what a cluster begins with, but what is installed in one.
FOREIGN_CHARTS = ToolGroup(
    "foreign-charts",
    MODULES / "crds",
    files={"cert-manager-chart": ModuleFile(_CERT_MANAGER, "deploy/charts/cert-manager")},
)
HELM_UNITTEST = ToolGroup(
    "helm-unittest",
    MODULES / "helm-unittest",
    {"helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"},
)
KUBECONFORM = ToolGroup(
    "kubeconform",
    MODULES / "kubeconform",
    {"kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"},
    "-s -w -X main.version=v0.7.0",
)
HELM_DOCS = ToolGroup(
    "helm-docs",
    MODULES / "helm-docs",
    {"helm-docs": "github.com/norwoodj/helm-docs/cmd/helm-docs"},
    "-s -w -X main.version=1.14.2",
)
CHART_TESTING = ToolGroup(
    "ct",
    MODULES / "ct",
    {"ct": "github.com/helm/chart-testing/v3/ct"},
    "-s -w -X github.com/helm/chart-testing/v3/ct/cmd.Version=v3.14.0",
    # ct does not run without these two, and looks for them in /etc/ct only.
    {
        name: ModuleFile("github.com/helm/chart-testing/v3@v3.14.0", f"etc/{name}")
        for name in ("chart_schema.yaml", "lintconf.yaml")
    },
)
TFLINT = ToolGroup("tflint", MODULES / "tflint", {"tflint": "github.com/terraform-linters/tflint"})

OWN_CLUSTER = (HELM, KUBECTL)
CHART_TOOLS = (HELM_UNITTEST, KUBECONFORM, HELM_DOCS, CHART_TESTING)

# What a person or a test calls by name; the rest is called by this package with its full path.
ON_PATH = (*OWN_CLUSTER, *CHART_TOOLS, TFLINT)
