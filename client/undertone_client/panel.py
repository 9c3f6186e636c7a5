"""The live picture of one microphone session, for a terminal."""

import numpy as np
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from undertone_client import lines
from undertone_service.protocol.labels import Decision
from undertone_service.protocol.messages import (
    AnyServerMessage,
    Estimate,
    Notice,
    Result,
    SessionEnded,
    SessionStarted,
    SpeakerChanged,
    SpeechEnded,
    SpeechStarted,
)

_BAR = 30
_FLOOR_DB = -60.0
_DECISION_STYLES = {
    Decision.UNDECIDED: "yellow",
    Decision.ACCEPTED: "bold green",
    Decision.REJECTED: "bold red",
}


def bar(part: float) -> str:
    """Draw a part, 0 to 1, as a bar of fixed width."""
    filled = round(min(max(part, 0.0), 1.0) * _BAR)
    return "█" * filled + "░" * (_BAR - filled)


def level_db(block: bytes) -> float:
    """Return the level of an s16le block in dB of full scale, -120 for silence."""
    samples = np.frombuffer(block, "<i2").astype(np.float64) / 32768.0
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    return 10 * float(np.log10(max(power, 1e-12)))


class LivePanel:
    """Takes messages and blocks of audio, and draws what they last said."""

    def __init__(self) -> None:
        self._status = "connecting"
        self._speaking = False
        self._level = -120.0
        self._lag_ms = 0.0
        self._latest = Estimate()
        self._note = ""
        self._lost = 0

    def heard(self, block: bytes, lost: int) -> None:
        """Take a block on its way out, and how many have been lost so far."""
        self._level, self._lost = level_db(block), lost

    def waiting(self, reason: str, seconds: float) -> None:
        """Tell of a drop and of the seconds until the next attempt."""
        self._status, self._speaking = f"{reason} Connecting again in {seconds:.1f} s", False

    def show(self, message: AnyServerMessage) -> None:
        """Take a message of the server."""
        match message:
            case SessionStarted():
                self._status = f"session {message.id}, model {message.bundle.name} ({message.bundle.licence})"
            case SpeechStarted():
                self._speaking = True
            case SpeechEnded():
                self._speaking = False
            case Result():
                self._latest, self._lag_ms = message, message.lag_ms
            case SpeakerChanged() | Notice():
                self._note = lines.line(message).strip()
            case SessionEnded():
                self._status, self._speaking = f"session ended ({message.reason})", False

    def __rich__(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", style="dim")
        table.add_column()
        level = bar(1 - self._level / _FLOOR_DB)
        table.add_row(
            "level", Text(f"{level} {max(self._level, -99):4.0f} dB", "green" if self._speaking else "")
        )
        table.add_row(
            "speech", Text("● speaking", "bold green") if self._speaking else Text("○ silent", "dim")
        )
        self._add_answers(table)
        table.add_row("lag", f"{self._lag_ms:.0f} ms")
        if self._lost:
            table.add_row("lost", Text(f"{self._lost} blocks of the microphone", "red"))
        footer = Text(self._note, "yellow")
        return Panel(Group(table, footer), title="undertone", subtitle=Text(self._status), width=78)

    def _add_answers(self, table: Table) -> None:
        found = self._latest
        if found.emotion:
            for label, score in found.emotion.scores.items():
                style = "bold cyan" if label == found.emotion.label else "cyan"
                table.add_row(Text(label), Text(f"{bar(score)} {score:4.0%}", style))
        else:
            table.add_row("emotion", "–")
        gender = f"{found.gender.label} {found.gender.confidence:.0%}" if found.gender else "–"
        table.add_row("gender", Text(gender))
        table.add_row("age", Text(lines.age(found.age) if found.age else "–"))
        if found.speaker:
            style = _DECISION_STYLES[found.speaker.decision]
            table.add_row("speaker", Text(lines.speaker(found.speaker), style))
        if found.identity:
            table.add_row("identity", Text(lines.identity(found.identity)))
