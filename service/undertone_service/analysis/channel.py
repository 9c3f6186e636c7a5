"""One channel: samples in, messages out. Reads like the picture in ARCHITECTURE.md, and knows nothing of sockets."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.analysis.estimates import emotion, estimate, noise_silences, too_noisy
from undertone_service.analysis.hearing import hearing
from undertone_service.analysis.loudness import Loudness, decibels, signal_to_noise
from undertone_service.analysis.sums import Contribution, SpeechSum, Thirds, Window
from undertone_service.analysis.voice import VoiceTrack
from undertone_service.bundle.bundle import Bundle, Outputs
from undertone_service.dsp import SAMPLE_RATE, STEP_SAMPLES
from undertone_service.dsp.resample import Resampler
from undertone_service.dsp.speech import ActiveStep, HeardStep, SpeechDetector
from undertone_service.engine import Runner
from undertone_service.protocol.labels import Role, Task
from undertone_service.protocol.messages import (
    ChannelSummary,
    Emotion,
    Notice,
    Result,
    ServerMessageBase,
    SpeakerChanged,
    SpeechEnded,
    SpeechStarted,
    UtteranceResult,
)
from undertone_service.protocol.options import STEP_SECONDS

Timed = tuple[int, ServerMessageBase]
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
    loudness: Loudness = field(default_factory=Loudness)
    started: bool = False
    told_noisy: bool = False


class Channel:
    """Hears one track. What is claimed of its voice, and what it is searched in, is set on ``voice``."""

    def __init__(self, settings: ChannelSettings, bundle: Bundle, runner: Runner) -> None:
        self.settings = settings
        self.tasks = settings.tasks
        self.voice = VoiceTrack(bundle.manifest, bundle.statistics_size, settings.prior)
        self._bundle = bundle
        self._runner = runner
        self._resampler = Resampler(settings.sample_rate, SAMPLE_RATE)
        self._detector = SpeechDetector()
        self._hearing = hearing(bundle, runner)
        self._confirmation = SpeechConfirmation(bundle.manifest)
        self._window = Window(settings.window)
        self._total = SpeechSum(bundle.statistics_size)
        self._loudness = Loudness()
        self._emotions = bundle.emotion_part()
        self._thirds = Thirds(self._emotions.stop - self._emotions.start)
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
        return await self._hear_all(self._resampler.push(samples))

    async def finalize(self) -> list[Timed]:
        """End the open utterance now."""
        last = self._detector.end_utterance()
        return [] if last is None else await self._end_utterance(self._detector.index, last)

    async def end(self) -> list[Timed]:
        """Hear what the filters hold back, and end the open utterance. Nothing can be pushed after it."""
        messages = await self._hear_all(self._resampler.flush())
        for step in self._detector.flush():
            messages += await self._hear(step)
        return [*messages, *await self.finalize()]

    async def summary(self, all_speech: float) -> ChannelSummary:
        """Sum up; ``all_speech`` is the net speech of all channels of the session, in seconds."""
        outputs, claimed = await self._answers(self._total, self._claimed())
        answers = estimate(
            self._bundle.manifest, outputs, self._total.speech, self.tasks, self._loudness.snr_db
        )
        speaker, identity = await self.voice.who(_voiceprint(claimed))
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
            speaker_changes=self.voice.changes,
        )

    async def _hear_all(self, samples: NDArray[np.float32]) -> list[Timed]:
        messages: list[Timed] = []
        # Step by step, so that the noise floor is that of the step, however much audio came at once.
        for start in range(0, len(samples), STEP_SAMPLES):
            part = samples[start : start + STEP_SAMPLES]
            self._hearing.pass_by(part)
            for step in self._detector.push(part):
                messages += await self._hear(step)
        return messages

    async def _hear(self, heard: HeardStep) -> list[Timed]:
        messages: list[Timed] = []
        for step in heard.active:
            messages += await self._encode(heard, step)
        for gone in self._window.expire(heard.index + 1):
            self.voice.leave(gone)
        if heard.ended is not None:
            messages += await self._end_utterance(heard.index, heard.ended)
        if (heard.index + 1) % self.settings.hop == 0:
            messages += await self._result(heard)
        return messages

    async def _encode(self, heard: HeardStep, step: ActiveStep) -> list[Timed]:
        statistics = await self._hearing.encode(step)
        if step.first or self._utterance is None:
            self._utterance = _Utterance(step.index, SpeechSum(self._bundle.statistics_size))
        for counted in self._confirmation.push(step, statistics, heard.level):
            self._add(counted)
        if self._utterance.started or not self._confirmation.confirmed:
            return []
        self._utterance.started = True
        start = _seconds(self._utterance.start)
        return [
            (heard.index, SpeechStarted(channel=self.settings.index, role=self.settings.role, time=start))
        ]

    def _add(self, contribution: Contribution) -> None:
        assert self._utterance is not None
        wide = contribution.statistics.astype(np.float64)  # once, and not in each of the additions
        for total in (self._utterance.total, self._total, self.voice.total):
            total.add(wide, contribution.speech)
        for loudness in (self._utterance.loudness, self._loudness):
            loudness.add(contribution.level, self._detector.noise_floor, contribution.speech)
        self._window.add(contribution)
        self._thirds.add(contribution.index, wide[self._emotions], contribution.speech)

    async def _look(self, utterance: _Utterance | None) -> SpeechSum | None:
        """Hear the window anew, where the bundle has to; return what it holds, None where steps have said it all."""
        end = self._detector.index
        statistics = await self._hearing.look(end, self._window.speech)
        if statistics is None:
            return None
        for total in (self._total, self.voice.total, *([utterance.total] if utterance else [])):
            total.add(statistics, 0.0)
        window = SpeechSum(self._bundle.statistics_size)
        window.add(statistics, self._window.speech)
        self._window.add(Contribution(end - 1, statistics.astype(np.float32), 0.0, 0.0))
        self._thirds.add(end - 1, statistics[self._emotions], 0.0)
        return window

    async def _end_utterance(self, index: int, last: int) -> list[Timed]:
        utterance, self._utterance = self._utterance, None
        if utterance is None or not utterance.started:
            return []
        if not self._bundle.answerable(utterance.total.statistics):
            await self._look(utterance)  # it was shorter than a hop
        end, speech = _seconds(last + 1), round(utterance.total.speech, 2)
        outputs, claimed = await self._answers(utterance.total, self._claimed())
        snr_db = utterance.loudness.snr_db
        answers = estimate(self._bundle.manifest, outputs, utterance.total.speech, self.tasks, snr_db)
        speaker, identity = await self.voice.who(_voiceprint(claimed))
        channel, role = self.settings.index, self.settings.role
        ended = SpeechEnded(channel=channel, role=role, time=end, speech=speech)
        result = UtteranceResult(
            channel=channel,
            role=role,
            emotion=answers.emotion,
            gender=answers.gender,
            age=answers.age,
            speaker=speaker,
            identity=identity,
            start=_seconds(utterance.start),
            end=end,
            speech=speech,
        )
        return [(index, ended), (index, result)]

    async def _result(self, heard: HeardStep) -> list[Timed]:
        window = await self._look(self._utterance) or self._window.total(self._bundle.statistics_size)
        earlier = self.voice.earlier(window) if Task.SPEAKER in self.tasks else None
        outputs, before, claimed = await self._answers(window, earlier, self._claimed())
        changed: list[Timed] = []
        if outputs and before:
            score = self.voice.changed(window, outputs.voiceprint, before.voiceprint)
            if score is not None:
                changed = [self._speaker_changed(heard.index, score)]
                claimed = outputs if self._claimed() else None
        speaker, identity = await self.voice.who(_voiceprint(claimed))
        snr_db = signal_to_noise(self._window.level, self._detector.noise_floor)
        answers = estimate(self._bundle.manifest, outputs, window.speech, self.tasks, snr_db)
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
            level_db=decibels(heard.level),
            snr_db=snr_db,
        )
        return [*changed, *self._noisy(heard.index, snr_db), (heard.index, result)]

    def _noisy(self, index: int, snr_db: float | None) -> list[Timed]:
        """Say, once an utterance, why there are no answers."""
        utterance = self._utterance
        if utterance is None or not utterance.started or utterance.told_noisy:
            return []
        if not noise_silences(self._bundle.manifest, self.tasks, snr_db):
            return []
        utterance.told_noisy = True
        problem = f"The voice stands only {snr_db} dB above the noise: too little for answers that can be relied on."
        remedy = "Speak closer to the microphone, or where it is quieter."
        return [
            (index, Notice(code="too_noisy", problem=problem, remedy=remedy, channel=self.settings.index))
        ]

    def _speaker_changed(self, index: int, score: float) -> Timed:
        changed = SpeakerChanged(
            channel=self.settings.index,
            role=self.settings.role,
            time=_seconds(index + 1),
            score=round(score, 4),
        )
        return index, changed

    def _claimed(self) -> SpeechSum | None:
        return self.voice.claimed() if Task.SPEAKER in self.tasks else None

    async def _answers(self, *totals: SpeechSum | None) -> list[Outputs | None]:
        """Return the outputs over each sum, in one batch; None for one that is absent or without speech."""
        known = [total is not None and self._bundle.answerable(total.statistics) for total in totals]
        rows = [total.statistics for total, some in zip(totals, known, strict=True) if total and some]
        outputs = iter(await self._runner.answer(self._bundle, np.stack(rows)) if rows else ())
        return [next(outputs) if some else None for some in known]

    async def _emotion_thirds(self) -> tuple[Emotion | None, ...]:
        if Task.EMOTION not in self.tasks or Task.EMOTION not in self._bundle.manifest.tasks:
            return ()
        if not self._total.speech or too_noisy(
            self._loudness.snr_db, self._bundle.manifest.minimum_snr.emotion
        ):
            return (None, None, None)
        thirds = self._thirds.thirds(self._detector.index)
        # The other pools are those of the whole session, and an empty third too: no head ever sees sums of nothing.
        rows = np.tile(self._total.statistics, (3, 1))
        for row, third in zip(rows, thirds, strict=True):
            if third.statistics[0]:  # the weight of what was added
                row[self._emotions] = third.statistics
        outputs = await self._runner.answer(self._bundle, rows)
        enough = self._bundle.manifest.minimum_speech.emotion
        return tuple(
            emotion(self._bundle.manifest, output, third.speech)
            if third.statistics[0] and third.speech >= enough
            else None
            for third, output in zip(thirds, outputs, strict=True)
        )


def _voiceprint(outputs: Outputs | None) -> NDArray[np.float32] | None:
    return outputs.voiceprint if outputs else None


def _seconds(steps: int) -> float:
    return round(steps * STEP_SECONDS, 1)
