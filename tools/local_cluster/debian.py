"""Root file systems made of Debian packages by mmdebstrap, each once per cache.

They are tar files in which nothing tells when or where they were made: the same packages give the
same bytes. A newer package of Debian's comes in only when the cache is removed.
"""

import hashlib
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cluster.errors import BuildError
from local_cluster.folders import cache
from local_cluster.locks import make_once
from local_cluster.processes import bind_to_this_process
from local_cluster.progress import Stopwatch, say
from local_cluster.watched import run_watched

SUITE = "bookworm"
PROGRAM = "mmdebstrap"
# What Debian's packages are checked with; other distributions may lack it.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
INSTALLED = (PROGRAM, "debian-archive-keyring")
# Nobody reads them in a container, and they are a third of all files.
NOT_UNPACKED = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
)
# Not needed where only some programs' files are: character sets, and what sets up packages.
NOT_EXTRACTED = ("/usr/lib/*/gconv/*", "/usr/lib/*/perl-base/*", "/usr/bin/perl*", "/etc/init.d/*")
MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr"
# A shell and the commands that one expects, where nothing else brings them.
_BUSYBOX = 'chroot "$1" /usr/bin/busybox --install -s'
# The rest that tells of the building: logs, caches, and the builder's own name and name servers.
# The two files stay, empty: a container gets its own mounted over them.
_FORGET = (
    'rm -rf "$1"/var/log/* "$1"/var/cache/*',
    'truncate --size=0 "$1/etc/hostname" "$1/etc/resolv.conf"',
)
# Every file is as old as can be, and Python compiles nothing in passing, for that holds the time.
SETTINGS = {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": "0"}
# unshare blocks SIGTERM while its child runs; the shell does not. Its end, however it comes, ends
# unshare, and that all of the namespace: neither a process nor a mount outlives a build.
_KILLABLE = 'setpriv --pdeathsig KILL "$@" & wait "$!"'
_NAMESPACE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class DebianRoot:
    """A root file system: packages and what these need, without what they only recommend.

    `variant` is mmdebstrap's: "essential" is a Debian, set up by its packages' own scripts,
    "extract" no more than the packages' files. `excludes` are patterns of files not to unpack,
    `hooks` shell commands to end with, which find the folder of the root file system in `$1`.
    """

    name: str
    packages: tuple[str, ...]
    variant: str
    excludes: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Digest of the command and settings that make it and of the machine's kind."""
        command = build_command(self, Path("root.tar"))
        recipe = (*command, *sorted(SETTINGS.items()), platform.machine())
        return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


NODE_ROOT = DebianRoot(
    "node",
    (
        "catatonit",
        "conntrack",
        "containerd",
        "containernetworking-plugins",
        "iproute2",
        "iptables",
        "kmod",
        "mount",
        "nftables",
        "openssl",
        "procps",
        "python3",
        "runc",
        "socat",
        "util-linux",
    ),
    "essential",
    # Older than what the kubelet asks for.
    excludes=("/usr/bin/containerd-shim", "/usr/bin/containerd-shim-runc-v1"),
)
PYTHON_ROOT = DebianRoot(
    "python",
    ("busybox-static", "python3", "python3-psycopg2"),
    "extract",
    excludes=(*NOT_EXTRACTED, "/usr/share/zoneinfo/*"),
    hooks=(
        _BUSYBOX,
        # Nobody may write compiled modules later, and without them each start compiles anew.
        'chroot "$1" python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.11',
    ),
)
NODEJS_ROOT = DebianRoot(
    "nodejs", ("nodejs",), "extract", excludes=(*NOT_EXTRACTED, "/usr/share/nodejs/@types/*")
)
POSTGRES_ROOT = DebianRoot(
    "postgres",
    # Not busybox alone: scripts for the official image find a whole Debian there.
    (
        "bash",
        "busybox-static",
        "coreutils",
        "diffutils",
        "findutils",
        "grep",
        "libnss-wrapper",
        "mawk",
        "postgresql-15",
        "sed",
        "util-linux",
    ),
    "extract",
    # Compiling queries, and Perl for Debian's own commands around PostgreSQL: two thirds of it.
    excludes=(
        *NOT_EXTRACTED,
        "/usr/lib/*/libLLVM*",
        "/usr/lib/*/libperl*",
        "/usr/lib/*/libz3*",
        "/usr/lib/*/perl/*",
        "/usr/lib/postgresql/15/lib/bitcode/*",
        "/usr/lib/postgresql/15/lib/llvmjit*",
        "/usr/share/i18n/*",
        "/usr/share/perl/*",
        "/usr/share/perl5/*",
    ),
    hooks=(_BUSYBOX,),
)

# A machine that is started for the first time.
MACHINE_ROOT = DebianRoot(
    "machine",
    (
        "bash",
        "cloud-init",
        "coreutils",
        "dash",
        "diffutils",
        "e2fsprogs",
        "grep",
        "mount",
        "python3",
        "sed",
        "util-linux",
    ),
    "extract",
    excludes=NOT_EXTRACTED,
)


def root_path(root: DebianRoot) -> Path:
    """Return where a root file system's tar is, or will be."""
    return cache() / "roots" / f"{root.name}-{root.key}.tar"


def build_root(root: DebianRoot) -> Path:
    """Return a root file system's tar, made now when it is not there; it is whole if it is there.

    Raise BuildError when it cannot be made.
    """
    path = root_path(root)
    lock = cache() / "locks" / f"root-{root.name}.lock"
    return make_once(path, lock, f"making the {root.name} root", lambda: _make(root, path))


def ensure_mmdebstrap() -> None:
    """Install mmdebstrap when it is missing; raise BuildError when that is not possible."""
    if shutil.which(PROGRAM) and KEYRING.exists():
        return
    wanted = " and ".join(INSTALLED)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BuildError(f"This machine lacks {wanted}: install them.")
    say(f"this machine lacks {wanted}; installing them with apt-get")
    try:
        _install_mmdebstrap()
    except BuildError:
        # A fresh machine knows no packages yet.
        _run_apt_get("update")
        _install_mmdebstrap()


def build_command(root: DebianRoot, target: Path) -> list[str]:
    """Return mmdebstrap's command line; the tar goes to `target`."""
    excludes = (*NOT_UNPACKED, *root.excludes)
    # The one that runs last differs.
    hook = "--extract-hook" if root.variant == "extract" else "--customize-hook"
    return [
        PROGRAM,
        "--mode=root",
        f"--variant={root.variant}",
        f"--include={','.join(root.packages)}",
        # Runtimes make devices themselves.
        "--skip=output/dev,output/mknod",
        # Else a folder's owner would tell whether apt's own user could get at the work folder.
        '--aptopt=APT::Sandbox::User "root"',
        # Without it a package that only moves folders brings all of Perl.
        f"--hook-dir={MERGED_USR}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in excludes),
        *(f"{hook}={command}" for command in (*root.hooks, *_FORGET)),
        SUITE,
        str(target),
    ]


def build_environment(inherited: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return mmdebstrap's environment, with which it works in `folder`."""
    own = {
        "PATH": f"{inherited.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin",
        "TMPDIR": str(folder),
    }
    return dict(inherited) | SETTINGS | own


def _make(root: DebianRoot, path: Path) -> None:
    """Make a root file system in a folder beside `path`, then move it there in one step."""
    if os.geteuid() != 0:
        raise BuildError("Only root can make root file systems: run this as root.")
    ensure_mmdebstrap()
    watch = Stopwatch(f"making the {root.name} root")
    say(f"making the {root.name} root from Debian packages: {', '.join(root.packages)}")
    unfinished = path.with_name(path.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        _run_mmdebstrap(root, unfinished)
        (unfinished / "root.tar").rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    say(f"made the {root.name} root in {watch.seconds:.0f} s")


def _run_mmdebstrap(root: DebianRoot, folder: Path) -> None:
    """Make `root.tar` in `folder`; whatever ends this process ends the making, too."""
    command = [*_NAMESPACE, *build_command(root, folder / "root.tar")]
    run_watched(
        bind_to_this_process(["sh", "-c", _KILLABLE, "sh", *command]),
        what=f"making the {root.name} root",
        environment=build_environment(os.environ, folder),
    )


def _install_mmdebstrap() -> None:
    """Install mmdebstrap, and remove nothing for it."""
    _run_apt_get("install", "-y", "--no-install-recommends", "--no-remove", *INSTALLED)


def _run_apt_get(*arguments: str) -> None:
    """Run apt-get, which asks nothing."""
    run_watched(
        ["apt-get", *arguments],
        what="installing mmdebstrap",
        environment=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    )
