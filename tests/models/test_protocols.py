"""Protocols: what is held out is never trained on; rounds run, resume and are reported."""

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_corpus import cache_in, write_noises
from tests.tiny_bundle import tiny_network
from tests.voices import SAMPLE_RATE, silence, voice
from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.report import Section, read_report
from undertone_models.commands.protocol import configure
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.labels import write_labels
from undertone_models.data.test_log import TEST_LOG
from undertone_models.protocols.answers import Answer, answer_clips, most_probable
from undertone_models.protocols.ravdess_folds import RAVDESS_FOLDS
from undertone_models.protocols.report import accuracy, average_recall, guessing, interval, report
from undertone_models.protocols.rounds import PROTOCOLS, Round, emotional
from undertone_models.protocols.running import ANSWERS, Outcome
from undertone_models.training.checkpoints import CHECKPOINT, read_checkpoint
from undertone_models.training.corpus import gather
from undertone_models.training.loop import Training
from undertone_models.training.settings import load_settings
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import EMOTIONS

RAVDESS_EMOTIONS = EMOTIONS[:8]
ACTORS = [actor for fold in RAVDESS_FOLDS for actor in fold]
SMALL = [
    "steps=2", "workers=0", "warm_up=1", "sampling.batch=2", "sampling.crop_seconds=[0.6]",
    "network.stem_channels=[4, 4]", "network.width=24", "network.hidden=24", "network.dilations=[1, 2]",
    "network.emotion_pool=8", "network.gender_pool=4", "network.age_pool=4", "network.voiceprint_pool=16",
    "network.voiceprint=16", "network.head=16",
]  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder: the repository's log of looks is not for tests."""
    monkeypatch.chdir(tmp_path)


def clip(name: str, corpus: str, speaker: str, emotion: str | None, split: str = "train") -> Clip:
    return Clip(Path(f"/{corpus}/{name}.wav"), corpus, f"{corpus}_{speaker}", emotion=emotion, split=split)


def ravdess() -> list[Clip]:
    return [
        clip(f"{actor}-{emotion}", "ravdess", actor.removeprefix("ravdess_"), emotion)
        for actor in ACTORS
        for emotion in RAVDESS_EMOTIONS
    ]


def rounds(protocol: str, clips: list[Clip]) -> list[Round]:
    return PROTOCOLS[protocol].rounds(emotional(clips))


def test_the_folds_hold_out_every_actor_once_two_women_and_two_men_each() -> None:
    assert sorted(ACTORS) == [f"ravdess_{number:02}" for number in range(1, 25)]
    for fold in RAVDESS_FOLDS:
        assert [int(actor[-2:]) % 2 for actor in sorted(fold)] == [1, 0, 1, 0]
    assert RAVDESS_FOLDS[-1] == ("ravdess_21", "ravdess_22", "ravdess_23", "ravdess_24"), "the test split"


def test_a_fold_trains_on_the_other_twenty_actors_alone() -> None:
    other = [clip("x", "tess", "OAF", "anger"), clip("y", "ravdess", "01", None)]
    drawn = rounds("ravdess-folds", ravdess() + other)
    assert [one.name for one in drawn] == ["1", "2", "3", "4", "5", "6"]
    for one, fold in zip(drawn, RAVDESS_FOLDS, strict=True):
        assert {c.speaker for c in one.held_out} == set(fold)
        assert {c.speaker for c in one.training} == set(ACTORS) - set(fold)
        assert len(one.training) + len(one.held_out) == len(ravdess())
        assert one.classes == RAVDESS_EMOTIONS
        assert one.measured() == list(one.held_out)


def test_random_draws_are_eight_to_one_to_one_and_the_same_whatever_the_order() -> None:
    clips = ravdess()
    drawn = rounds("ravdess-random", clips)
    assert drawn == rounds("ravdess-random", clips[::-1])
    assert [one.name for one in drawn] == ["0", "1", "2", "3", "4"]
    assert len({one.held_out for one in drawn}) == 5
    for one in drawn:
        assert (len(one.training), len(one.held_out)) == (154, 19)  # of 192; 19 are not used
        assert not set(one.training) & set(one.held_out)


