"""Rolling verification: who claims to be whom, what a live session would have decided, and the table of it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.small_corpus import VALID, cache_in, write_clips
from tests.tiny_bundle import NAME
from tests.voices import SAMPLE_RATE, conversation, voice
from undertone_client.command_line import main
from undertone_export.evaluation.report import Section, read_report
from undertone_export.looks import Look, Outcome, decide, watch
from undertone_export.rolling import IMPOSTORS, RollingTrial, Session, stage
from undertone_export.rolling_report import SECONDS, plot, report
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.labels import write_labels
from undertone_models.data.test_log import TEST_LOG
from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.analysis.verification import Verifier
from undertone_service.bundle.manifest import Manifest, VoiceCalibration
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.engine import DirectRunner
from undertone_service.protocol.labels import Decision, Role, Task

ACCEPTED, REJECTED, UNDECIDED = Decision.ACCEPTED, Decision.REJECTED, Decision.UNDECIDED


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> StreamingBundle:
    return StreamingBundle(bundle_folder / NAME)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return write_clips(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def valid(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Clip]]:
    with cache_in(tmp_path_factory.mktemp("cache")):
        yield [clip for clip in clips if clip.split == "valid"]


def cached(clips: list[Clip]) -> AudioCache:
    return AudioCache.build([clip.path for clip in clips], "rolling")


def test_impostors_share_sex_and_corpus(bundle: StreamingBundle, valid: list[Clip]) -> None:
    moved = valid[0].speaker  # the women are now in two corpora
    clips = [replace(clip, corpus="librispeech") if clip.speaker == moved else clip for clip in valid]
    trial = stage(bundle, clips, cached(clips), shortest=3.0)
    assert len(trial.claims) == 4
    of = {clip.speaker: clip for clip in clips}
    assert sum(session.genuine for session in trial.sessions) == 8  # two clips of each that are not enrolled
    false = [session for session in trial.sessions if not session.genuine]
    assert len(false) == 4  # the men's, one of the other
    for session in false:
        speaker, claimed = of[session.speaker], of[session.claimed]
        assert speaker.speaker != claimed.speaker
        assert (speaker.sex, speaker.corpus) == (claimed.sex, claimed.corpus) == ("male", VALID)
    for session in trial.sessions:
        assert session.corpus == of[session.speaker].corpus


def test_no_session_has_more_impostors_than_said(bundle: StreamingBundle, valid: list[Clip]) -> None:
    clips = [replace(clip, speaker=f"{n // 3}", sex="male") for n, clip in enumerate((valid * 5)[:66])]
    trial = stage(bundle, clips, cached(clips), shortest=3.0)
    assert len(trial.claims) == 22 > IMPOSTORS + 1
    for session in trial.sessions:
        claims = [s.claimed for s in trial.sessions if s.looks is session.looks]
        assert len(claims) == len(set(claims)) == IMPOSTORS + 1


def test_short_clips_are_not_played_and_joined_ones_are_one_session(
    bundle: StreamingBundle, valid: list[Clip]
) -> None:
    assert stage(bundle, valid, cached(valid), shortest=3.4).sessions == []
    joined = stage(bundle, valid, cached(valid), shortest=3.4, joined=True).sessions
    assert sum(session.genuine for session in joined) == 4
    assert all(session.looks[-1].time > 6 for session in joined)


def test_who_has_no_clip_beyond_enrolment_is_left_out(bundle: StreamingBundle, valid: list[Clip]) -> None:
    two = [clip for clip in valid if clip.speaker == valid[0].speaker][:2]
    trial = stage(bundle, two, cached(two), shortest=1.0)
    assert trial.sessions == []
    assert dict(trial.claims) == {}


@pytest.mark.parametrize("pitch", [110, 210])
def test_decisions_are_those_of_a_live_channel(bundle: StreamingBundle, pitch: int) -> None:
    samples = conversation()
    claim = watch(bundle, [voice(3.0, pitch=pitch, seed=1)], 1)[0][-1].voiceprint
    assert claim is not None
    looks = watch(bundle, [samples], 1)[0]
    manifest = deciding(bundle, claim, looks)
    live = asyncio.run(live_decisions(bundle, samples, Verifier("claim", claim, manifest, 0.5)))
    replayed = [
        decide(looks[: seen + 1], claim, manifest).final
        for seen, look in enumerate(looks)
        if look.voiceprint is not None
    ]
    assert replayed == live
    assert len(set(live)) == 3, "a session in which nothing is decided would prove nothing"


async def live_decisions(
    bundle: StreamingBundle, samples: NDArray[np.float32], verifier: Verifier
) -> list[Decision]:
    settings = ChannelSettings(0, Role.UNKNOWN, SAMPLE_RATE, 30, 5, frozenset({Task.SPEAKER}))
    channel = Channel(settings, bundle, DirectRunner())
    channel.voice.verifier = verifier
    messages = [*await channel.push(samples), *await channel.end()]
    seen = [message for _, message in messages] + [await channel.summary(channel.speech)]
    return [one.speaker.decision for one in seen if getattr(one, "speaker", None)]


def deciding(bundle: StreamingBundle, claim: NDArray[np.float32], looks: list[Look]) -> Manifest:
    """Return the bundle's manifest with a calibration to which these looks are clearly true or clearly false."""
    scores = sorted(float(claim @ look.voiceprint) for look in looks if look.voiceprint is not None)
    fitted = VoiceCalibration(slope=1e5, offset=-1e5 * (scores[len(scores) // 2] - 1e-6))
    calibration = bundle.manifest.calibration.model_copy(update={"voice": fitted})
    return bundle.manifest.model_copy(update={"calibration": calibration})


def look(score: float, time: float) -> Look:
    return Look(time, time, time, np.array([score, (1 - score**2) ** 0.5], np.float32))


CLAIM = np.array([1, 0], np.float32)


def test_an_outcome_tells_the_last_decision_all_of_them_and_when_the_first_was(
    bundle: StreamingBundle,
) -> None:
    calibration = bundle.manifest.calibration.model_copy(
        update={"voice": VoiceCalibration(slope=20, offset=-10)}
    )
    manifest = bundle.manifest.model_copy(update={"calibration": calibration})
    assert decide([look(0.5, 2.0), look(0.6, 2.5)], CLAIM, manifest) == Outcome(heard=2.5)
    assert decide([look(1.0, 1.0)], CLAIM, manifest) == Outcome(heard=1.0), "too little speech"
    seen = [look(0.5, 2.0), look(1.0, 2.5), look(0.0, 3.0), look(0.5, 3.5)]
    assert decide(seen, CLAIM, manifest) == Outcome(
        REJECTED, {ACCEPTED, REJECTED}, 2.5, accepted_at=2.5, accepted_time=2.5, heard=3.5
    )
    changed = [look(1.0, 2.0), Look(2.5, 0.0, 2.5, None), look(0.6, 3.0)]
    assert decide(changed, CLAIM, manifest) == Outcome(
        UNDECIDED, {ACCEPTED}, 2.0, accepted_at=2.0, accepted_time=2.0, heard=3.0
    )


def test_acceptance_counts_from_the_seconds_at_which_it_was() -> None:
    assert not Outcome().accepted_by(100.0)
    assert [Outcome(accepted_at=3.0).accepted_by(seconds) for seconds in (2.9, 3.0, 9.0)] == [
        False,
        True,
        True,
    ]


def claims(bundle: StreamingBundle) -> tuple[RollingTrial, Manifest]:
    """Return six sessions of known outcome, and the manifest that decides them so."""
    calibration = bundle.manifest.calibration.model_copy(
        update={"voice": VoiceCalibration(slope=20, offset=-10)}
    )
    true, false, open_ = [look(0.5, 2.0), look(1.0, 4.0)], [look(0.5, 2.0), look(0.0, 4.0)], [look(0.5, 2.0)]
    trial = RollingTrial(
        [
            Session("saa", "a", "a", true), Session("saa", "c", "a", false), Session("saa", "a", "a", open_),
            Session("saa", "b", "a", true), Session("librispeech", "d", "a", false),
            Session("librispeech", "a", "a", true),
        ],
        {"a": CLAIM},
    )  # fmt: skip
    return trial, bundle.manifest.model_copy(update={"calibration": calibration})


def test_the_table_adds_up(bundle: StreamingBundle) -> None:
    rows = {(row["corpus"], row["net seconds"]): row for row in report(*claims(bundle))}
    assert [corpus for corpus, _ in rows] == [c for c in ("librispeech", "saa", "all") for _ in SECONDS]
    early, late, whole = rows["saa", "2"], rows["saa", "3"], rows["saa", "whole"]
    assert (early["true claims"], early["false rejects %"]) == (2, "100.0")
    assert (late["true claims"], late["false rejects %"]) == (1, "100.0"), (
        "who spoke for so long, and was not accepted yet"
    )
    assert rows["saa", "5"]["true claims"] == 0
    assert rows["saa", "5"]["false rejects %"] == "–"
    assert (whole["true claims"], whole["false rejects %"], whole["true ends rejected %"]) == (
        2,
        "50.0",
        "0.0",
    )
    assert (whole["false claims"], whole["false accepts %"]) == (2, "50.0 [0.0, 100.0]")
    assert (whole["median s to accept a true claim"], whole["median s to decide"]) == (4.0, 4.0)
    assert (rows["all", "whole"]["true claims"], rows["all", "whole"]["false claims"]) == (3, 3)


def test_the_errors_are_drawn(bundle: StreamingBundle, tmp_path: Path) -> None:
    assert plot(*claims(bundle), tmp_path / "new").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_and_writes_the_table(
    bundle: StreamingBundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("UNDERTONE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    TEST_LOG.parent.mkdir()
    TEST_LOG.touch()
    clips = []
    for number in range(2):
        for take in range(3):
            path = tmp_path / f"{number}-{take}.wav"
            soundfile.write(path, voice(5.2, pitch=120 + 20 * number, seed=take), SAMPLE_RATE)
            clips.append(Clip(path, VALID, f"{VALID}_{number}", "male", split="test"))
    write_labels(tmp_path / "labels.csv", clips, tmp_path)
    words = ["rolling", str(bundle.folder), "--data", f"labels={tmp_path / 'labels.csv'}"]
    assert main([*words, "--json", str(tmp_path / "rolling.json"), "--plots", str(tmp_path)]) == 0
    assert "corpus: all  net seconds: whole  true claims: 2" in capsys.readouterr().out
    written = read_report(tmp_path / "rolling.json")
    assert isinstance(written, Section)
    assert [row["true claims"] for row in written.rows if row["net seconds"] == "1"] == [2, 2]
    assert bundle.manifest.digest[:12] in written.text
    assert (tmp_path / "rolling.png").is_file()
    assert main([*words, "--identify", "50", "--json", str(tmp_path / "identification.json")]) == 0
    searched = read_report(tmp_path / "identification.json")
    assert isinstance(searched, Section)
    assert [(row["voices"], row["mated probes"], row["other probes"]) for row in searched.rows] == [(1, 2, 2)]
    noted = TEST_LOG.read_text().splitlines()
    assert noted[0] == "date,digest,command"
    assert [line.split(",")[1] for line in noted[1:]] == [bundle.manifest.digest] * 2
