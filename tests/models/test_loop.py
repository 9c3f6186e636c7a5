"""The training loop and its command, on synthetic voices and a tiny network."""

import csv
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.small_corpus import TINY, cache_in, write_clips, write_noises
from tests.tiny_bundle import SETTINGS
from undertone_client.command_line import main
from undertone_models.data.clips import Clip
from undertone_models.networks.recordings import recording_sequence
from undertone_models.networks.streaming import StreamingNetwork
from undertone_models.teachers.pretrained import SIZE
from undertone_models.teachers.voices import TaughtVoices
from undertone_models.training.batches import Batch, Batches, examples
from undertone_models.training.checkpoints import CHECKPOINT, load_network, read_checkpoint
from undertone_models.training.corpus import Corpus, gather, measure_corpus_mean
from undertone_models.training.loop import METRICS, Training
from undertone_models.training.pairs import pairwise_eer
from undertone_models.training.settings import TrainSettings
from undertone_models.training.team import Team
from undertone_models.training.validate import validate
from undertone_service.protocol.errors import ErrorCode, UndertoneError

FIGURES = ("valid_emotion", "valid_gender", "valid_age", "valid_eer")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A network this small is quicker on one thread, and all the more on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Iterator[Corpus]:
    with cache_in(folder / "cache"):
        yield gather(write_clips(folder), write_noises(folder))


