"""Spectra inside the graph: librosa's definitions, as products of frames with tables.

Shapes, for samples [B, N] in [-1, 1] at 16 kHz; time comes before frequency:

    frames [B, T, window] -> power [B, T, fft / 2 + 1] -> mel [B, T, bands] -> coefficients [B, T, C]

Centred frames: the middle of frame t is sample t * hop, zeros stand beyond both ends, T = 1 + N // hop. Otherwise
frame t begins at sample t * hop, and T = 1 + (N - window) // hop.

Compromises: in the graph the DFT is a product with a windowed table of cosines and sines, which takes an FFT of any
length (341 is one) and needs no DFT operator; in PyTorch it is an FFT, 3 to 9 times as fast, which training feels. All
in float32.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 16000
_POWER_FLOOR = 1e-10
_SMALL = 1e-5

Normalisation = Literal["none", "standardise", "minmax"]


@dataclass(frozen=True)
class SpectrogramSettings:
    """Frames of ``window`` samples every ``hop``, padded with zeros to ``fft``."""

    window: int = 400
    hop: int = 160
    fft: int = 512
    shape: Literal["hann", "hamming"] = "hann"
    centred: bool = True


@dataclass(frozen=True)
class MelSettings(SpectrogramSettings):
    """Mel bands between two frequencies in Hz; what lies above 8 kHz is capped there."""

    bands: int = 80
    lowest: float = 0.0
    highest: float = SAMPLE_RATE / 2
    decibels: bool = True
    """10 log10 of the power, floored at -100 dB; otherwise the power."""
    dynamics: float | None = None
    """Decibels under the clip's loudest band and frame that nothing falls below."""


