"""Trial lists made from speaker ids: which voices are compared with which, the same on every machine."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_models.data.audio import UnreadableAudio, load_audio
from undertone_models.data.clips import Clip
from undertone_models.data.trials import CUT_SECONDS, Trial
from undertone_service.dsp import FRAME_SAMPLES, SAMPLE_RATE
from undertone_service.dsp.vad import WebRtcVad

SEED = 0
ENROLLED_CLIPS = 2
PROBES = 3
IMPOSTORS = 10
IMPOSTORS_OF_THE_SAME_SEX = 8
FRAMES_PER_SECOND = SAMPLE_RATE // FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class Speech:
    """How much speech a clip holds: ``net`` in seconds, and ``cuts`` as in ``Trial``."""

    net: float
    cuts: dict[int, int | None]


def measure_speech(samples: NDArray[np.float32]) -> Speech:
    """Count the speech in float32 [samples] at 16 kHz: WebRTC VAD, mode 2, frames of 20 ms."""
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    heard = np.flatnonzero(WebRtcVad(mode=2).push(whole.reshape(-1, FRAME_SAMPLES)))
    cuts: dict[int, int | None] = dict.fromkeys(CUT_SECONDS)
    for seconds in CUT_SECONDS:
        if len(heard) >= seconds * FRAMES_PER_SECOND:
            cuts[seconds] = (int(heard[seconds * FRAMES_PER_SECOND - 1]) + 1) * FRAME_SAMPLES
    return Speech(len(heard) / FRAMES_PER_SECOND, cuts)


def make_trials(clips: Iterable[Clip]) -> list[Trial]:
    """Draw same-session and cross-session trials among these clips, corpus by corpus.

    Two clips of a session are enrolled; most impostors share the sex of the probe's speaker. Left out are
    emotional clips, clips of unknown speakers, and clips that cannot be read or hold no speech.
    """
    by_corpus: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in sorted(clips, key=lambda clip: str(clip.path)):
        if clip.speaker and clip.emotion in (None, "neutral"):
            by_corpus[clip.corpus][clip.speaker].append(clip)
    trials: list[Trial] = []
    for corpus, speakers in sorted(by_corpus.items()):
        for condition, voice_of in (("same-session", _same_session), ("cross-session", _cross_session)):
            random = Random(f"{SEED} {corpus} {condition}")
            drawn = [
                voice_of(speakers[speaker], random)
                for speaker in track(sorted(speakers), f"{corpus} {condition}", transient=True)
            ]
            voices = [voice for voice in drawn if voice is not None]
            trials += _compare(voices, corpus, condition, random)
    return trials


@dataclass(frozen=True, slots=True)
class _Voice:
    """A speaker as enrolled, and the clips to compare with this voice and with others."""

    sex: str | None
    enrolled: tuple[Path, ...]
    probes: list[tuple[Path, Speech]]


def _same_session(clips: list[Clip], random: Random) -> _Voice | None:
    """Enrol and probe in one session; a corpus that names no sessions counts as one a speaker."""
    for session in _sessions(clips, random):
        found = list(islice(_with_speech(session), ENROLLED_CLIPS + PROBES))
        if len(found) > ENROLLED_CLIPS:
            return _voice(clips, found[:ENROLLED_CLIPS], found[ENROLLED_CLIPS:])
    return None


def _cross_session(clips: list[Clip], random: Random) -> _Voice | None:
    """Enrol in one session and probe in others; None where fewer than two are known."""
    sessions = _sessions([clip for clip in clips if clip.session is not None], random)
    for number, session in enumerate(sessions):
        enrolled = list(islice(_with_speech(session), ENROLLED_CLIPS))
        if len(enrolled) == ENROLLED_CLIPS:
            others = list(chain.from_iterable(sessions[:number] + sessions[number + 1 :]))
            probes = list(islice(_with_speech(others), PROBES))
            return _voice(clips, enrolled, probes) if probes else None
    return None


def _sessions(clips: list[Clip], random: Random) -> list[list[Clip]]:
    """Return a speaker's clips by session, both in random order."""
    by_session: dict[str | None, list[Clip]] = defaultdict(list)
    for clip in random.sample(clips, len(clips)):
        by_session[clip.session].append(clip)
    return list(by_session.values())


def _with_speech(clips: Iterable[Clip]) -> Iterator[tuple[Path, Speech]]:
    """Read clips until no more are asked for; yield those in which speech is found."""
    for clip in clips:
        try:
            speech = measure_speech(load_audio(clip.path))
        except UnreadableAudio:
            continue
        if speech.net > 0:
            yield clip.path, speech


def _voice(
    clips: list[Clip], enrolled: list[tuple[Path, Speech]], probes: list[tuple[Path, Speech]]
) -> _Voice:
    return _Voice(clips[0].sex, tuple(path for path, _ in enrolled), probes)


def _compare(voices: list[_Voice], corpus: str, condition: str, random: Random) -> Iterator[Trial]:
    """Compare every probe with its own voice and with impostors' voices."""
    for voice in voices:
        for path, speech in voice.probes:
            for claimed in [voice, *_impostors(voice, voices, random)]:
                target = claimed is voice
                yield Trial(claimed.enrolled, path, target, condition, corpus, speech.net, speech.cuts)


def _impostors(voice: _Voice, voices: list[_Voice], random: Random) -> list[_Voice]:
    others = [other for other in voices if other is not voice]
    alike = [other for other in others if other.sex == voice.sex]
    chosen = random.sample(alike, min(IMPOSTORS_OF_THE_SAME_SEX, len(alike)))
    rest = [other for other in others if all(other is not one for one in chosen)]
    return chosen + random.sample(rest, min(IMPOSTORS - len(chosen), len(rest)))
