"""Front ends: closed forms, NumPy's FFT in float64, and librosa where it is installed."""

from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.voices import voice
from undertone_models.networks.published import (
    cnn_blstm_attention,
    ecapa_tdnn,
    emotion_1d,
    multifeature,
    persona,
    xvector,
)
from undertone_models.networks.published.front_ends import (
    ClipNormaliser,
    MelSettings,
    MelSpectrogram,
    Mfcc,
    Spectrogram,
    SpectrogramSettings,
    cosine_table,
    mel_filters,
    standardised,
)
from undertone_models.networks.published.spectral_shapes import SHAPES, SpectralShapes

MELS = {
    "cnn_blstm_attention": cnn_blstm_attention.MEL,
    "ecapa_tdnn": ecapa_tdnn.MEL,
    "emotion_1d": emotion_1d.MEL,
    "multifeature": multifeature.MEL,
    "persona": persona.MEL,
    "xvector": xvector.MEL,
}
BIN = 16000 / 1024


@pytest.fixture(scope="module")
def samples() -> NDArray[np.float32]:
    return voice(1.2, pitch=140, seed=3)


@pytest.fixture
def librosa() -> ModuleType:
    module = pytest.importorskip("librosa", reason="librosa, the reference, is not installed")
    assert isinstance(module, ModuleType)
    return module


