"""Where runs are kept, and how paths are shown to others."""

import os
import shlex
from pathlib import Path


def runs_folder() -> Path:
    """Return where runs are kept: ``$UNDERTONE_CACHE/runs``, by default in ``~/.cache/undertone``."""
    return Path(os.environ.get("UNDERTONE_CACHE") or Path.home() / ".cache" / "undertone") / "runs"


def shown_path(path: Path) -> str:
    """Return a path, quoted: from here, or from the cache, which lies elsewhere on every machine."""
    cache = runs_folder().parent
    if path.is_absolute() and path.is_relative_to(cache):
        return f"~/.cache/undertone/{shlex.quote(str(path.relative_to(cache)))}"
    return shlex.quote(os.path.relpath(path) if path.is_absolute() else str(path))
