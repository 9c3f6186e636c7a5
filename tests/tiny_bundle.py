"""A small untrained bundle: every part of a real one, quick to run. Its answers mean nothing; its paths are real."""

import hashlib
import shutil
import tempfile
import warnings
from pathlib import Path

import torch

import undertone_export
import undertone_models.networks
from undertone_export.bundle import write_bundle
from undertone_models.networks.streaming import StreamingNetwork, StreamingSettings
from undertone_service.bundle.manifest import Licence

NAME = "tiny"
SETTINGS = StreamingSettings(
    stem_channels=(4, 4), width=24, hidden=24, dilations=(1, 2), emotion_pool=8, gender_pool=4, age_pool=4,
    voiceprint_pool=16, voiceprint=16, head=16,
)  # fmt: skip


def tiny_network() -> StreamingNetwork:
    """Return an untrained network whose speech output says yes to everything that VAD and gate let through."""
    torch.manual_seed(7)
    network = StreamingNetwork(SETTINGS).eval()
    torch.nn.init.constant_(network.encoder.speech.bias, 6.0)
    return network


def tiny_bundle(cache: Path) -> Path:
    """Return the folder of the bundle; it is exported once for each state of the code, since that takes a while."""
    key = hashlib.sha256(torch.__version__.encode())
    for package in (undertone_models.networks, undertone_export):
        for source in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            key.update(source.read_bytes())
    folder = cache / f"tiny-bundle-{key.hexdigest()[:16]}"
    if not folder.is_dir():
        partial = Path(tempfile.mkdtemp(dir=cache))  # several test processes may be at it
        licence = Licence(name="none", commercial_use=False, notice="An untrained bundle, for tests only.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own
            write_bundle(tiny_network(), partial / NAME, name=NAME, licence=licence, training={})
        try:
            partial.rename(folder)
        except OSError:  # another was first
            shutil.rmtree(partial)
    return folder