class Spectrogram(nn.Module):
    """Power spectrum: samples f32[B, N] -> f32[B, T, fft / 2 + 1]."""

    def __init__(self, settings: SpectrogramSettings) -> None:
        super().__init__()
        self.settings = settings
        shapes = {"hann": torch.hann_window, "hamming": torch.hamming_window}
        window = shapes[settings.shape](settings.window, periodic=True, dtype=torch.float64)
        self.window: Tensor
        self.register_buffer("window", window.float(), persistent=False)
        sample = torch.arange(settings.window, dtype=torch.float64)
        bins = torch.arange(settings.fft // 2 + 1, dtype=torch.float64)
        angle = 2 * math.pi / settings.fft * sample[:, None] * bins
        table = window[:, None] * torch.cat([torch.cos(angle), torch.sin(angle)], dim=1)
        self.table: Tensor
        self.register_buffer("table", table.float(), persistent=False)

    def frames(self, samples: Tensor) -> Tensor:
        """Samples f32[B, N] -> f32[B, T, window]."""
        size = self.settings.window
        if self.settings.centred:
            samples = functional.pad(samples, (size // 2, size - size // 2))
        return samples.unfold(1, size, self.settings.hop)

    def power(self, frames: Tensor) -> Tensor:
        """Frames f32[B, T, window] -> f32[B, T, fft / 2 + 1]."""
        if torch.compiler.is_exporting():
            real, imaginary = (frames @ self.table).chunk(2, dim=2)
        else:
            spectrum = torch.fft.rfft(frames * self.window, n=self.settings.fft)
            real, imaginary = spectrum.real, spectrum.imag
        return real * real + imaginary * imaginary

    def forward(self, samples: Tensor) -> Tensor:
        return self.power(self.frames(samples))


class MelSpectrogram(nn.Module):
    """Mel spectrum: samples f32[B, N] -> f32[B, T, width]."""

    def __init__(self, settings: MelSettings) -> None:
        super().__init__()
        self.spectrogram = Spectrogram(settings)
        self.decibels = settings.decibels
        self.dynamics = settings.dynamics
        self.width = settings.bands
        self.filters: Tensor
        self.register_buffer("filters", torch.from_numpy(mel_filters(settings)), persistent=False)

    def of_power(self, power: Tensor) -> Tensor:
        """Power f32[B, T, fft / 2 + 1] -> f32[B, T, width]."""
        mel = power @ self.filters
        if not self.decibels:
            return mel
        mel = decibels(mel)
        return (
            mel
            if self.dynamics is None
            else torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - self.dynamics)
        )

    def forward(self, samples: Tensor) -> Tensor:
        return self.of_power(self.spectrogram(samples))


class Mfcc(MelSpectrogram):
    """Mel-frequency cepstral coefficients: the first of the orthonormal DCT-II over the mel bands."""

    def __init__(self, settings: MelSettings, coefficients: int = 13) -> None:
        super().__init__(settings)
        self.width = coefficients
        self.cosines: Tensor
        self.register_buffer("cosines", cosine_table(settings.bands, coefficients), persistent=False)

    def of_power(self, power: Tensor) -> Tensor:
        return super().of_power(power) @ self.cosines


class ClipNormaliser(nn.Module):
    """Each clip of features f32[B, T, F] as it is, with mean 0 and deviation 1, or between 0 and 1."""

    def __init__(self, mode: Normalisation) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, features: Tensor) -> Tensor:
        if self.mode == "none":
            return features
        if self.mode == "standardise":
            return standardised(features, (1, 2))
        low, high = features.amin(dim=(1, 2), keepdim=True), features.amax(dim=(1, 2), keepdim=True)
        return (features - low) / torch.clamp(high - low, min=_SMALL)


def mel_or_mfcc(kind: Literal["mel", "mfcc"], settings: MelSettings, coefficients: int) -> MelSpectrogram:
    """Return the front end of that name; ``coefficients`` are those of the MFCC."""
    return MelSpectrogram(settings) if kind == "mel" else Mfcc(settings, coefficients)


def decibels(power: Tensor) -> Tensor:
    """Power to decibels, floored at -100 dB."""
    return 10 * torch.log10(torch.clamp(power, min=_POWER_FLOOR))


def standardised(features: Tensor, dimensions: tuple[int, ...]) -> Tensor:
    """Take mean and standard deviation over these dimensions out of the features."""
    centred = features - features.mean(dim=dimensions, keepdim=True)
    return centred / ((centred * centred).mean(dim=dimensions, keepdim=True).sqrt() + _SMALL)


def bin_frequencies(fft: int) -> NDArray[np.float64]:
    """Frequencies in Hz of an FFT's bins, f64[fft / 2 + 1]."""
    return np.asarray(np.fft.rfftfreq(fft, 1 / SAMPLE_RATE), np.float64)


def cosine_table(bands: int, coefficients: int) -> Tensor:
    """Orthonormal DCT-II as a table f32[bands, coefficients]."""
    angle = np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(coefficients))
    table = np.sqrt(2 / bands) * np.cos(angle)
    table[:, 0] /= np.sqrt(2)
    return torch.from_numpy(table.astype(np.float32))


def mel_filters(settings: MelSettings) -> NDArray[np.float32]:
    """Slaney's filter bank f32[fft / 2 + 1, bands]: triangles of equal area on a scale linear up to 1 kHz."""
    top = min(settings.highest, SAMPLE_RATE / 2)
    corners = _hertz(np.linspace(_mel(settings.lowest), _mel(top), settings.bands + 2))
    frequency = bin_frequencies(settings.fft)[:, None]
    rising = (frequency - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - frequency) / np.diff(corners)[1:]
    filters = np.maximum(0, np.minimum(rising, falling)) * 2 / (corners[2:] - corners[:-2])
    return filters.astype(np.float32)


_LINEAR = 200 / 3  # Hz a mel, up to 1 kHz
_KNEE = 1000 / _LINEAR
_LOGARITHMIC = math.log(6.4) / 27  # of the frequency, a mel


def _mel(hertz: float) -> float:
    return hertz / _LINEAR if hertz < 1000 else _KNEE + math.log(hertz / 1000) / _LOGARITHMIC


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear, logarithmic = _LINEAR * mel, 1000 * np.exp(_LOGARITHMIC * (mel - _KNEE))
    return np.asarray(np.where(mel < _KNEE, linear, logarithmic), np.float64)
