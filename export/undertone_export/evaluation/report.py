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


Measured = Literal["gender", "age", "emotion", "verification"]


class SecondsMeasure(_Part):
    """After the first ``seconds`` of net speech, over the clips (or trials) that have so many.

    Accuracy, mean absolute error in years, or equal error rate; ``whole``: the same clips in full.
    """

    task: Measured
    corpus: str
    seconds: int
    clips: int
    first: Figure
    whole: float


class Slice(_Part):
    """One group of speakers; a measure is None where the group has nothing to measure it on."""

    by: Literal["sex", "age", "language", "corpus"]
    group: str
    speakers: int
    clips: int
    gender: Figure | None = None
    age: Figure | None = None
    emotion: Figure | None = None
    verification: Figure | None = Field(
        default=None, description="equal error rate, given 20 targets or more"
    )


class ReliabilityBin(_Part):
    """Answers of like confidence: ``share`` of all, mean confidence, and how many were right, 0 to 1."""

    share: float
    confidence: float
    accuracy: float


class ReliabilityMeasure(_Part):
    """Is 0.8 right about 80 % of the time? ``error``: expected calibration error, 0 to 1.

    ``perfect`` is the error that perfect calibration would show on so many answers, by chance alone.
    """

    task: Measured
    answers: int
    bins: tuple[ReliabilityBin, ...]
    error: float
    perfect: float

    @property
    def excess(self) -> float:
        """The error less what perfect calibration would show."""
        return self.error - self.perfect


class CoveredAccuracy(_Part):
    """Accuracy of the most confident ``coverage`` of all answers."""

    coverage: float
    accuracy: Figure


class RiskMeasure(_Part):
    """Risk (share of wrong answers) against coverage, of emotion. ``area`` under that curve, 0 to 1."""

    clips: int
    area: float
    accuracies: tuple[CoveredAccuracy, ...]


class AnsweredMeasure(_Part):
    """Share of clips with ``seconds`` of speech or more that the service answers rather than with null."""

    task: Measured
    seconds: float
    clips: int
    answered: Figure


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
    skipped_labels: tuple[Skipped, ...] = Field(
        default=(), description="clips without a task's label, or with one that the bundle does not know"
    )


class Evaluation(_Part):
    """One run of ``undertone evaluate``."""

    kind: Literal["evaluation"] = "evaluation"
    command: str
    bundle: str
    digest: str
    split: str
    date: str
    conditions: tuple[str, ...] = Field(default=(), description="in the order in which they were applied")
    counts: Counts
    gender: tuple[GenderMeasure, ...]
    age: tuple[AgeMeasure, ...]
    emotion: tuple[EmotionMeasure, ...]
    verification: tuple[VerificationMeasure, ...]
    seconds: tuple[SecondsMeasure, ...] = ()
    slices: tuple[Slice, ...] = ()
    reliability: tuple[ReliabilityMeasure, ...] = ()
    risk: RiskMeasure | None = None
    answered: tuple[AnsweredMeasure, ...] = ()

    @property
    def title(self) -> str:
        """The bundle, the split, and what the audio went through."""
        through = f", through {', '.join(self.conditions)}" if self.conditions else ""
        return f"{self.bundle}, {self.split} split{through}"


class Section(BaseModel):
    """What another command measured: some text, and rows that share their keys."""

    model_config = ConfigDict(frozen=True)

    kind: str
    title: str
    command: str
    text: str
    rows: tuple[dict[str, Any], ...]


class RecipeSection(Section):
    """What a published system's rounds found: means and deviations over them, shares from 0 to 1, ages in years."""

    recipe: str
    protocol: str
    sex: str | None
    overrides: tuple[str, ...]
    measures: dict[str, float]
    deviations: dict[str, float]
    seconds: int
    parameters: int
    megabytes: float
    rounds: int
    epochs: int
    corpora: tuple[dict[str, Any], ...] = ()
    classes: tuple[dict[str, Any], ...] = ()


class _Kind(BaseModel):
    kind: str


_MODELS: dict[str, type[Evaluation] | type[Section]] = {"evaluation": Evaluation, "recipe": RecipeSection}


def read_report(path: Path) -> Evaluation | Section:
    """Read a saved report.

    Raises:
        UndertoneError: ``bad_request`` where the file is none.
    """
    try:
        text = path.read_bytes()
        kind = _Kind.model_validate_json(text).kind
        return _MODELS.get(kind, Section).model_validate_json(text)
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).splitlines()[:3])
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{path} holds no results ({reason}).",
            "Give files written with --json: an object with `kind`, and what that kind holds.",
        ) from None
