import io

import numpy as np
from rich.console import Console

from tests.client.peer import ESTIMATE, RESULT, ended
from undertone_client.panel import LivePanel, bar
from undertone_service.protocol.messages import Notice, SpeechEnded, SpeechStarted


def drawn(panel: LivePanel) -> str:
    console = Console(width=80, file=io.StringIO())
    with console.capture() as captured:
        console.print(panel)
    return captured.get()


def test_before_anything_is_known() -> None:
    text = drawn(LivePanel())
    assert "connecting" in text
    assert "○ silent" in text
    assert "speaker" not in text


def test_a_result_with_everything() -> None:
    panel = LivePanel()
    panel.show(SpeechStarted(channel=0, time=1.0))
    panel.heard(np.full(320, 8192, np.int16).tobytes(), lost=0)
    panel.show(RESULT)
    text = drawn(panel)
    for part in (
        "-12 dB",
        "● speaking",
        f"anger  {bar(0.72)}  72%",
        f"boredom  {bar(0.035)}   4%",
        "female 99%",
        "34 years (27–42)",
        "ann: accepted (98%, score 0.61, 5.2 s)",
        "sounds like Ann (90%)",
        "41 ms",
    ):
        assert part in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_what_was_known_does_not_outlive_the_speech() -> None:
    panel = LivePanel()
    panel.show(RESULT)
    panel.show(SpeechEnded(channel=0, time=6.0, speech=2.4))
    panel.show(RESULT.model_copy(update=dict.fromkeys(ESTIMATE)))
    text = drawn(panel)
    assert "○ silent" in text
    assert "anger" not in text
    assert "accepted" not in text


def test_troubles_are_shown() -> None:
    panel = LivePanel()
    panel.heard(b"", lost=7)
    panel.show(Notice(code="clipping", problem="Too loud.", remedy="Move away."))
    panel.waiting("The connection was lost.", 0.5)
    text = drawn(panel)
    assert "7 blocks of the microphone" in text
    assert "Too loud." in text
    assert "The connection was lost. Connecting again in 0.5 s" in text
    panel.show(ended())
    assert "session ended (closed)" in drawn(panel)


def test_markup_in_what_a_server_sends_is_not_obeyed() -> None:
    panel = LivePanel()
    panel.show(Notice(code="x", problem="[bold]a[/nonsense]", remedy=""))
    assert "[bold]a[/nonsense]" in drawn(panel)


def test_bar() -> None:
    assert bar(0) == "░" * 30
    assert bar(0.5) == "█" * 15 + "░" * 15
    assert bar(7) == "█" * 30
    assert bar(-1) == "░" * 30