@pytest.fixture(scope="module")
def finished(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that went to its end without a stop."""
    run = tmp_path_factory.mktemp("run")
    Training(TINY, corpus, run).run()
    return run


def rows(run: Path) -> list[dict[str, str]]:
    with (run / METRICS).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_checkpoint_and_a_row_a_step(finished: Path) -> None:
    assert [int(row["step"]) for row in rows(finished)] == [1, 2, 3, 4, 5, 6]
    for row in rows(finished):
        assert all(
            np.isfinite(float(row[name])) for name in ("emotion", "gender", "age", "speaker", "speech")
        )
        validated = int(row["step"]) % TINY.validate_every == 0
        assert all(bool(row[name]) is validated for name in FIGURES)
    saved = read_checkpoint(finished / CHECKPOINT)
    assert saved["step"] == 6
    assert saved["settings"] == asdict(TINY)
    assert saved["speakers"] == ["fsdd_2", "fsdd_3", "ravdess_0", "ravdess_1"]
    assert [path.name for path in finished.glob("*.partial")] == []


def test_what_is_loaded_is_the_averaged_network(finished: Path) -> None:
    network = load_network(finished / CHECKPOINT)
    saved = read_checkpoint(finished / CHECKPOINT)
    assert network.settings == SETTINGS
    assert not network.training
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(weights, saved["average"][name], rtol=0, atol=0)
    taps = "encoder.blocks.0.taps"
    assert not torch.equal(saved["average"][taps], saved["network"][taps])


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    corpus: Corpus, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):  # noqa: N818
        pass

    first = Training(TINY, corpus, tmp_path)
    train = first._train

    def until_the_fifth(batch: object) -> object:
        if first.step == 5:  # the checkpoint is of step 4: one step is lost
            raise Stopped
        return train(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(first, "_train", until_the_fifth)
    with pytest.raises(Stopped):
        first.run()
    assert read_checkpoint(tmp_path / CHECKPOINT)["step"] == 4
    torch.rand(7)  # the generator is elsewhere by then
    Training(TINY, corpus, tmp_path).run()
    assert [int(row["step"]) for row in rows(tmp_path)] == [1, 2, 3, 4, 5, 6]
    for once, again in zip(rows(finished), rows(tmp_path), strict=True):
        assert once | {"seconds": ""} == again | {"seconds": ""}
    whole, resumed = read_checkpoint(finished / CHECKPOINT), read_checkpoint(tmp_path / CHECKPOINT)
    for part in ("network", "average", "margin"):
        for name, weights in whole[part].items():
            torch.testing.assert_close(resumed[part][name], weights, rtol=0, atol=0)


def test_a_finished_run_stays_as_it_is(corpus: Corpus, finished: Path) -> None:
    before, metrics = read_checkpoint(finished / CHECKPOINT), rows(finished)
    Training(TINY, corpus, finished).run()
    after = read_checkpoint(finished / CHECKPOINT)
    assert rows(finished) == metrics
    for name, weights in before["network"].items():
        torch.testing.assert_close(after["network"][name], weights, rtol=0, atol=0)


def test_each_process_has_its_own_part_of_a_batch_of_the_same_length(corpus: Corpus) -> None:
    labelled, _ = examples(corpus.train)
    settings = replace(TINY.sampling, batch=8)

    def part(team: Team) -> Batch:
        return Batches(
            labelled, corpus.cache, corpus.noises, None, settings, seed=3, stop=9, team=team
        ).make(4)  # fmt: skip

    whole, first, second = part(Team()), part(Team(0, 2)), part(Team(1, 2))
    assert len(first.speaker) == len(second.speaker)
    assert abs(2 * len(first.speaker) - len(whole.speaker)) <= 1
    assert first.samples.shape != second.samples.shape or not torch.equal(first.samples, second.samples)


def test_learning_lowers_the_losses(corpus: Corpus, tmp_path: Path) -> None:
    undisturbed = replace(
        TINY.augment, clean=1.0, emotional_clean=1.0, speed=0.0, masked_bands=0, masked_frames=0
    )
    settings = replace(TINY, steps=100, learning_rate=1e-2, validate_every=1000, augment=undisturbed)
    Training(settings, corpus, tmp_path).run()
    for task in ("gender", "speech"):
        losses = [float(row[task]) for row in rows(tmp_path)]
        assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:10]), task


def refusal(settings: TrainSettings, corpus: Corpus, run: Path) -> UndertoneError:
    with pytest.raises(UndertoneError) as refused:
        Training(settings, corpus, run).run()
    return refused.value


def test_a_run_of_other_speakers_or_another_network_is_not_resumed(corpus: Corpus, finished: Path) -> None:
    fewer = replace(corpus, train=corpus.train[4:])
    assert refusal(TINY, fewer, finished).code is ErrorCode.CONFLICT
    wider = replace(TINY, network=replace(SETTINGS, hidden=32))
    assert refusal(wider, corpus, finished).code is ErrorCode.CONFLICT


def test_a_run_begins_with_the_weights_of_another_and_remembers_whom_they_heard(
    corpus: Corpus, finished: Path, tmp_path: Path
) -> None:
    fewer = replace(corpus, train=corpus.train[4:])
    begun = Training(replace(TINY, steps=0), fewer, tmp_path, start=finished / CHECKPOINT)
    begun.run()
    parent, child = read_checkpoint(finished / CHECKPOINT), read_checkpoint(tmp_path / CHECKPOINT)
    for name, weights in parent["average"].items():
        torch.testing.assert_close(child["network"][name], weights, rtol=0, atol=0)
    for row, speaker in enumerate(child["speakers"]):
        own = parent["margin"]["centres"][parent["speakers"].index(speaker)]
        torch.testing.assert_close(child["margin"]["centres"][row], own, rtol=0, atol=0)
    assert child["speakers"] == ["fsdd_2", "fsdd_3", "ravdess_1"]
    assert child["heard"] == parent["speakers"]

    wider = replace(TINY, network=replace(SETTINGS, hidden=32))
    with pytest.raises(UndertoneError) as refused:
        Training(wider, corpus, tmp_path / "wider", start=finished / CHECKPOINT).run()
    assert refused.value.code is ErrorCode.CONFLICT


def test_a_teacher_is_learnt_from(corpus: Corpus, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    told = {os.path.abspath(c.path): random.random(SIZE).astype(np.float32) for c in corpus.train}
    settings = replace(TINY, steps=30, learning_rate=1e-2, validate_every=1000)
    Training(settings, corpus, tmp_path, TaughtVoices(told)).run()
    losses = [loss for row in rows(tmp_path) if (loss := float(row["taught"]))]  # 0 where nobody was taught
    assert losses[0] > 0.5
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:5])


def test_nothing_to_train_on_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    assert refusal(TINY, replace(corpus, train=[]), tmp_path).code is ErrorCode.BAD_REQUEST


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "text.pt", tmp_path / "other.pt"
    text.write_text("not a checkpoint")
    torch.save({"weights": torch.zeros(1)}, other)
    for path in (text, other, tmp_path / "missing.pt"):
        with pytest.raises(UndertoneError) as refused:
            load_network(path)
        assert refused.value.code is ErrorCode.BAD_REQUEST


def test_validation_answers_for_what_is_labelled(corpus: Corpus) -> None:
    torch.manual_seed(0)
    network = StreamingNetwork(SETTINGS)
    labelled, _ = examples(corpus.valid)
    figures = validate(network, labelled[:6], corpus.cache)
    assert 0 <= figures["valid_emotion"] <= 1
    assert figures["valid_gender"] in {i / 6 for i in range(7)}
    assert 0 < figures["valid_age"] < 80
    assert 0 <= figures["valid_eer"] <= 1
    nothing, _ = examples([Clip(corpus.valid[0].path, "own", "")])
    assert all(np.isnan(value) for value in validate(network, nothing, corpus.cache).values())


def test_the_equal_error_rate_of_pairs() -> None:
    voices = np.array([[1, 0], [0.9, 0.436], [0, 1], [0.436, 0.9]], np.float32)
    assert pairwise_eer(voices, np.array([0, 0, 1, 1])) == 0
    assert pairwise_eer(voices[:3], np.array([0, 1, 0])) == 1
    apart = np.array([[1, 0], [0.9, 0.436], [0, 1], [0, -1]], np.float32)
    assert pairwise_eer(apart, np.array([0, 0, 1, 1])) == pytest.approx(1 / 2)
    assert np.isnan(pairwise_eer(voices, np.array([0, 0, 0, 0])))
    assert np.isnan(pairwise_eer(voices[:1], np.array([0])))


def test_the_corpus_mean_centres_the_spectrum(corpus: Corpus) -> None:
    torch.manual_seed(0)
    encoder = StreamingNetwork(SETTINGS).encoder
    recordings = [corpus.cache[clip.path] for clip in corpus.train[:6]]
    measure_corpus_mean(encoder, [*recordings, np.zeros(16_000, np.float32)])
    assert torch.isfinite(encoder.normaliser.corpus_mean).all()
    before = encoder.normaliser.corpus_mean.clone()
    measure_corpus_mean(encoder, recordings)
    torch.testing.assert_close(
        encoder.normaliser.corpus_mean, before
    )  # silence adds nothing, old means neither
    assert recording_sequence(np.zeros(16_000, np.float32)) is None


def test_the_command_trains_and_resumes(
    corpus: Corpus,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("UNDERTONE_CACHE", str(tmp_path))
    handlers = list(logging.getLogger().handlers)
    words = ["train", "streaming", "--data", f"labels={folder / 'labels.csv'}", "--name", "small"]
    small = [
        "processes=1", "workers=0", "warm_up=2", "validate_every=2", "validation_clips=2", "sampling.batch=2",
        "sampling.crop_seconds=[0.6]", "network.stem_channels=[4, 4]", "network.width=24", "network.hidden=24",
        "network.dilations=[1]", "network.voiceprint=16", "network.head=16",
    ]  # fmt: skip
    words += [word for setting in small for word in ("--set", setting)]
    run = tmp_path / "runs" / "small"
    assert main([*words, "--set", "steps=2"]) == 0
    assert [row["step"] for row in rows(run)] == ["1", "2"]
    assert main([*words, "--set", "steps=3"]) == 0
    assert "resumed at step 2" in (run / "train.log").read_text()
    assert "16 clips to train on, 16 to validate on" in (run / "train.log").read_text()
    assert logging.getLogger().handlers == handlers, "the log is closed with the run"
    assert [row["step"] for row in rows(run)] == ["1", "2", "3"]
    assert load_network(run / CHECKPOINT).settings.dilations == (1,)
    capsys.readouterr()
    assert main([*words, "--set", "stesp=3"]) == 1
    assert "stesp" in capsys.readouterr().err
