"""The bundles that a server can run."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from undertone_service.bundle.bundle import Bundle, unreadable
from undertone_service.bundle.manifest import MANIFEST
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.bundle.window import WindowBundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError

DEFAULT = "undertone-streaming"
"""The bundle that Undertone ships for everyday use."""


_KINDS: dict[str, type[StreamingBundle] | type[WindowBundle]] = {
    "streaming": StreamingBundle,
    "window": WindowBundle,
}


def open_bundle(folder: Path) -> Bundle:
    """Open a bundle of whichever kind it is.

    Raises:
        UndertoneError: ``unknown_bundle`` where the folder holds no sound bundle.
    """
    try:
        kind = json.loads((folder / MANIFEST).read_bytes()).get("kind")
    except (OSError, ValueError, AttributeError) as error:
        raise unreadable(folder, error, ("its graphs",)) from None
    if kind not in _KINDS:
        raise UndertoneError(
            ErrorCode.UNKNOWN_BUNDLE,
            f"The bundle in {folder.name!r} is of the kind {kind!r}.",
            f"This server knows: {', '.join(_KINDS)}.",
        )
    return _KINDS[kind](folder)


class BundleLibrary:
    """Opens the bundles below some folders; the one named ``default`` answers where none is asked for.

    Without a name that is the shipped default, or the only bundle there is.
    """

    def __init__(self, folders: Sequence[Path], default: str | None = None) -> None:
        found = sorted(path.parent for folder in folders for path in folder.glob(f"*/{MANIFEST}"))
        self._bundles = {bundle.manifest.name: bundle for bundle in map(open_bundle, found)}
        if default is None:
            default = next(iter(self._bundles)) if len(self._bundles) == 1 else DEFAULT
        self.default: Bundle = self._bundles[default] if default in self._bundles else self._missing(default)

    def __iter__(self) -> Iterator[Bundle]:
        return iter(self._bundles.values())

    def get(self, name: str | None) -> Bundle:
        """Return a bundle by name, the default one for None.

        Raises:
            UndertoneError: ``unknown_bundle``.
        """
        if name is None:
            return self.default
        return self._bundles[name] if name in self._bundles else self._missing(name)

    def _missing(self, name: str) -> NoReturn:
        known = ", ".join(sorted(self._bundles)) or "none at all"
        raise UndertoneError(
            ErrorCode.UNKNOWN_BUNDLE, f"There is no bundle {name!r}.", f"This server has: {known}."
        )
