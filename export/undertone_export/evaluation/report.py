"""What an evaluation found, as it is saved (JSON) and read back to write RESULTS.md."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from undertone_service.protocol.errors import ErrorCode, UndertoneError

ALL = "all"
"""Stands for all corpora together."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Part):
    """A measure and its 95 % interval over speakers; a single speaker gives none."""

    value: float
    low: float | None = None
    high: float | None = None


class _ClipMeasure(_Part):
    """On the clips of one corpus, or of several joined by ``+``. ``unanswered`` clips count as errors."""

    corpus: str
    speakers: int
    clips: int
    unanswered: int


class GenderMeasure(_ClipMeasure):
    """``accuracy`` 0 to 1; ``unsure`` where the labels themselves are not to be relied upon."""

    accuracy: Figure
    unsure: bool = False


class AgeMeasure(_ClipMeasure):
    """``error``: mean absolute error in years. ``guess``: the median age over its training clips."""

    error: Figure
    guess: float | None = Field(description="years; None where no training clip states an age")
    guessing_error: float | None = Field(description="mean absolute error of always answering the guess")
    covered: float = Field(description="share of clips whose age lies in the stated interval, 0 to 1")


class EmotionMeasure(_ClipMeasure):
    """Over the classes of a corpus. ``confusion``: rows true, columns answered, the last one: no speech."""

    classes: tuple[str, ...]
    accuracy: Figure
    recall: Figure = Field(description="unweighted average over the classes")
    free_accuracy: Figure = Field(description="accuracy where all emotions of the bundle may be answered")
    confusion: tuple[tuple[int, ...], ...]


class VerificationMeasure(_Part):
    """Equal error rate, 0 to 1, of one kind of trials. ``seconds`` of speech in the probe; None: all of it."""

    corpus: str
    condition: str
    seconds: int | None
    speakers: int
    targets: int
    impostors: int
    unanswered: int
    error_rate: Figure | None = Field(description="None where there are only targets, or only impostors")

    @property
    def trials(self) -> str:
        """Name of the kind of trials."""
        return self.condition if self.corpus == ALL else f"{self.corpus}, {self.condition}"


class Skipped(_Part):
    """Rows or files that were left out, or could not be heard, for one reason."""

    reason: str
    count: int
    example: str


class Counts(_Part):
    """What was measured on. Silent and ``unusable`` recordings are among the clips, as errors."""

    clips: int
    speakers: int
    trials: int
    clips_without_speech: int
    skipped_rows: tuple[Skipped, ...] = ()
    unusable: tuple[Skipped, ...] = ()


class Evaluation(_Part):
    """One run of ``undertone evaluate``."""

    kind: Literal["evaluation"] = "evaluation"
    command: str
    bundle: str
    digest: str
    split: str
    date: str
    counts: Counts
    gender: tuple[GenderMeasure, ...]
    age: tuple[AgeMeasure, ...]
    emotion: tuple[EmotionMeasure, ...]
    verification: tuple[VerificationMeasure, ...]


class Section(BaseModel):
    """What another command measured: some text, and rows that share their keys."""

    model_config = ConfigDict(frozen=True)

    kind: str
    title: str
    command: str
    text: str
    rows: tuple[dict[str, Any], ...]


class _Kind(BaseModel):
    kind: str


def read_report(path: Path) -> Evaluation | Section:
    """Read a saved report.

    Raises:
        UndertoneError: ``bad_request`` where the file is none.
    """
    try:
        text = path.read_bytes()
        kind = _Kind.model_validate_json(text).kind
        model = Evaluation if kind == "evaluation" else Section
        return model.model_validate_json(text)
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).splitlines()[:3])
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{path} holds no results ({reason}).",
            "Give files written with --json: an object with `kind`, and what that kind holds.",
        ) from None
