"""Networks whose front learns nothing, so that what it makes of a clip may be kept while the rest is trained."""

from torch import Tensor, nn


class Fronted(nn.Module):
    """Samples f32[B, N] -> what ``answer`` makes of what ``front`` makes of them."""

    front: nn.Module
    """Samples f32[B, N] -> f32[B, ...]: a spectrum, or a frozen encoder."""
    window_samples: int
    marks: int = 0
    """How many of the front's last columns say what is padding: never hidden from the rest."""

    def answer(self, heard: Tensor) -> dict[str, Tensor]:
        """Return the outputs from what the front gives."""
        raise NotImplementedError

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        return self.answer(self.front(samples))
