"""What corpora and noises allow: one table, and a cautious reading of noise licences."""

from pathlib import Path

import pytest

from undertone_models.data.clips import Clip
from undertone_models.data.corpora import CORPORA
from undertone_models.data.licences import (
    TERMS,
    allows_commerce,
    commercial_clips,
    commercial_noises,
    terms,
)
from undertone_models.data.noise import Noise


def test_every_corpus_that_can_be_read_has_its_terms() -> None:
    assert CORPORA.keys() <= TERMS.keys()


def test_no_non_commercial_licence_counts_as_commercial() -> None:
    for known in TERMS.values():
        if known.commercial:
            assert not any(
                word in known.licence for word in ("NC", "ND", "research", "metadata", "agreement")
            )
        assert known.share_alike == any(word in known.licence for word in ("-SA", "ODbL"))


def test_a_corpus_that_nobody_knows_allows_nothing() -> None:
    assert not terms("own").commercial
    assert "unknown" in terms("own").licence


def test_only_clips_of_corpora_that_allow_it_are_kept() -> None:
    clips = [Clip(Path(name), name, f"{name}_1") for name in ("saa", "librispeech", "own", "crema_d", "tess")]
    assert [clip.corpus for clip in commercial_clips(clips)] == ["librispeech", "crema_d"]


@pytest.mark.parametrize(
    "licence",
    [
        "ESC-10: CC BY 3.0 (see README of the repo)", "Apache-2.0 (repo)", "MIT (repo)", "CC0", "CC0 1.0",
        "Speech Commands CC BY 4.0", "CC BY-SA 4.0",
    ],
)  # fmt: skip
def test_plain_licences_allow_commerce(licence: str) -> None:
    assert allows_commerce(licence)


@pytest.mark.parametrize(
    "licence",
    [
        "", "none", "see OpenAIR terms", "see repo LICENSE.md; partly Speech Commands CC BY 4.0",
        "see the repo; sources: voxengo, CKSDE, adventure-kid", "CC BY-NC 4.0", "CC BY-NC-SA 4.0", "CC BY-ND 4.0",
        "partly CC BY 4.0", "see MIT", "research only", "CC BY 4.0 and others", "NC (CC BY 4.0)",
    ],
)  # fmt: skip
def test_other_licences_do_not(licence: str) -> None:
    assert not allows_commerce(licence)


def test_only_noises_that_allow_it_are_kept() -> None:
    noises = [
        Noise(Path("a"), "noise", "train", 1.0, "MIT (repo)"),
        Noise(Path("b"), "rir", "train", 1.0, "see OpenAIR terms"),
        Noise(Path("c"), "rir", "train", 1.0, "CC BY 4.0"),
    ]
    assert [noise.path.name for noise in commercial_noises(noises)] == ["a", "c"]
