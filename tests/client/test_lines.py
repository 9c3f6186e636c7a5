from typing import Any

import pytest

from tests.client.peer import ESTIMATE, RESULT, ended
from undertone_client.lines import clock, identity, line
from undertone_service.protocol.labels import Role
from undertone_service.protocol.messages import (
    Finalized,
    Identity,
    Notice,
    Result,
    SpeakerChanged,
    SpeechEnded,
    SpeechStarted,
    UtteranceResult,
)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (83.25, "1:23.2"), (0.3, "0:00.3"), (3600, "60:00.0")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_result_says_everything_that_was_found() -> None:
    assert line(RESULT) == (
        "  0:06.0  0 customer  result    of  3.0 s, speech  2.4 s  anger 72%, female 99%, 34 years (27–42), "
        "ann: accepted (98%, score 0.61, 5.2 s), sounds like Ann (90%)"
    )


def test_too_little_speech_is_told_and_not_guessed() -> None:
    silent = Result.model_validate({"channel": 1, "role": "agent", "start": 0, "end": 3, "speech": 0.1})
    assert (
        line(silent) == "  0:03.0  1 agent     result    of  3.0 s, speech  0.1 s  too little speech to tell"
    )


def test_events() -> None:
    at: dict[str, Any] = {"channel": 0, "role": Role.MIXED, "time": 61.5}
    assert line(SpeechStarted(**at)) == "  1:01.5  0 mixed     speech started"
    assert line(SpeechEnded(**at, speech=2.0)) == "  1:01.5  0 mixed     speech ended   2.0 s of it"
    assert line(SpeakerChanged(**at, score=0.12)) == "  1:01.5  0 mixed     speaker changed (score 0.12)"
    assert line(Finalized(time=61.5)) == "  1:01.5  finalized"
    notice = Notice(code="thinned", problem="Behind.", remedy="Slow down.", count=3)
    assert line(notice) == "warning thinned (3 times): Behind. Slow down."
    utterance = UtteranceResult(channel=0, start=1.0, end=3.0, speech=1.5, **ESTIMATE)
    assert "utterance of  2.0 s" in line(utterance)


def test_the_summary_has_every_channel_and_the_warnings() -> None:
    assert line(ended(125.0)).splitlines() == [
        "session s1 ended (closed) after 2:05.0",
        "  channel 0 (customer): speech 2.4 s, 100% of the talk  anger 72%, female 99%, 34 years (27–42), "
        "ann: accepted (98%, score 0.61, 5.2 s), sounds like Ann (90%)",
        "    emotion over thirds: anger 72% → – → –",
        "  warnings: clipping 2",
    ]


def test_nobody_recognised() -> None:
    assert identity(Identity(best=None)) == "none of the enrolled voices"
