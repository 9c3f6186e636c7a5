"""One round, start to end: train from the trunk, answer the clips held out, keep the answers."""

import csv
import hashlib
import os
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.noise import Noise
from undertone_models.protocols.answers import Answer, answer_clips
from undertone_models.protocols.rounds import Round
from undertone_models.training.checkpoints import CHECKPOINT, load_network, read_checkpoint
from undertone_models.training.corpus import Corpus, gather
from undertone_models.training.loop import METRICS, Training
from undertone_models.training.settings import TrainSettings
from undertone_service.protocol.errors import ErrorCode, UndertoneError

ANSWERS = "answers.json"
PLAN = "plan.sha256"


@dataclass(frozen=True)
class Outcome:
    """A finished round. ``skipped`` clips have an emotion that was not trained on; ``seconds`` of training."""

    name: str
    answers: tuple[Answer, ...]
    skipped: int
    trained_on: int
    steps: int
    seconds: float


_OUTCOME = TypeAdapter(Outcome)


@dataclass(frozen=True)
class Trunk:
    """The network that rounds begin with: its checkpoint, that file's SHA-256, its step, the speakers it heard."""

    path: Path
    digest: str
    step: int
    speakers: frozenset[str]


def read_trunk(path: Path) -> Trunk:
    """Return what is known of a trunk.

    Raises:
        UndertoneError: ``bad_request`` where the file is no checkpoint.
    """
    saved = read_checkpoint(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Trunk(path, digest, saved["step"], frozenset(saved.get("heard", saved["speakers"])))


def refuse_heard(start: Path, speakers: Set[str], rounds: Sequence[Round]) -> None:
    """Refuse a run to begin with that was trained on a speaker whom a round holds out.

    Raises:
        UndertoneError: ``conflict``.
    """
    for one in rounds:
        heard = sorted({clip.speaker for clip in one.held_out} & speakers)
        if heard:
            corpora = sorted({clip.corpus for clip in one.held_out})
            without = " ".join(f"--without {corpus}" for corpus in corpora)
            raise UndertoneError(
                ErrorCode.CONFLICT,
                f"{start} was trained on {len(heard)} speakers whom round {one.name} holds out, {heard[0]} among them.",
                f"Give a run that never heard them: `undertone train RECIPE {without} --name NAME`.",
            )


def gather_emotional(clips: Sequence[Clip], noises: Sequence[Noise]) -> Corpus:
    """Decode all clips with an emotion, of every split, and the noises to train with; no clip is chosen yet."""
    return replace(gather([], noises), cache=AudioCache.build([clip.path for clip in clips], "emotion"))


def run_round(one: Round, settings: TrainSettings, trunk: Trunk, corpus: Corpus, folder: Path) -> Outcome:
    """Train and answer in a folder, from wherever an earlier run of the same round stopped.

    Raises:
        UndertoneError: ``conflict`` where the folder holds a round of another plan.
    """
    keep_plan(_plan(one, settings, trunk), folder)
    finished = _read_outcome(folder / ANSWERS)
    if finished is not None:
        return finished
    training = [clip for clip in one.training if clip.path in corpus.cache]
    Training(settings, replace(corpus, train=training, valid=[]), folder, start=trunk.path).run()
    measured = one.measured()
    answers = answer_clips(load_network(folder / CHECKPOINT), measured, corpus.cache, one.classes)
    outcome = Outcome(
        one.name,
        tuple(answers),
        skipped=len(one.held_out) - len(measured),
        trained_on=len(training),
        steps=settings.steps,
        seconds=_seconds(folder / METRICS),
    )
    partial = folder / f"{ANSWERS}.partial"
    partial.write_bytes(_OUTCOME.dump_json(outcome))
    partial.replace(folder / ANSWERS)
    return outcome


def _plan(one: Round, settings: TrainSettings, trunk: Trunk) -> str:
    paths = [[os.path.abspath(clip.path) for clip in clips] for clips in (one.training, one.held_out)]
    return repr((settings, trunk.digest, paths, one.classes))


def keep_plan(plan: str, folder: Path) -> None:
    """Note what determines a round's outcome, or refuse where something else is noted.

    Raises:
        UndertoneError: ``conflict``.
    """
    digest = hashlib.sha256(plan.encode()).hexdigest()
    file = folder / PLAN
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(digest)
    elif file.read_text() != digest:
        raise UndertoneError(
            ErrorCode.CONFLICT,
            f"The round in {folder} was begun with other settings, another trunk or other clips.",
            "Give the same to resume it, or another --name to begin anew.",
        )


def _read_outcome(path: Path) -> Outcome | None:
    """Return what an earlier run found; None where there is none that can be read."""
    try:
        return _OUTCOME.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _seconds(metrics: Path) -> float:
    """Return the seconds that all steps took, whenever they were made."""
    with metrics.open(newline="") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))