def test_a_corpus_left_out_is_measured_whole_on_the_emotions_that_the_others_have() -> None:
    clips = [
        clip("a", "ravdess", "01", "calm"),
        clip("b", "ravdess", "02", "anger"),
        clip("c", "ravdess", "21", "anger", "test"),
        clip("d", "emodb", "03", "anger"),
        clip("e", "emodb", "08", "boredom", "test"),
        clip("f", "tess", "OAF", "calm", "valid"),
        clip("g", "tess", "OAF", "boredom", "valid"),
        clip("h", "saa", "1", None),
    ]
    a, b, c, d, e, f, g, _ = clips
    drawn = {one.name: one for one in rounds("leave-one-corpus-out", clips)}
    assert set(drawn) == {"emodb", "ravdess", "tess"}, "a corpus without emotions has no round"
    assert drawn["tess"].training == (d, a, b), "valid and test speakers are not trained on"
    assert drawn["tess"].held_out == (f, g)
    assert drawn["tess"].classes == ("calm",), "boredom is of a test speaker alone"
    assert drawn["tess"].measured() == [f]
    assert drawn["emodb"].measured() == [d]
    assert drawn["ravdess"].measured() == [b, c], "nobody taught calm"
    assert drawn["ravdess"].training == (d,)
    assert e not in drawn["ravdess"].training


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_round_shares_what_it_must_not(data: st.DataObject) -> None:
    corpora, emotions = (
        st.sampled_from(["ravdess", "tess", "own"]),
        st.sampled_from([None, *RAVDESS_EMOTIONS]),
    )
    splits = st.sampled_from(["train", "valid", "test"])
    drawn = [
        clip(str(i), data.draw(corpora), data.draw(st.sampled_from(["01", "09", "30"])),
             data.draw(emotions), data.draw(splits))
        for i in range(data.draw(st.integers(0, 12)))
    ]  # fmt: skip
    for name, shared in (("ravdess-folds", "speaker"), ("ravdess-random", "path")):
        for one in rounds(name, ravdess() + drawn):
            held_out = {getattr(c, shared) for c in one.held_out}
            assert not held_out & {getattr(c, shared) for c in one.training}
    left_out = rounds("leave-one-corpus-out", [*ravdess(), clip("always", "tess", "YAF", "anger"), *drawn])
    for one in left_out:
        assert {c.corpus for c in one.held_out} == {one.name}
        assert one.name not in {c.corpus for c in one.training}
        assert {c.split for c in one.training} == {"train"}


def test_rounds_that_would_not_be_the_protocol_are_refused() -> None:
    mine, other = clip("a", "ravdess", "01", "anger"), clip("b", "ravdess", "01", "anger")
    with pytest.raises(UndertoneError, match="would train on what it holds out: speaker ravdess_01"):
        Round("1", (mine,), (other,), ("anger",), "speaker")
    Round("1", (mine,), (other,), ("anger",), "path")
    with pytest.raises(UndertoneError, match="0 clips to train on and 1 held out"):
        Round("1", (), (other,), ("anger",), "speaker")
    with pytest.raises(UndertoneError, match="no clips of ravdess_24"):
        rounds("ravdess-folds", [c for c in ravdess() if c.speaker != "ravdess_24"])
    with pytest.raises(UndertoneError, match="1 corpora"):
        rounds("leave-one-corpus-out", ravdess())


def answers(*pairs: tuple[str, str | None], speaker: str = "a") -> tuple[Answer, ...]:
    return tuple(Answer(speaker, emotion, answer) for emotion, answer in pairs)


def test_measures_count_a_clip_without_speech_as_an_error() -> None:
    found = answers(("anger", "anger"), ("anger", "fear"), ("anger", None), ("fear", "fear"))
    assert accuracy(found) == 0.5
    assert average_recall(found) == pytest.approx((1 / 3 + 1) / 2)
    assert guessing(found) == 0.75
    assert interval(found) == (None, None), "of a single speaker"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=2, max_size=40))
