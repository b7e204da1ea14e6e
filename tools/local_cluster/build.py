"""Building the tools of a set, each once per cache, and this clone's folder of links to them.

A group is built into a folder of its own that gets its final name, in one rename, only when it is
complete. So a tool is either there and whole or not there, whatever interrupted the build; and a
lock per group makes a second run wait instead of building the same again.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from local_cluster.catalogue import ON_PATH, ToolGroup
from local_cluster.errors import UsageError
from local_cluster.folders import TOOLS, cache
from local_cluster.golang import Go, find_go
from local_cluster.locks import make_once, try_hold
from local_cluster.progress import Stopwatch, say
from local_cluster.watched import run_watched

# ct starts these two from PATH; they are Python packages of the clone's own environment.
PYTHON_TOOLS = ("yamllint", "yamale")


def group_folder(group: ToolGroup) -> Path:
    """Return where a group's tools are, or will be."""
    return cache() / "tools" / f"{group.name}-{group.key}"


def is_built(group: ToolGroup) -> bool:
    """Tell whether a group is there; it is whole if so."""
    return group_folder(group).is_dir()


def build_groups(groups: Iterable[ToolGroup]) -> None:
    """Build what is missing, in the given order; raise BuildError when one cannot be built."""
    missing = [group for group in groups if not is_built(group)]
    if not missing:
        return
    watch = Stopwatch("building")
    go = find_go(max(group.minimum_go for group in missing))
    say(f"building with {go.program}")
    for number, group in enumerate(missing, start=1):
        say(f"{group.name}: {', '.join(group.outputs)} (group {number} of {len(missing)})")
        _build_once(group, go)
    say(f"tools built in {watch.seconds:.0f} s, kept in {cache()}")


def _lock_path(group: ToolGroup) -> Path:
    """Return the lock that is held while a group is built."""
    return cache() / "locks" / f"{group.name}.lock"


def _build_once(group: ToolGroup, go: Go) -> None:
    """Build a group unless another run has done so in the meantime."""
    folder = group_folder(group)
    make_once(folder, _lock_path(group), f"building {group.name}", lambda: _build(group, go))


def _build(group: ToolGroup, go: Go) -> None:
    """Build a group beside its place, then move it there in one step."""
    folder = group_folder(group)
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        _make(group, go, unfinished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(folder)


def _make(group: ToolGroup, go: Go, folder: Path) -> None:
    """Compile a group's programs and copy its files into `folder`."""
    for number, (name, package) in enumerate(group.packages.items(), start=1):
        watch = Stopwatch(f"building {name}")
        say(f"  building {name} ({number} of {len(group.packages)}) ...")
        command = [str(go.program), "build", *group.build_flags, "-ldflags", group.linker_flags]
        command += ["-o", str(folder / name), package]
        run_watched(
            command, what=f"building {name}", environment=go.environment, folder=group.module
        )
        say(f"  built {name} in {watch.seconds:.0f} s")
    for name, source in group.files.items():
        say(f"  fetching {name} from {source.module}")
        _copy(_fetch_module(group, go, source.module) / source.path, folder / name)


def _fetch_module(group: ToolGroup, go: Go, module: str) -> Path:
    """Download a module, checked against the group's go.sum; return its folder."""
    command = [str(go.program), "mod", "download", "-json", module]
    answer = run_watched(
        command, what=f"fetching {module}", environment=go.environment, folder=group.module
    )
    return Path(json.loads(answer)["Dir"])


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, writable whatever the source is."""
    for file in [source] if source.is_file() else source.rglob("*"):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def link_tools() -> Path:
    """Bring this clone's folder of tools up to date; return it.

    It links to what is built now, so it stays the same path when a version changes.
    """
    TOOLS.mkdir(parents=True, exist_ok=True)
    wanted = _wanted_links()
    for link in TOOLS.iterdir():
        if link.name not in wanted and not link.name.startswith("."):
            link.unlink(missing_ok=True)
    for name, target in wanted.items():
        _link(TOOLS / name, target)
    return TOOLS


def _wanted_links() -> dict[str, Path]:
    """Return the links that the folder of tools should hold: what is built, and nothing else."""
    links = {
        name: group_folder(group) / name
        for group in ON_PATH
        if is_built(group)
        for name in group.outputs
    }
    scripts = Path(sys.executable).parent
    return links | {name: scripts / name for name in PYTHON_TOOLS if (scripts / name).exists()}


def _link(link: Path, target: Path) -> None:
    """Make `link` point to `target` in one step, so that nobody finds it missing."""
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def remove_cache() -> None:
    """Remove everything built and downloaded; refuse while a build runs."""
    if not cache().exists():
        return
    with ExitStack() as locks:
        for path in sorted((cache() / "locks").glob("*.lock")):
            if not locks.enter_context(try_hold(path)):
                raise UsageError("A build is running; end it first, then run this again.")
        shutil.rmtree(cache())