def batch(samples: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(samples)[None]


def shapes_of(samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    spectrogram = Spectrogram(multifeature.MEL)
    frames = spectrogram.frames(batch(samples))
    answers = SpectralShapes(1024)(frames, spectrogram.power(frames))
    return {name: value[0].numpy() for name, value in answers.items()}


@pytest.mark.parametrize("shape", ["hann", "hamming"])
@pytest.mark.parametrize(("window", "hop", "fft"), [(341, 85, 341), (352, 176, 1024), (400, 160, 512)])
@pytest.mark.parametrize("centred", [True, False])
def test_power_is_that_of_an_fft(
    samples: NDArray[np.float32], shape: str, window: int, hop: int, fft: int, centred: bool
) -> None:
    settings = SpectrogramSettings(window, hop, fft, shape, centred)  # type: ignore[arg-type]
    power = Spectrogram(settings)(batch(samples))[0].numpy()
    heard = samples.astype(np.float64)
    if centred:
        heard = np.pad(heard, (window // 2, window))
    floor = {"hann": 0.5, "hamming": 0.54}[shape]
    weights = floor - (1 - floor) * np.cos(2 * np.pi * np.arange(window) / window)
    count = 1 + len(samples) // hop if centred else 1 + (len(samples) - window) // hop
    frames: NDArray[np.float64] = np.stack([heard[t * hop : t * hop + window] for t in range(count)])
    expected = np.abs(np.fft.rfft(frames * weights, fft)) ** 2
    assert power.shape == expected.shape
    np.testing.assert_allclose(power, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_a_tone_has_the_shapes_of_its_three_bins() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000 + 0.1)).astype(np.float32)
    shapes = shapes_of(tone)  # Hann's window puts a quarter, a half and a quarter in the bins 63, 64 and 65
    np.testing.assert_allclose(shapes["centroid"], 1000, rtol=1e-3)
    np.testing.assert_allclose(shapes["bandwidth"], BIN * 0.5**0.5, rtol=0.05)
    np.testing.assert_allclose(shapes["rolloff"], 65.4 * BIN, rtol=1e-3)
    np.testing.assert_allclose(shapes["rms"], 0.5 / 2**0.5, rtol=1e-4)
    np.testing.assert_allclose(shapes["zero_crossing_rate"], 2 * 1000 / 16000, atol=1 / 1024)


def test_silence_has_no_shape_and_the_lowest_level() -> None:
    silence = np.zeros(4000, np.float32)
    assert all((value == 0).all() for value in shapes_of(silence).values())
    assert (MelSpectrogram(MelSettings())(batch(silence)) == -100).all()


@pytest.mark.parametrize("mode", ["none", "standardise", "minmax"])
def test_a_clip_of_one_level_normalises_to_numbers(mode: str) -> None:
    normaliser = ClipNormaliser(mode)  # type: ignore[arg-type]
    assert normaliser(torch.full((2, 5, 3), -100.0)).isfinite().all()


def test_normalisations() -> None:
    features = torch.randn(3, 50, 8) * torch.tensor([1.0, 5.0, 20.0])[:, None, None] - 30
    assert torch.equal(ClipNormaliser("none")(features), features)
    standard, unit = ClipNormaliser("standardise")(features), ClipNormaliser("minmax")(features)
    torch.testing.assert_close(standard.mean(dim=(1, 2)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.std(dim=(1, 2), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert (unit.amin(dim=(1, 2)) == 0).all()
    torch.testing.assert_close(unit.amax(dim=(1, 2)), torch.ones(3))
    torch.testing.assert_close(standardised(features, (1,)).mean(dim=1), torch.zeros(3, 8), atol=1e-4, rtol=0)


def test_the_cosine_table_is_orthonormal() -> None:
    table = cosine_table(40, 40)
    torch.testing.assert_close(table.T @ table, torch.eye(40), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", MELS)
def test_every_band_holds_a_bin(name: str) -> None:
    filters = mel_filters(MELS[name])
    assert filters.shape == (MELS[name].fft // 2 + 1, MELS[name].bands)
    assert (filters.max(axis=0) > 0).all()


def test_bands_have_equal_areas_and_end_at_8_khz() -> None:
    settings = MelSettings(fft=4096, bands=40, highest=9000.0)
    filters = mel_filters(settings)
    np.testing.assert_allclose(filters.sum(axis=0) * 16000 / 4096, 1, rtol=0.02)
    assert np.array_equal(filters, mel_filters(MelSettings(fft=4096, bands=40)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MELS)
def test_filters_are_those_of_librosa(librosa: ModuleType, name: str) -> None:
    mel = MELS[name]
    top = min(mel.highest, 8000)
    expected = librosa.filters.mel(sr=16000, n_fft=mel.fft, n_mels=mel.bands, fmin=mel.lowest, fmax=top)
    np.testing.assert_allclose(mel_filters(mel).T, expected, rtol=1e-4, atol=1e-8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MELS)
def test_mel_and_mfcc_are_those_of_librosa(
    librosa: ModuleType, samples: NDArray[np.float32], name: str
) -> None:
    mel = MELS[name]
    power = librosa.feature.melspectrogram(
        y=samples, sr=16000, n_fft=mel.fft, win_length=mel.window, hop_length=mel.hop, window=mel.shape,
        center=mel.centred, n_mels=mel.bands, fmin=mel.lowest, fmax=min(mel.highest, 8000),
    )  # fmt: skip
    expected = librosa.power_to_db(power, ref=1.0, top_db=mel.dynamics)
    # At the floor, 90 dB under the loudest, two FFTs in float32 differ by some hundredths.
    np.testing.assert_allclose(MelSpectrogram(mel)(batch(samples))[0].T, expected, atol=0.05)
    coefficients = librosa.feature.mfcc(S=expected, n_mfcc=13)
    np.testing.assert_allclose(Mfcc(mel)(batch(samples))[0].T, coefficients, atol=0.05)


@pytest.mark.filterwarnings("ignore")
def test_shapes_are_those_of_librosa(librosa: ModuleType, samples: NDArray[np.float32]) -> None:
    feature = librosa.feature
    spectral = {"y": samples, "sr": 16000, "n_fft": 1024, "hop_length": 256, "center": False}
    framed = {"y": samples, "frame_length": 1024, "hop_length": 256, "center": False}
    expected = {
        "rolloff": feature.spectral_rolloff(**spectral, roll_percent=0.85),
        "centroid": feature.spectral_centroid(**spectral),
        "bandwidth": feature.spectral_bandwidth(**spectral),
        "zero_crossing_rate": feature.zero_crossing_rate(**framed),
        "rms": feature.rms(**framed),
    }
    ours = shapes_of(samples)
    assert tuple(ours) == SHAPES == tuple(expected)
    beyond = ours.pop("rolloff") - expected.pop("rolloff")[0]  # inside librosa's bin, see there
    assert (beyond >= -1e-2).all()
    assert (beyond <= BIN + 1e-2).all()
    for name, value in ours.items():
        np.testing.assert_allclose(value, expected[name][0], rtol=1e-4, err_msg=name)
