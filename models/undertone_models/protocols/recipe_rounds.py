"""The protocols of the published systems, as rounds: at random by clip, and by speaker, which is what users meet."""

from collections.abc import Sequence

import numpy as np

from undertone_models.data.clips import Clip
from undertone_models.protocols.rounds import RANDOM_SEEDS, Protocol, Round, random_draw
from undertone_service.protocol.errors import ErrorCode, UndertoneError

FOUR_CORPORA = ("tess", "ravdess", "savee", "crema_d")
FOLDS = 5
CREMAD_ACTORS = 91


def by_split(clips: Sequence[Clip]) -> list[Round]:
    """Return the one round of the ``split`` column: by speaker."""
    parts = {name: tuple(c for c in clips if c.split == name) for name in ("train", "valid", "test")}
    return [Round("test", parts["train"], parts["test"], (), "speaker", parts["valid"])]


def ravdess_speaker(clips: Sequence[Clip]) -> list[Round]:
    """Return the round of RAVDESS: actors 19 and 20 to choose by, 21 to 24 held out."""
    return by_split(_of(clips, ("ravdess",)))


def cremad_speaker(clips: Sequence[Clip]) -> list[Round]:
    """Return the round of CREMA-D that holds out 24 actors."""
    return by_split(_of(clips, ("crema_d",)))


def four_corpus_speaker(clips: Sequence[Clip]) -> list[Round]:
    """Return the round of the four corpora by speaker; the two of TESS are trained on."""
    return by_split(_four(clips))


def four_corpus_random(clips: Sequence[Clip]) -> list[Round]:
    """Return the round of the four corpora drawn 8:1:1 over their clips, with seed 0."""
    return [random_draw("test", _four(clips), 0)]


def ravdess_random(clips: Sequence[Clip]) -> list[Round]:
    """Return a round for each of five seeds, RAVDESS drawn 8:1:1 over the clips given: of one sex, or both."""
    ours = _of(clips, ("ravdess",))
    return [random_draw(str(seed), ours, seed) for seed in RANDOM_SEEDS]


def cremad_folds_by_clip(clips: Sequence[Clip]) -> list[Round]:
    """Return five rounds of CREMA-D, each holding out a fifth of the clips; a tenth of the others is to choose by."""
    ours = _of(clips, ("crema_d",))
    drawn = [ours[i] for i in np.random.default_rng(0).permutation(len(ours))]
    rounds = []
    for fold in range(FOLDS):
        rest = [clip for number, clip in enumerate(drawn) if number % FOLDS != fold]
        tenth = len(rest) // 10
        held_out = tuple(drawn[fold::FOLDS])
        rounds.append(Round(str(fold + 1), tuple(rest[tenth:]), held_out, (), "path", tuple(rest[:tenth])))
    return rounds


def cremad_folds_by_speaker(clips: Sequence[Clip]) -> list[Round]:
    """Return five rounds of CREMA-D, each holding out a fifth of the actors; a tenth of the others is to choose by."""
    ours = _of(clips, ("crema_d",))
    actors = sorted({clip.speaker for clip in ours})
    drawn = [actors[i] for i in np.random.default_rng(0).permutation(len(actors))]
    rounds = []
    for fold in range(FOLDS):
        held_out = set(drawn[fold::FOLDS])
        rest = [actor for actor in drawn if actor not in held_out]
        between = set(rest[: max(1, len(rest) // 10)])
        rounds.append(
            Round(
                str(fold + 1),
                tuple(c for c in ours if c.speaker not in held_out | between),
                tuple(c for c in ours if c.speaker in held_out),
                (),
                "speaker",
                tuple(c for c in ours if c.speaker in between),
            )
        )
    return rounds


def _four(clips: Sequence[Clip]) -> list[Clip]:
    ours = [clip for clip in _of(clips, FOUR_CORPORA) if clip.sex]
    return sorted(ours, key=lambda clip: str(clip.path))


def _of(clips: Sequence[Clip], corpora: Sequence[str]) -> list[Clip]:
    """Return the clips with an emotion of these corpora.

    Raises:
        UndertoneError: ``bad_request`` where one of them is absent: the figures would be of another protocol.
    """
    ours = [clip for clip in clips if clip.corpus in corpora and clip.emotion]
    missing = set(corpora) - {clip.corpus for clip in ours}
    if missing:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"There are no clips of {', '.join(sorted(missing))}.",
            "Give them: --data NAME=DIR, or labels=FILE.csv of all.",
        )
    return ours


_CREMAD = "83 of the 91 actors, unless --data cremad=DIR gives a complete copy."

RECIPE_PROTOCOLS = {
    "ravdess-random": Protocol(
        "RAVDESS, random draws",
        "RAVDESS drawn 8:1:1 over its clips, once for each of five seeds: the actors held out are trained on, too.",
        ravdess_random,
    ),
    "ravdess-speaker": Protocol(
        "RAVDESS by speaker", "Actors 21 to 24 are held out, 19 and 20 are to choose by.", ravdess_speaker
    ),
    "four-corpus-random": Protocol(
        "Four corpora, random draw",
        "TESS, RAVDESS, SAVEE and CREMA-D drawn 8:1:1 over their clips with seed 0: the speakers held out are trained "
        f"on, too. CREMA-D: {_CREMAD}",
        four_corpus_random,
    ),
    "four-corpus-speaker": Protocol(
        "Four corpora by speaker",
        "TESS (two speakers, trained on), RAVDESS, SAVEE and CREMA-D by the `split` column: nobody held out is trained "
        f"on. CREMA-D: {_CREMAD}",
        four_corpus_speaker,
    ),
    "cremad-speaker": Protocol(
        "CREMA-D by speaker",
        f"24 actors are held out, as many as in the published split. {_CREMAD}",
        cremad_speaker,
    ),
    "cremad-5fold-clips": Protocol(
        "CREMA-D, five folds by clip",
        f"A fifth of the clips is held out; their actors are trained on, too. {_CREMAD}",
        cremad_folds_by_clip,
    ),
    "cremad-5fold-speakers": Protocol(
        "CREMA-D, five folds by speaker",
        f"A fifth of the actors is held out. {_CREMAD}",
        cremad_folds_by_speaker,
    ),
    "split": Protocol(
        "The split column", "All clips given, by the `split` column: nobody held out is trained on.", by_split
    ),
}
