"""The protocols that emotion is measured by, as rounds of clips to train on and clips held out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from undertone_models.data.clips import Clip
from undertone_models.protocols.ravdess_folds import RAVDESS_FOLDS
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import EMOTIONS

RANDOM_SEEDS = range(5)


@dataclass(frozen=True)
class Round:
    """Clips to train on, and clips held out.

    ``apart`` names what the two have nothing of in common; ``classes`` are the emotions that may be answered (none:
    whatever was trained on); ``validation`` are clips to choose by, where there is something to choose.

    Raises:
        UndertoneError: ``bad_request`` where they have, or where one of them is empty.
    """

    name: str
    training: tuple[Clip, ...]
    held_out: tuple[Clip, ...]
    classes: tuple[str, ...]
    apart: Literal["path", "speaker", "corpus"]
    validation: tuple[Clip, ...] = ()

    def __post_init__(self) -> None:
        shared = {getattr(c, self.apart) for c in (*self.training, *self.validation)} & {
            getattr(c, self.apart) for c in self.held_out
        }
        if shared:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"Round {self.name} would train on what it holds out: {self.apart} {min(map(str, shared))}.",
                f"Give clips of which each states its true {self.apart}.",
            )
        if not self.training or not self.held_out:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"Round {self.name} has {len(self.training)} clips to train on and {len(self.held_out)} held out.",
                "Give data with clips for both; see `undertone corpora check`.",
            )

    def measured(self) -> list[Clip]:
        """Return the clips held out whose emotion can be answered; the others are skipped."""
        return [clip for clip in self.held_out if clip.emotion in self.classes]


@dataclass(frozen=True)
class Protocol:
    """A way to draw rounds from clips with an emotion; ``text`` says how, for who reads the figures."""

    title: str
    text: str
    rounds: Callable[[Sequence[Clip]], list[Round]]


def emotional(clips: Iterable[Clip]) -> list[Clip]:
    """Return the clips with an emotion, in the order of their paths, so that every draw is the same."""
    return sorted((clip for clip in clips if clip.emotion), key=lambda clip: str(clip.path))


def ravdess_folds(clips: Sequence[Clip]) -> list[Round]:
    """Return a round for each fold: its actors are held out, all others are trained on."""
    ours = _ravdess(clips)
    return [
        Round(
            str(number),
            tuple(clip for clip in ours if clip.speaker not in actors),
            tuple(clip for clip in ours if clip.speaker in actors),
            _emotions(ours),
            "speaker",
        )
        for number, actors in enumerate(RAVDESS_FOLDS, start=1)
    ]


def ravdess_random(clips: Sequence[Clip]) -> list[Round]:
    """Return a round for each seed: eight tenths of the clips to train on, one between, one held out."""
    ours = _ravdess(clips)
    return [random_draw(str(seed), ours, seed, _emotions(ours)) for seed in RANDOM_SEEDS]


def random_draw(name: str, clips: Sequence[Clip], seed: int, classes: tuple[str, ...] = ()) -> Round:
    """Draw clips 8:1:1 at random: to train on, to choose by, held out."""
    drawn = [clips[i] for i in np.random.default_rng(seed).permutation(len(clips))]
    tenth = len(drawn) // 10
    training, between, held_out = drawn[: -2 * tenth], drawn[-2 * tenth : -tenth], drawn[-tenth:]
    return Round(name, tuple(training), tuple(held_out), classes, "path", tuple(between))


def leave_one_corpus_out(clips: Sequence[Clip]) -> list[Round]:
    """Return a round for each corpus: all its clips are held out, the train split of the others is trained on.

    Raises:
        UndertoneError: ``bad_request`` where there are not two corpora.
    """
    corpora = sorted({clip.corpus for clip in clips})
    if len(corpora) < 2:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"There are {len(corpora)} corpora of emotion.",
            "Give two at least: one to leave out, the others to train on.",
        )  # fmt: skip
    rounds = []
    for corpus in corpora:
        training = tuple(clip for clip in clips if clip.corpus != corpus and clip.split == "train")
        held_out = tuple(clip for clip in clips if clip.corpus == corpus)
        trained = _emotions(training)
        classes = tuple(emotion for emotion in _emotions(held_out) if emotion in trained)
        if not classes:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST, f"The corpus {corpus} has no emotion in common with the others.",
                "Give data with clips for both; see `undertone corpora check`.",
            )  # fmt: skip
        rounds.append(Round(corpus, training, held_out, classes, "corpus"))
    return rounds


def choose_rounds(rounds: Sequence[Round], names: str | None) -> list[Round]:
    """Return the rounds named, in their own order; all of them for None.

    Raises:
        UndertoneError: ``bad_request`` for an unknown name.
    """
    known = [one.name for one in rounds]
    wanted = known if names is None else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST, f"There is no round {name!r}.", f"Choose among: {', '.join(known)}."
            )
    return [one for one in rounds if one.name in wanted]


def _ravdess(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips of RAVDESS.

    Raises:
        UndertoneError: ``bad_request`` where an actor is missing: the figures would be of another protocol.
    """
    ours = [clip for clip in clips if clip.corpus == "ravdess"]
    missing = {actor for fold in RAVDESS_FOLDS for actor in fold} - {clip.speaker for clip in ours}
    if missing:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"There are no clips of {', '.join(sorted(missing))}.",
            "Give all of RAVDESS: --data ravdess=DIR, or labels=FILE.csv of all its 24 actors.",
        )  # fmt: skip
    return ours


def _emotions(clips: Iterable[Clip]) -> tuple[str, ...]:
    felt = {clip.emotion for clip in clips}
    return tuple(emotion for emotion in EMOTIONS if emotion in felt)


PROTOCOLS = {
    "ravdess-folds": Protocol(
        "Emotion: RAVDESS, six folds",
        "Six folds of RAVDESS by actor, fixed in the code: two women and two men are held out, the other 20 actors "
        "are trained on. Fold 6 holds out the actors of the test split.",
        ravdess_folds,
    ),
    "ravdess-random": Protocol(
        "Emotion: RAVDESS, random draws",
        "RAVDESS drawn 8:1:1 over its clips, once for each seed, one network for both sexes: eight tenths are trained "
        "on, one tenth is held out, and the tenth between is not used, for nothing is chosen. The actors of the clips "
        "held out are trained on, too: this measures known voices, and is here to compare with others who draw so.",
        ravdess_random,
    ),
    "leave-one-corpus-out": Protocol(
        "Emotion: leave one corpus out",
        "Each corpus in turn is held out with all its clips, and the train split of the other corpora of emotion is "
        "trained on. Answers are chosen among the emotions that both have; clips of another emotion are skipped. "
        "The mean over the corpora tells more than all clips together, most of which are of one corpus.",
        leave_one_corpus_out,
    ),
}