def test_the_interval_is_that_of_the_evaluation(clips: list[tuple[str, bool]]) -> None:
    found = [Answer(speaker, "anger", "anger" if right else "fear") for speaker, right in clips]
    right = np.array([right for _, right in clips], np.float64)
    theirs = figure([speaker for speaker, _ in clips], lambda w: float(right @ w / w.sum()))
    low, high = interval(found)
    assert (low is None) is (theirs.low is None)
    if low is not None:
        assert (low, high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_the_report_ends_with_the_mean_and_with_all_clips() -> None:
    first = answers(("anger", "anger"), ("fear", "fear"), ("fear", None))
    second = answers(("anger", "fear"), speaker="b")
    rows = report([Outcome("1", first, 2, 10, 5, 1.4), Outcome("2", second, 0, 11, 5, 1.6)])
    assert [row["round"] for row in rows] == ["1", "2", "mean of 2", "all clips"]
    assert [row["accuracy %"] for row in rows] == [66.7, 0.0, 33.3, 50.0]
    assert rows[2]["deviation"] == pytest.approx(100 * np.std([2 / 3, 0], ddof=1), abs=0.05)
    assert (rows[0]["clips"], rows[0]["skipped"], rows[0]["without speech"]) == (3, 2, 1)
    assert (rows[0]["steps"], rows[0]["trained on"], rows[0]["seconds"]) == (5, 10, 1)
    assert (rows[3]["speakers"], rows[3]["clips"]) == (2, 4)
    assert report([Outcome("1", first, 0, 1, 1, 1.0)])[1]["deviation"] is None


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A network this small is quicker on one thread, and all the more on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 24 actors and one of two others, with labels, noises and a cache."""
    folder = tmp_path_factory.mktemp("protocols")
    clips = []
    for number, speaker in enumerate([*ACTORS, "own_1", "own_2"]):
        for take, emotion in enumerate(("anger", "sadness")):
            path = folder / f"{speaker}-{take}.wav"
            sound = voice(0.9, pitch=110.0 + 4 * number, seed=2 * number + take)
            # One actor's second clip holds no speech.
            soundfile.write(path, 10 * silence(0.9) if path.stem == "ravdess_06-1" else sound, SAMPLE_RATE)
            split = "test" if speaker in RAVDESS_FOLDS[5] else "train"
            clips.append(Clip(path, speaker.rpartition("_")[0], speaker, emotion=emotion, split=split))
    write_labels(folder / "labels.csv", clips, folder)
    noises = write_noises(folder)
    lines = ["path,type,split", *(f"{noise.path.name},{noise.kind},{noise.split}" for noise in noises)]
    (folder / "noise.csv").write_text("\n".join(lines) + "\n")
    with cache_in(folder / "cache"):
        trunk = gather([clip for clip in clips if clip.corpus == "own"], noises)
        Training(load_settings("streaming", SMALL), trunk, folder / "trunk").run()
    return folder


@pytest.fixture
def cached(folder: Path) -> Iterator[Path]:
    """The folder of runs."""
    with cache_in(folder / "cache"):
        yield folder / "cache" / "runs"


def protocol(folder: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    configure(parser)
    small = [word for setting in SMALL for word in ("--set", setting)]
    data = ["--data", f"labels={folder / 'labels.csv'}", "--noise", str(folder / "noise.csv")]
    args = parser.parse_args([*words, *data, "--start", str(folder / "trunk" / CHECKPOINT), *small])
    status: int = args.run(args)
    return status


def test_the_network_answers_among_the_classes_or_hears_no_speech(folder: Path, cached: Path) -> None:
    network = tiny_network()
    heard = [
        Clip(folder / f"ravdess_06-{take}.wav", "ravdess", "ravdess_06", emotion="fear") for take in (0, 1)
    ]
    cache = AudioCache.build([c.path for c in heard], "answers")
    missing = Clip(folder / "missing.wav", "ravdess", "ravdess_07", emotion="fear")
    found = answer_clips(network, [*heard, missing], cache, ("fear", "calm"))
    assert [answer.speaker for answer in found] == ["ravdess_06", "ravdess_06", "ravdess_07"]
    assert found[0].answer in ("fear", "calm")
    assert found[1].answer is None
    assert found[2].answer is None
    samples = cache[heard[0].path]
    best = most_probable(network, samples, EMOTIONS)
    assert best is not None
    rest = tuple(emotion for emotion in EMOTIONS if emotion != best)
    assert most_probable(network, samples, (rest[0], best)) == best
    assert most_probable(network, samples, rest) in rest


def test_rounds_run_are_reported_and_resume(
    folder: Path, cached: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "folds.json"
    assert protocol(folder, "ravdess-folds", "--rounds", "2", "--json", str(file)) == 0
    fold = cached / "ravdess-folds" / "2"
    saved = read_checkpoint(fold / CHECKPOINT)
    assert saved["step"] == 2
    assert saved["speakers"] == sorted(set(ACTORS) - set(RAVDESS_FOLDS[1]))
    first = read_report(file)
    assert isinstance(first, Section)
    assert (first.kind, first.title) == ("protocol", "Emotion: RAVDESS, six folds")
    assert "1 of 6 rounds" in first.text
    assert "2 speakers, none of them held out" in first.text
    row = first.rows[0]
    assert (row["round"], row["clips"], row["speakers"], row["without speech"]) == ("2", 8, 4, 1)
    assert (row["trained on"], row["steps"]) == (40, 2)
    assert row["accuracy %"] in {100 * i / 8 for i in range(8)}

    changed = (fold / CHECKPOINT).stat().st_mtime_ns
    assert protocol(folder, "ravdess-folds", "--rounds", "2, 1", "--json", str(file)) == 0
    assert (fold / CHECKPOINT).stat().st_mtime_ns == changed, "a finished round is not trained again"
    rows = json.loads(file.read_text())["rows"]
    assert [row["round"] for row in rows] == ["1", "2", "mean of 2", "all clips"]
    assert rows[1] == row
    assert "mean of 2" in capsys.readouterr().out

    (fold / ANSWERS).unlink()  # it died before it had answered
    assert protocol(folder, "ravdess-folds", "--rounds", "2", "--json", str(file)) == 0
    again = json.loads(file.read_text())["rows"][0]
    assert again == row


def test_a_look_at_test_speakers_is_noted_once_and_none_at_others(
    folder: Path, cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    TEST_LOG.parent.mkdir()
    TEST_LOG.touch()
    protocol(folder, "ravdess-folds", "--rounds", "2", "--name", "looks")
    assert not TEST_LOG.read_text()
    for _ in range(2):
        protocol(folder, "ravdess-folds", "--rounds", "2,6", "--name", "looks")
    _, *noted = TEST_LOG.read_text().splitlines()
    assert len(noted) == 1
    assert hashlib.sha256((folder / "trunk" / CHECKPOINT).read_bytes()).hexdigest() in noted[0]
    assert "protocol ravdess-folds" in noted[0]


def test_the_command_is_shown_without_the_paths_of_this_machine(
    folder: Path, cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert (
        protocol(folder, "ravdess-random", "--rounds", "0", "--json", "random.json", "--name", "draws") == 0
    )
    report = json.loads(Path("random.json").read_text())
    assert report["command"].startswith(
        "undertone protocol ravdess-random --data labels=labels.csv --noise noise.csv "
        f"--start trunk/{CHECKPOINT} --json random.json --rounds 0 --name draws --set steps=2 "
    )
    assert "'network.stem_channels=[4, 4]'" in report["command"]
    assert (cached / "draws" / "0" / ANSWERS).is_file()


def refusal(folder: Path, *words: str) -> UndertoneError:
    with pytest.raises(UndertoneError) as refused:
        protocol(folder, *words)
    return refused.value


def test_what_would_spoil_a_round_is_refused(folder: Path, cached: Path) -> None:
    heard = refusal(folder, "leave-one-corpus-out", "--rounds", "own")
    assert heard.code is ErrorCode.CONFLICT
    assert "2 speakers whom round own holds out" in heard.problem
    assert "--without own" in heard.remedy
    assert not (cached / "leave-one-corpus-out").exists(), "nothing was begun"

    unknown = refusal(folder, "ravdess-folds", "--rounds", "1,7")
    assert (unknown.code, "'7'" in unknown.problem) == (ErrorCode.BAD_REQUEST, True)

    assert protocol(folder, "leave-one-corpus-out", "--rounds", "ravdess") == 0
    other = refusal(folder, "leave-one-corpus-out", "--rounds", "ravdess", "--set", "learning_rate=1e-4")
    assert other.code is ErrorCode.CONFLICT
    assert "--name" in other.remedy


def test_the_recipe_keeps_the_network_of_the_trunk() -> None:
    recipe = load_settings("protocol")
    assert recipe.network == load_settings("streaming").network
    assert recipe.sampling.emotional + recipe.sampling.non_speech <= 1
