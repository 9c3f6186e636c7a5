"""Batches: what is in them, and that nothing but seed and index decides it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.small_corpus import EMOTIONAL, PLAIN, cache_in, write_clips, write_noises
from undertone_models.data.clips import Clip
from undertone_models.training.augment import Augmenter, AugmentSettings
from undertone_models.training.batches import (
    UNKNOWN,
    Batch,
    Batches,
    Example,
    Sampler,
    SamplingSettings,
    examples,
)
from undertone_models.training.corpus import Corpus, gather
from undertone_service.dsp.speech import active_steps
from undertone_service.protocol.labels import EMOTIONS, GENDERS


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("corpus")
    with cache_in(folder / "cache"):
        yield gather(write_clips(folder), write_noises(folder))


def batches(
    corpus: Corpus, *, seed: int = 5, start: int = 0, stop: int = 6, augment: bool = True, **sampling: object
) -> Batches:
    chosen = SamplingSettings(**({"batch": 4, "crop_seconds": (0.6, 1.2)} | sampling))  # type: ignore[arg-type]
    augmenter = Augmenter(AugmentSettings(), corpus.noises, corpus.responses) if augment else None
    labelled, _ = examples(corpus.train)
    return Batches(
        labelled, corpus.cache, corpus.noises, augmenter, chosen, seed=seed, start=start, stop=stop
    )  # fmt: skip


def assert_same(one: Batch, other: Batch) -> None:
    for field in fields(Batch):
        torch.testing.assert_close(
            getattr(one, field.name), getattr(other, field.name), rtol=0, atol=0, equal_nan=True
        )


def test_a_batch_depends_on_seed_and_index_alone(corpus: Corpus) -> None:
    alone = list(batches(corpus))
    assert len(alone) == 6
    for index, batch in enumerate(batches(corpus, start=4), start=4):
        assert_same(batch, alone[index])
    assert_same(batches(corpus, start=3, stop=99).make(1), alone[1])
    other = batches(corpus, seed=6).make(0)
    assert other.samples.shape != alone[0].samples.shape or not torch.equal(other.samples, alone[0].samples)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12's word on threads
def test_workers_share_the_batches_out(corpus: Corpus) -> None:
    alone = list(batches(corpus, stop=4))
    shared = list(DataLoader(batches(corpus, stop=4), batch_size=None, num_workers=2))
    assert len(shared) == 4
    for one, other in zip(alone, shared, strict=True):
        assert_same(one, other)


def test_shapes_and_padding(corpus: Corpus) -> None:
    for batch in batches(corpus, non_speech=0.3):
        count, longest = batch.samples.shape[:2]
        assert batch.samples.shape == (count, longest, 1600)
        assert batch.mask.shape == batch.speech.shape == (count, longest, 5)
        assert batch.first.shape == (count, longest)
        assert batch.allowed.shape == (count, len(EMOTIONS))
        assert all(len(getattr(batch, name)) == count for name in ("speaker", "emotion", "gender", "age"))
        heard = batch.mask.amax(dim=2) > 0
        assert heard[:, 0].all()
        assert not (heard[:, 1:] & ~heard[:, :-1]).any(), "padding stands only at the end"
        assert heard[:, -1].any(), "no more padding than the longest crop needs"
        assert batch.first[:, 0].all()
        assert not batch.first[~heard].any()
        assert not batch.samples[~heard].any()
        assert not batch.speech[~heard].any()
        assert not (batch.speech > 1).any()


def test_without_disturbance_masks_are_those_of_serving_and_all_of_them_is_speech(corpus: Corpus) -> None:
    longest = max(clip.seconds or 0 for clip in corpus.train)
    whole = batches(corpus, augment=False, non_speech=0.0, crop_seconds=(longest + 1,))
    recordings = [active_steps(corpus.cache[clip.path]) for clip in corpus.train]
    batch = whole.make(0)
    for row in range(len(batch.speaker)):
        count = int((batch.mask[row].amax(dim=1) > 0).sum())
        steps = next(
            steps
            for steps in recordings
            if len(steps) == count and np.array_equal(steps[0].samples, batch.samples[row, 0].numpy())
        )
        np.testing.assert_array_equal(batch.mask[row, :count], np.stack([step.mask for step in steps]))
        np.testing.assert_array_equal(batch.samples[row, :count], np.stack([step.samples for step in steps]))
        assert batch.first[row, :count].tolist() == [step.first for step in steps]
        torch.testing.assert_close(batch.speech[row], batch.mask[row])


def test_what_is_no_speech_is_told_apart_and_has_no_labels(corpus: Corpus) -> None:
    batch = batches(corpus, non_speech=1.0).make(0)
    assert not batch.speech.any()
    assert batch.mask.any()
    assert (
        set(batch.speaker.tolist()) == set(batch.emotion.tolist()) == set(batch.gender.tolist()) == {UNKNOWN}
    )
    assert torch.isnan(batch.age).all()


def test_short_crops_come_in_larger_batches(corpus: Corpus) -> None:
    sizes = {round(0.1 * b.samples.shape[1], 1): len(b.speaker) for b in batches(corpus, batch=6, stop=12)}
    short = [size for seconds, size in sizes.items() if seconds <= 0.7]
    long = [size for seconds, size in sizes.items() if seconds > 0.7]
    assert set(short) == {9}  # 6 × 0.9 / 0.6
    assert set(long) == {4}  # 6 × 0.9 / 1.2, halves to even


def test_labels_become_numbers_and_what_is_unknown_stays_so() -> None:
    clips = [
        Clip(Path("a"), "acted", "acted_2", "male", emotion="anger"),
        Clip(Path("b"), "acted", "acted_1", "female", 31.0, emotion="neutral"),
        Clip(Path("c"), "read", "read_1", "male", 40.0),
        Clip(Path("d"), "phone", "phone_1", "male"),
        Clip(Path("e"), "phone", ""),
    ]
    labelled, speakers = examples(clips, unsure_gender=("phone",))
    assert speakers == ["acted_1", "acted_2", "phone_1", "read_1"]
    assert [example.speaker for example in labelled] == [1, 0, 3, 2, UNKNOWN]
    anger, neutral = EMOTIONS.index("anger"), EMOTIONS.index("neutral")
    assert [example.emotion for example in labelled] == [anger, neutral, UNKNOWN, UNKNOWN, UNKNOWN]
    female, male = GENDERS.index("female"), GENDERS.index("male")
    assert [example.gender for example in labelled] == [male, female, male, UNKNOWN, UNKNOWN]
    np.testing.assert_array_equal([example.age for example in labelled], [np.nan, 31, 40, np.nan, np.nan])
    assert {i for i, allowed in enumerate(labelled[0].allowed) if allowed} == {anger, neutral}
    assert labelled[1].allowed == labelled[0].allowed
    assert all(all(example.allowed) for example in labelled[2:])


def drawn(
    labelled: list[Example], settings: SamplingSettings, count: int = 4000, seconds: float = 2.0
) -> list[Example]:
    random = np.random.default_rng(0)
    sampler = Sampler(labelled, settings)
    return [sampler.draw(seconds, random) for _ in range(count)]


def test_a_batch_is_made_of_the_parts_asked_for() -> None:
    clips = [Clip(Path(f"e{i}"), EMOTIONAL, "a", emotion="anger") for i in range(10)]
    clips += [Clip(Path(f"p{i}"), PLAIN, f"p{i}") for i in range(10)]
    labelled, _ = examples(clips)
    found = drawn(labelled, SamplingSettings(emotional=0.4, non_speech=0.1, flatness=1.0))
    parts = Counter("none" if e.clip is None else e.clip.corpus for e in found)
    # The rest, one half, is drawn from all, and half of all are emotional.
    for part, share in (("none", 0.1), (EMOTIONAL, 0.4 + 0.25), (PLAIN, 0.25)):
        assert parts[part] / len(found) == pytest.approx(share, abs=0.03)
    short = drawn(labelled, SamplingSettings(emotional=0.4, non_speech=0.1, flatness=1.0), seconds=1.0)
    emotional = sum(e.emotion != UNKNOWN for e in short) / len(short)
    assert emotional == pytest.approx(0.2 + 0.35, abs=0.03)


def test_a_large_corpus_weighs_less_than_its_size_and_a_weight_more() -> None:
    clips = [Clip(Path(f"l{i}"), "large", f"l{i}", emotion="anger") for i in range(160)]
    clips += [Clip(Path(f"s{i}"), "small", f"s{i}", emotion="anger") for i in range(10)]
    labelled, _ = examples(clips)

    def share(**more: object) -> float:
        settings = SamplingSettings(emotional=1.0, non_speech=0.0, flatness=0.5, **more)  # type: ignore[arg-type]
        found = drawn(labelled, settings)
        return sum(e.clip is not None and e.clip.corpus == "small" for e in found) / len(found)

    assert share() == pytest.approx(1 / 5, abs=0.03)  # 16 times as many weigh 4 times as much
    assert share(corpus_weights={"small": 4.0}) == pytest.approx(1 / 2, abs=0.03)


def test_without_emotions_all_is_drawn_by_speaker() -> None:
    clips = [Clip(Path(f"a{i}"), PLAIN, "a") for i in range(90)] + [Clip(Path("b"), PLAIN, "b")]
    labelled, _ = examples(clips)
    found = drawn(labelled, SamplingSettings(non_speech=0.0, flatness=0.0))
    assert sum(e.speaker == 1 for e in found) / len(found) == pytest.approx(0.5, abs=0.03)


def test_test_speakers_and_test_noises_are_not_gathered(tmp_path: Path) -> None:
    clips = write_clips(tmp_path)
    moved = [
        Clip(c.path, c.corpus, c.speaker, split="test" if c.split == "valid" else c.split) for c in clips
    ]
    noises = write_noises(tmp_path)
    hidden = [type(n)(n.path, n.kind, "test", n.seconds, n.licence) for n in noises]
    with cache_in(tmp_path / "cache"):
        corpus = gather(moved, noises + hidden)
    assert [clip.split for clip in corpus.train] == ["train"] * 16
    assert corpus.valid == []
    assert all(clip.path not in corpus.cache for clip in moved if clip.split == "test")
    assert [len(noise) for noise in corpus.noises] == [20_000]
    assert [len(response) for response in corpus.responses] == [800]
