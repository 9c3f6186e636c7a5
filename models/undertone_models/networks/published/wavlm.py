"""WavLM (Chen et al. 2022) as a frozen encoder, from a checkpoint folder in the Hugging Face format.

    samples [B, N] -> last hidden states [B, about 50 a second, 768], for the base model

The weights are not ours to ship: they are the user's. ``transformers`` comes with the extra ``[wavlm]``.
"""

import importlib
from pathlib import Path

from torch import Tensor

from undertone_models.networks.published.encoders import FrameEncoder
from undertone_models.networks.published.front_ends import standardised
from undertone_service.protocol.errors import ErrorCode, UndertoneError


class WavlmFrames(FrameEncoder):
    """Last hidden states of the WavLM checkpoint in ``folder``.

    Raises:
        UndertoneError: ``bad_request`` where ``transformers`` is absent or the folder holds no checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        try:
            transformers = importlib.import_module("transformers")
        except ImportError:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                "WavLM needs the package transformers.",
                "Run: pip install 'undertone[wavlm]'.",
            ) from None
        try:
            model = transformers.WavLMModel.from_pretrained(folder, local_files_only=True)
        except OSError as error:
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"{folder} holds no WavLM checkpoint: {error}",
                "Give a folder with config.json and model.safetensors, as Hugging Face has them.",
            ) from None
        super().__init__(model, model.config.hidden_size)
        # Checkpoints with layer norms in the feature extractor were trained on standardised waveforms, others on raw.
        self.standardise = model.config.feat_extract_norm == "layer"

    def forward(self, samples: Tensor) -> Tensor:
        if self.standardise:
            samples = standardised(samples, (1,))
        frames: Tensor = self.module(samples).last_hidden_state
        return frames
