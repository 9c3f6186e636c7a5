"""One session of the native protocol: bytes and text in, messages out. The endpoint only carries them.

Every illegal step has its own typed error; after an error or an end, nothing more is taken.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from pydantic import ValidationError

from undertone_service.analysis.channel import Channel, ChannelSettings, Timed
from undertone_service.analysis.verification import Verifier, check_voiceprints
from undertone_service.bundle.bundle import Bundle
from undertone_service.dsp.decoder import Decoder
from undertone_service.engine import Runner
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import PROTOCOL_VERSION, Role, Task
from undertone_service.protocol.messages import (
    CONTROL,
    BundleInfo,
    Close,
    Configure,
    Configured,
    Finalize,
    Finalized,
    Limits,
    Notice,
    Policy,
    ServerMessageBase,
    SessionEnded,
    SessionStarted,
)
from undertone_service.protocol.options import STEP_SECONDS, AudioFormat, StreamOptions, options_error
from undertone_service.store.voices import Gallery, Voiceprint


class Voices(Protocol):
    """The enrolled voices that a session may compare with: those of its tenant, under its bundle."""

    async def voiceprint(self, speaker: str) -> Voiceprint:
        """Return one voice, or raise ``unknown_speaker`` or ``needs_reenrolment``."""

    async def gallery(self) -> Gallery:
        """Return all voices."""


@dataclass(frozen=True)
class SessionRules:
    """What the operator allows: limits, the prior of a claim, and whether emotion is reported whatever the role.

    Otherwise it is reported of customers, and of a mono stream without a role: the speaker himself.
    """

    limits: Limits
    prior: float = 0.5
    emotion_for_all: bool = False


class Session:
    """A session from ``started`` to ``end``."""

    def __init__(
        self,
        session_id: str,
        options: StreamOptions,
        bundle: Bundle,
        runner: Runner,
        voices: Voices,
        rules: SessionRules,
    ) -> None:
        self.id = session_id
        self.options = fitting(options, bundle)
        self.ended = False
        self.bundle = bundle
        self._voices = voices
        self._rules = rules
        self._decoder = Decoder(options)
        self._warnings: Counter[str] = Counter()
        self._started = False
        self._channels = [
            Channel(self._channel_settings(index), bundle, runner) for index in range(options.channels)
        ]

    @property
    def time(self) -> float:
        """Seconds of audio that have been answered."""
        return self._channels[0].time

    async def start(self) -> list[ServerMessageBase]:
        """Look up the claimed voices and greet.

        Raises:
            UndertoneError: ``unknown_speaker`` or ``needs_reenrolment``.
        """
        warnings = await self._configure(self.options)
        self._started = True
        manifest = self.bundle.manifest
        return [
            SessionStarted(
                id=self.id,
                protocol=PROTOCOL_VERSION,
                started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                previous=self.options.previous,
                audio=AudioFormat(**self.options.model_dump(include=set(AudioFormat.model_fields))),
                bundle=BundleInfo(
                    name=manifest.name,
                    digest=manifest.digest,
                    licence=manifest.licence.name,
                    notice=manifest.licence.notice,
                    tasks=manifest.tasks,
                ),
                window=self.options.window,
                hop=self.options.hop,
                limits=self._rules.limits,
                policy=Policy(emotion=tuple(Task.EMOTION in channel.tasks for channel in self._channels)),
            ),
            *warnings,
        ]

    async def receive_audio(self, data: bytes) -> list[ServerMessageBase]:
        """Hear a binary message of any length.

        Raises:
            UndertoneError: ``bad_order`` outside the session, ``bad_audio`` for impossible samples.
        """
        self._check_open()
        samples = self._decoder.push(data)
        timed: list[tuple[int, int, ServerMessageBase]] = []
        for channel in self._channels:
            timed += self._tagged(channel, await channel.push(samples[:, channel.settings.index]))
        return _in_order(timed)

    async def receive_text(self, text: str) -> list[ServerMessageBase]:
        """Take a control message.

        Raises:
            UndertoneError: ``bad_order`` outside the session, ``bad_message`` for what is no control message.
        """
        self._check_open()
        control = _parse(text)
        if isinstance(control, Configure):
            return await self._reconfigure(control)
        if isinstance(control, Finalize):
            timed = [m for c in self._channels for m in self._tagged(c, await c.finalize())]
            return [*_in_order(timed), Finalized(time=self.time)]
        if isinstance(control, Close):
            return await self.end("closed by the client")
        return []

    async def end(self, reason: str) -> list[ServerMessageBase]:
        """Hear what is left, and sum up. Nothing is taken after it."""
        self._check_open()
        self.ended = True
        messages: list[ServerMessageBase] = []
        if self._decoder.pending:
            messages.append(self._partial_sample())
        timed = [m for c in self._channels for m in self._tagged(c, await c.end())]
        speech = sum(channel.speech for channel in self._channels)
        summaries = tuple([await channel.summary(speech) for channel in self._channels])
        ended = SessionEnded(
            id=self.id, reason=reason, duration=self.time, channels=summaries, warnings=dict(self._warnings)
        )
        return [*messages, *_in_order(timed), ended]

    def drop_voice(self, speaker: str) -> list[ServerMessageBase]:
        """Forget an enrolled voice at once: it was deleted or enrolled anew while the session ran."""
        dropped = [c for c in self._channels if c.voice.verifier and c.voice.verifier.speaker == speaker]
        for channel in dropped:
            channel.voice.verifier = None
        return [
            self.warn(
                "speaker_withdrawn",
                "The claimed speaker was deleted or enrolled anew.",
                "Claim again with a configure message.",
                channel.settings.index,
            )
            for channel in dropped
        ]

    def warn(
        self, code: str, problem: str, remedy: str, channel: int | None = None, count: int | None = None
    ) -> Notice:
        """Make a warning, and count it for the summary."""
        self._warnings[code] += count or 1
        return Notice(code=code, problem=problem, remedy=remedy, channel=channel, count=count)

    def _check_open(self) -> None:
        if not self._started:
            raise _bad_order(
                "Nothing can be sent before the session has started.", "Wait for session.started."
            )
        if self.ended:
            raise _bad_order(
                "The session has ended.", "Open a new session that names this one as `previous`."
            )

    def _channel_settings(self, index: int) -> ChannelSettings:
        options = self.options
        role = options.role(index)
        tasks = frozenset(options.tasks)
        himself = options.channels == 1 and not options.roles
        if not (himself or role is Role.CUSTOMER or self._rules.emotion_for_all):
            tasks -= {Task.EMOTION}
        steps = (round(options.window * 10), round(options.hop * 10))
        return ChannelSettings(index, role, options.sample_rate, *steps, tasks, self._rules.prior)

    async def _reconfigure(self, control: Configure) -> list[ServerMessageBase]:
        changes = control.model_dump(exclude={"type"}, exclude_none=True)
        try:
            options = StreamOptions.model_validate(self.options.model_dump() | changes)
        except ValidationError as error:
            raise options_error(error) from None
        warnings = await self._configure(options)
        configured = Configured(tasks=options.tasks, verify=options.verify, identify=options.identify)
        return [configured, *warnings]

    async def _configure(self, options: StreamOptions) -> list[Notice]:
        if options.identify or options.claims():
            check_voiceprints(self.bundle.manifest)
        # Everything is looked up before anything changes: a refusal leaves the session as it was.
        claimed = {i: (s, await self._voices.voiceprint(s)) for i, s in options.claims().items()}
        self.options = options
        gallery: Callable[[], Awaitable[Gallery]] | None = self._voices.gallery if options.identify else None
        warnings = []
        for channel in self._channels:
            index = channel.settings.index
            channel.tasks = self._channel_settings(index).tasks
            channel.voice.gallery = gallery
            speaker, voice = claimed.get(index, (None, None))
            if speaker is None or voice is None:
                channel.voice.verifier = None
            elif channel.voice.verifier is None or channel.voice.verifier.speaker != speaker:
                channel.voice.verifier = Verifier(
                    speaker, voice.vector, self.bundle.manifest, self._rules.prior
                )
                warnings += self._bandwidth_warning(index, voice.bandwidth_hz)
        return warnings

    def _bandwidth_warning(self, channel: int, enrolled_hz: int) -> list[Notice]:
        heard_hz = min(self.options.sample_rate // 2, 8000)
        if (heard_hz <= 4000) == (enrolled_hz <= 4000):
            return []
        problem = f"The voice was enrolled at a bandwidth of {enrolled_hz} Hz, this stream has {heard_hz} Hz."
        remedy = "Enrol a recording of the same kind of line for the best verification."
        return [self.warn("bandwidth_differs", problem, remedy, channel)]

    def _partial_sample(self) -> Notice:
        problem = f"{self._decoder.pending} byte(s) of an incomplete sample were left over at the end."
        return self.warn("partial_sample", problem, "Send whole samples of all channels.")

    def _tagged(self, channel: Channel, timed: list[Timed]) -> list[tuple[int, int, ServerMessageBase]]:
        for _, message in timed:
            if isinstance(message, Notice):
                self._warnings[message.code] += 1
        return [(step, channel.settings.index, message) for step, message in timed]


def fitting(options: StreamOptions, bundle: Bundle) -> StreamOptions:
    """Return the options with the window that the bundle has, where it has but one.

    Raises:
        UndertoneError: ``bad_request`` where another window was asked for, or a longer hop.
    """
    if bundle.fixed_window is None:
        return options
    window = bundle.fixed_window * STEP_SECONDS
    wanted = options.window if "window" in options.model_fields_set else window
    if abs(wanted - window) > 1e-6 or options.hop > window + 1e-6:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"window, hop: {wanted:g} s, {options.hop:g} s. The bundle {bundle.manifest.name!r} hears windows of "
            f"{window:g} s, no others.",
            "Leave the window out, and ask for a hop no longer than it.",
        )
    return options.model_copy(update={"window": window})


def _in_order(timed: list[tuple[int, int, ServerMessageBase]]) -> list[ServerMessageBase]:
    """Order by step, then channel: the same however the audio was cut."""
    return [message for _, _, message in sorted(timed, key=lambda entry: entry[:2])]


def _parse(text: str) -> object:
    try:
        return CONTROL.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        problem = f"{where}: {first['msg']}." if where else f"{first['msg']}."
        remedy = 'Send JSON with "type": configure, finalize, keepalive or close.'
        raise UndertoneError(ErrorCode.BAD_MESSAGE, problem, remedy) from None


def _bad_order(problem: str, remedy: str) -> UndertoneError:
    return UndertoneError(ErrorCode.BAD_ORDER, problem, remedy)
