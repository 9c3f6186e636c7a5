"""One channel: samples in, messages out. Reads like the picture in ARCHITECTURE.md, and knows nothing of sockets."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.estimates import emotion, estimate
from undertone_service.analysis.sums import Contribution, SpeechSum, Thirds, Window
from undertone_service.analysis.verification import Verifier, identify, same_voice
from undertone_service.bundle.streaming import Bundle, Outputs
from undertone_service.dsp import FRAME_SAMPLES, SAMPLE_RATE
from undertone_service.dsp.resample import Resampler
from undertone_service.dsp.speech import ActiveStep, HeardStep, SpeechDetector
from undertone_service.engine import Lane, Runner
from undertone_service.protocol.labels import Role, Task
from undertone_service.protocol.messages import (
    ChannelMessageBase,
    ChannelSummary,
    Emotion,
    Identity,
    Result,
    Speaker,
    SpeakerChanged,
    SpeechEnded,
    SpeechStarted,
    UtteranceResult,
)
from undertone_service.protocol.options import STEP_SECONDS
from undertone_service.store.voices import Gallery

_FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
_CONFIRM_SECONDS = 0.2  # net speech that makes an utterance of what VAD and gate let through
_CHANGE_LOOKS = 3  # hops in a row at which the recent voice must differ from the earlier one
_CHANGE_SPEECH = 1.5  # net seconds that both must have

Timed = tuple[int, ChannelMessageBase]
"""A message, and the step at whose end it was due."""


@dataclass(frozen=True)
class ChannelSettings:
    """What a channel is asked to do. ``window`` and ``hop`` in steps of 100 ms, ``prior`` of a claim being true."""

    index: int
    role: Role
    sample_rate: int
    window: int
    hop: int
    tasks: frozenset[Task]
    prior: float = 0.5


@dataclass(slots=True)
class _Utterance:
    start: int
    total: SpeechSum
    confirmed: bool = False


@dataclass(slots=True)
class _Voice:
    """The voice on the channel: all of it since it last changed, and the part that has left the window."""

    total: SpeechSum
    past: SpeechSum
    differing: int = 0
    changes: int = field(default=0)


class Channel:
    """Hears one track. ``gallery`` is asked at each result when voices are to be identified."""

    def __init__(
        self,
        settings: ChannelSettings,
        bundle: Bundle,
        runner: Runner,
        verifier: Verifier | None = None,
        gallery: Callable[[], Awaitable[Gallery]] | None = None,
    ) -> None:
        self.settings = settings
        self.tasks = settings.tasks
        self.verifier = verifier
        self.gallery = gallery
        self._bundle = bundle
        self._runner = runner
        self._resampler = Resampler(settings.sample_rate, SAMPLE_RATE)
        self._detector = SpeechDetector()
        self._lane = Lane(bundle)
        size = bundle.manifest.statistics_size
        self._window = Window(settings.window)
        self._total = SpeechSum(size)
        self._voice = _Voice(SpeechSum(size), SpeechSum(size))
        self._emotions, width = _pool(bundle, "emotion")
        self._thirds = Thirds(width)
        self._utterance: _Utterance | None = None

    @property
    def time(self) -> float:
        """Seconds of audio that have been answered."""
        return _seconds(self._detector.index)

    @property
    def speech(self) -> float:
        """Net seconds of speech so far."""
        return self._total.speech

    async def push(self, samples: NDArray[np.float32]) -> list[Timed]:
        """Hear f32[n] at the channel's own rate; return what there is to say."""
        return await self._hear_all(self._detector.push(self._resampler.push(samples)))

    async def finalize(self) -> list[Timed]:
        """End the open utterance now."""
        last = self._detector.end_utterance()
        return [] if last is None else await self._end_utterance(self._detector.index, last)

    async def end(self) -> list[Timed]:
        """Hear what the filters hold back, and end the open utterance. Nothing can be pushed after it."""
        rest = self._detector.push(self._resampler.flush()) + self._detector.flush()
        return [*await self._hear_all(rest), *await self.finalize()]

    async def summary(self, all_speech: float) -> ChannelSummary:
        """Sum up; ``all_speech`` is the net speech of all channels of the session, in seconds."""
        outputs = await self._answer(self._total)
        answers = estimate(self._bundle.manifest, outputs, self._total.speech, self.tasks)
        speaker, identity = await self._who()
        return ChannelSummary(
            channel=self.settings.index,
            role=self.settings.role,
            emotion=answers.emotion,
            gender=answers.gender,
            age=answers.age,
            speaker=speaker,
            identity=identity,
            speech=round(self._total.speech, 2),
            talk_share=round(self._total.speech / all_speech, 4) if all_speech else 0.0,
            emotion_thirds=await self._emotion_thirds(),
            speaker_changes=self._voice.changes,
        )

    async def _hear_all(self, steps: list[HeardStep]) -> list[Timed]:
        messages: list[Timed] = []
        for step in steps:
            messages += await self._hear(step)
        return messages

    async def _hear(self, heard: HeardStep) -> list[Timed]:
        messages: list[Timed] = []
        for step in heard.active:
            messages += await self._encode(heard, step)
        for gone in self._window.expire(heard.index + 1):
            self._voice.past.add(gone.statistics, gone.speech)
        if heard.ended is not None:
            messages += await self._end_utterance(heard.index, heard.ended)
        if (heard.index + 1) % self.settings.hop == 0:
            messages += await self._result(heard)
        return messages

    async def _encode(self, heard: HeardStep, step: ActiveStep) -> list[Timed]:
        statistics = await self._runner.encode(self._lane, step)
        if step.first or self._utterance is None:
            self._utterance = _Utterance(step.index, SpeechSum(self._bundle.manifest.statistics_size))
        frames = float(step.mask.sum())
        if statistics[-1] < self._bundle.manifest.speech_share * frames:
            return []  # VAD and gate let it through, the encoder does not call it speech
        contribution = Contribution(step.index, statistics, frames * _FRAME_SECONDS, heard.level)
        self._add(contribution)
        return self._confirm(heard.index, self._utterance)

    def _add(self, contribution: Contribution) -> None:
        assert self._utterance is not None
        for total in (self._utterance.total, self._total, self._voice.total):
            total.add(contribution.statistics, contribution.speech)
        self._window.add(contribution)
        self._thirds.add(contribution.index, contribution.statistics[self._emotions], contribution.speech)

    def _confirm(self, index: int, utterance: _Utterance) -> list[Timed]:
        if utterance.confirmed or utterance.total.speech < _CONFIRM_SECONDS - 1e-9:
            return []
        utterance.confirmed = True
        return [
            (
                index,
                SpeechStarted(
                    channel=self.settings.index, role=self.settings.role, time=_seconds(utterance.start)
                ),
            )
        ]

    async def _end_utterance(self, index: int, last: int) -> list[Timed]:
        utterance, self._utterance = self._utterance, None
        if utterance is None or not utterance.confirmed:
            return []
        end, speech = _seconds(last + 1), round(utterance.total.speech, 2)
        answers = estimate(
            self._bundle.manifest, await self._answer(utterance.total), utterance.total.speech, self.tasks
        )
        speaker, identity = await self._who()
        result = UtteranceResult(
            channel=self.settings.index,
            role=self.settings.role,
            emotion=answers.emotion,
            gender=answers.gender,
            age=answers.age,
            speaker=speaker,
            identity=identity,
            start=_seconds(utterance.start),
            end=end,
            speech=speech,
        )
        return [
            (
                index,
                SpeechEnded(channel=self.settings.index, role=self.settings.role, time=end, speech=speech),
            ),
            (index, result),
        ]

    async def _result(self, heard: HeardStep) -> list[Timed]:
        window = self._window.total(self._bundle.manifest.statistics_size)
        outputs = await self._answer(window)
        changed = await self._changed(heard.index, window, outputs)
        speaker, identity = await self._who()
        answers = estimate(self._bundle.manifest, outputs, window.speech, self.tasks)
        result = Result(
            channel=self.settings.index,
            role=self.settings.role,
            emotion=answers.emotion,
            gender=answers.gender,
            age=answers.age,
            speaker=speaker,
            identity=identity,
            start=_seconds(max(0, heard.index + 1 - self.settings.window)),
            end=_seconds(heard.index + 1),
            speech=round(window.speech, 2),
            vad=heard.vad,
            gate_open=heard.gate_open,
            level_db=_decibels(heard.level),
            snr_db=self._snr(),
        )
        return [*changed, (heard.index, result)]

    async def _changed(self, index: int, window: SpeechSum, outputs: Outputs | None) -> list[Timed]:
        """Compare the window with what came before it; after a change the voice begins anew."""
        voice = self._voice
        speech = min(window.speech, voice.past.speech)
        if Task.SPEAKER not in self.tasks or outputs is None or speech < _CHANGE_SPEECH:
            return []
        before = (await self._runner.answer(self._bundle, voice.past.statistics[None]))[0]
        score, same = same_voice(outputs.voiceprint, before.voiceprint, speech, self._bundle.manifest)
        voice.differing = 0 if same else voice.differing + 1
        if voice.differing < _CHANGE_LOOKS:
            return []
        self._voice = _Voice(window, SpeechSum(window.size), changes=voice.changes + 1)
        if self.verifier:
            self.verifier.restart()
        changed = SpeakerChanged(
            channel=self.settings.index,
            role=self.settings.role,
            time=_seconds(index + 1),
            score=round(score, 4),
        )
        return [(index, changed)]

    async def _who(self) -> tuple[Speaker | None, Identity | None]:
        """Verify and identify the voice on the channel, where asked for and enough has been heard."""
        manifest, speech = self._bundle.manifest, self._voice.total.speech
        if Task.SPEAKER not in self.tasks or speech < manifest.minimum_speech.voiceprint:
            return None, None
        if self.verifier is None and self.gallery is None:
            return None, None
        outputs = await self._answer(self._voice.total)
        assert outputs is not None
        speaker = self.verifier.look(outputs.voiceprint, speech) if self.verifier else None
        if self.gallery is None:
            return speaker, None
        found = identify(await self.gallery(), outputs.voiceprint, speech, manifest, self.settings.prior)
        return speaker, found

    async def _answer(self, total: SpeechSum) -> Outputs | None:
        if not total.speech:
            return None
        return (await self._runner.answer(self._bundle, total.statistics[None]))[0]

    async def _emotion_thirds(self) -> tuple[Emotion | None, ...]:
        if Task.EMOTION not in self.tasks:
            return ()
        if not self._total.speech:
            return (None, None, None)
        thirds = self._thirds.thirds(self._detector.index)
        # The other pools are those of the whole session, and an empty third too: no head ever sees sums of nothing.
        rows = np.tile(self._total.statistics, (3, 1))
        for row, third in zip(rows, thirds, strict=True):
            if third.speech:
                row[self._emotions] = third.statistics
        outputs = await self._runner.answer(self._bundle, rows)
        enough = self._bundle.manifest.minimum_speech.emotion
        return tuple(
            emotion(self._bundle.manifest, output) if third.speech and third.speech >= enough else None
            for third, output in zip(thirds, outputs, strict=True)
        )

    def _snr(self) -> float | None:
        floor, level = self._detector.noise_floor, self._window.level
        return round(_decibels(level) - _decibels(floor), 1) if floor and level else None


def _pool(bundle: Bundle, name: str) -> tuple[slice, int]:
    """Return where a pool lies in the statistics, and how many floats it takes."""
    start = 0
    for pool, size in bundle.manifest.pools.items():
        if pool == name:
            return slice(start, start + 1 + 2 * size), 1 + 2 * size
        start += 1 + 2 * size
    return slice(0, 0), 0


def _seconds(steps: int) -> float:
    return round(steps * STEP_SECONDS, 1)


def _decibels(level: float) -> float:
    return round(20 * math.log10(max(level, 1e-6)), 1)
