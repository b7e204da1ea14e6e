"""Where things are kept: the cache that all clones share, and this clone's own state."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CLONE = PACKAGE.parent.parent
STATE = CLONE / ".local"
CLUSTERS = STATE / "clusters"
TOOLS = STATE / "tools"
MODULES = PACKAGE / "modules"
STAGES = PACKAGE / "stages"
MANIFESTS = PACKAGE / "manifests"
CONTAINER_LOGS = PACKAGE / "container-logs"
STAND_INS = PACKAGE / "stand_ins"


def cache() -> Path:
    """Return the cache: `$XDG_CACHE_HOME/aware`, else `~/.cache/aware`.

    The XDG specification says that a relative `XDG_CACHE_HOME` is to be ignored.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "aware"


def search_path() -> str:
    """Return PATH with the folders of root's programs, which a plain shell may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
