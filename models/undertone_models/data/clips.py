"""What is known of one recording."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of one speaker; what is unknown is None.

    ``speaker`` is prefixed by the corpus (``ravdess_21``), so that ids never clash. ``split`` is ``train``,
    ``valid`` or ``test``, by speaker; ``seconds`` is the length that the labels state.
    """

    path: Path
    corpus: str
    speaker: str
    sex: str | None = None
    age: float | None = None
    age_band: str | None = None
    emotion: str | None = None
    intensity: str | None = None
    sentence: str | None = None
    language: str | None = None
    session: str | None = None
    split: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file or a row that cannot be used, and why."""

    path: str
    reason: str
