"""Messages as lines that a person reads."""

from undertone_service.protocol.messages import (
    Age,
    AnyServerMessage,
    ChannelMessageBase,
    ChannelSummary,
    Configured,
    Emotion,
    Error,
    Estimate,
    Finalized,
    Identity,
    Notice,
    Result,
    SessionEnded,
    SessionStarted,
    Speaker,
    SpeakerChanged,
    SpeechEnded,
    SpeechStarted,
    UtteranceResult,
)

_INDENT = "  "


def clock(seconds: float) -> str:
    """Write audio time: ``clock(83.25) == "1:23.2"``."""
    tenths = int(seconds * 10 + 1e-6)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def line(message: AnyServerMessage) -> str:
    """Write one message as one line; the session's end as several."""
    match message:
        case SessionStarted():
            bundle = f"{message.bundle.name}, {message.bundle.licence}"
            return f"session {message.id}: {bundle}; a result on {message.window:g} s every {message.hop:g} s"
        case SpeechStarted():
            return f"{_place(message, message.time)}  speech started"
        case SpeechEnded():
            return f"{_place(message, message.time)}  speech ended   {message.speech:.1f} s of it"
        case SpeakerChanged():
            return f"{_place(message, message.time)}  speaker changed (score {message.score:.2f})"
        case Result() | UtteranceResult():
            stretch = (
                f"{message.type:9} of {message.end - message.start:4.1f} s, speech {message.speech:4.1f} s"
            )
            return f"{_place(message, message.end)}  {stretch}  {_answers(message)}"
        case Notice():
            count = f" ({message.count} times)" if message.count else ""
            return f"warning {message.code}{count}: {message.problem} {message.remedy}"
        case Error():
            return f"error {message.code}: {message.problem} {message.remedy}"
        case Configured():
            return f"configured: {', '.join(message.tasks)}"
        case Finalized():
            return f"{clock(message.time):>8}  finalized"
        case SessionEnded():
            return "\n".join(summary(message))


def summary(ended: SessionEnded) -> list[str]:
    """Write a session's summary: one line on the whole, then one for each channel and for the warnings."""
    lines = [f"session {ended.id} ended ({ended.reason}) after {clock(ended.duration)}"]
    lines += [_INDENT + text for channel in ended.channels for text in channel_summary(channel)]
    if ended.warnings:
        counted = ", ".join(f"{code} {count}" for code, count in sorted(ended.warnings.items()))
        lines.append(f"{_INDENT}warnings: {counted}")
    return lines


def channel_summary(channel: ChannelSummary) -> list[str]:
    """Write what was found on one channel."""
    head = f"channel {channel.channel} ({channel.role}): speech {channel.speech:.1f} s"
    lines = [f"{head}, {channel.talk_share:.0%} of the talk  {_answers(channel)}"]
    if any(channel.emotion_thirds):
        thirds = " → ".join(_emotion(third) or "–" for third in channel.emotion_thirds)
        lines.append(f"{_INDENT}emotion over thirds: {thirds}")
    if channel.speaker_changes:
        lines.append(f"{_INDENT}the speaker changed {channel.speaker_changes} time(s)")
    return lines


def age(found: Age) -> str:
    """Write an age: ``34 years (27–42)``, or the band where the model knows no years."""
    if found.years is None:
        return found.band
    interval = "" if found.low is None or found.high is None else f" ({found.low:.0f}–{found.high:.0f})"
    return f"{found.years:.0f} years{interval}"


def speaker(found: Speaker) -> str:
    """Write the state of a verification."""
    evidence = f"{found.probability:.0%}, score {found.score:.2f}, {found.speech:.1f} s"
    return f"{found.id}: {found.decision} ({evidence})"


def identity(found: Identity) -> str:
    """Write who was recognised, if anyone."""
    if found.best is None:
        return "none of the enrolled voices"
    return f"sounds like {found.best.name or found.best.id} ({found.best.probability:.0%})"


def _emotion(found: Emotion | None) -> str:
    return f"{found.label} {found.confidence:.0%}" if found else ""


def _answers(found: Estimate) -> str:
    parts = [_emotion(found.emotion)]
    if found.gender:
        parts.append(f"{found.gender.label} {found.gender.confidence:.0%}")
    if found.age:
        parts.append(age(found.age))
    if found.speaker:
        parts.append(speaker(found.speaker))
    if found.identity:
        parts.append(identity(found.identity))
    return ", ".join(part for part in parts if part) or "too little speech to tell"


def _place(message: ChannelMessageBase, time: float) -> str:
    return f"{clock(time):>8}  {message.channel} {message.role:8}"
