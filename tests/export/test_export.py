"""A trained checkpoint to a bundle that serves, from end to end."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.small_corpus import TINY, VALID, cache_in, valid_trials, write_clips, write_noises
from tests.voices import conversation
from undertone_client.command_line import main
from undertone_export.coverage import LEAST_SPEAKERS
from undertone_export.export import RESEARCH, export
from undertone_export.parity import TOLERANCE, Parity
from undertone_export.recordings import answer_sums, sum_recordings
from undertone_models.data.clips import Clip
from undertone_models.data.trials import write_trials
from undertone_models.training.checkpoints import CHECKPOINT, load_network
from undertone_models.training.corpus import gather
from undertone_models.training.loop import Training
from undertone_service.bundle.library import BundleLibrary
from undertone_service.bundle.manifest import Manifest


@dataclass(frozen=True)
class Exported:
    """What an export was given, and what came of it."""

    run: Path
    bundles: Path
    clips: list[Clip]
    manifest: Manifest
    parity: Parity


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    folder = tmp_path_factory.mktemp("export")
    clips = write_clips(folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with cache_in(folder / "cache"), warnings.catch_warnings():
        training = Training(TINY, gather(clips, []), folder / "run")
        with torch.no_grad():
            training.network.encoder.speech.bias.fill_(6.0)  # six steps do not teach it what speech is
        training.run()
        warnings.simplefilter("ignore")  # the exporter's own
        manifest, parity = export(
            folder / "run" / CHECKPOINT, folder / "bundles" / "small", clips, valid_trials(clips), write_noises(folder),
            command="undertone train streaming --data labels=labels.csv", errors=(0.02, 0.02), hour_steps=700,
            least_speakers=dict.fromkeys(LEAST_SPEAKERS, 1),
        )  # fmt: skip
        yield Exported(folder / "run", folder / "bundles", clips, manifest, parity)
    torch.set_num_threads(threads)


def test_the_bundle_opens_and_answers(exported: Exported) -> None:
    bundle = BundleLibrary([exported.bundles]).get("small")
    assert bundle.manifest.digest == exported.manifest.digest
    assert bundle.manifest.calibration == exported.manifest.calibration
    assert bundle.manifest.verification == exported.manifest.verification
    (answer,) = answer_sums(bundle, sum_recordings(bundle, [conversation()]))
    assert answer is not None
    assert answer.emotion.sum() == pytest.approx(1, abs=1e-5)


def test_it_is_the_network_that_was_trained(exported: Exported) -> None:
    assert max(exported.parity.recordings, exported.parity.silence, exported.parity.hour) <= TOLERANCE
    network = load_network(exported.run / CHECKPOINT)
    assert exported.manifest.statistics_size == network.encoder.statistics_size
    training = exported.manifest.training
    assert (training["steps"], training["seed"]) == (TINY.steps, TINY.seed)


def test_it_is_calibrated_on_the_valid_split(exported: Exported) -> None:
    fresh = Manifest.model_fields["calibration"].default
    assert exported.manifest.calibration != fresh
    assert exported.manifest.calibration.voice != fresh.voice
    assert set(exported.manifest.verification.chosen_for) == {
        "false claims ever accepted", "true claims that end accepted", "true claims not accepted after 10 s",
        "true claims ever rejected",
    }  # fmt: skip
    assert exported.manifest.minimum_snr != Manifest.model_fields["minimum_snr"].default


def test_card_and_licence_name_corpora_and_terms(exported: Exported) -> None:
    folder = exported.bundles / "small"
    assert {path.name for path in folder.iterdir()} == {
        "CARD.md", "LICENSE", "encoder.onnx", "heads.onnx", "manifest.json"
    }  # fmt: skip
    card = (folder / "CARD.md").read_text()
    assert "| fsdd | CC BY-SA 4.0 | 2 | 8 |" in card
    assert "| ravdess | CC BY-NC-SA 4.0 | 2 | 8 |" in card
    assert f"| {VALID} |" not in card, "only what was trained on"
    assert "--data labels=labels.csv" in card
    assert exported.manifest.licence == RESEARCH
    assert (folder / "LICENSE").read_text().startswith(RESEARCH.name)


def test_a_refused_export_leaves_the_folder_as_it_was(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "small"
    old.mkdir()
    (old / "manifest.json").write_text("the former one")
    write_trials(tmp_path / "trials.csv", valid_trials(exported.clips), tmp_path)
    labels = exported.clips[0].path.parent / "labels.csv"
    (tmp_path / "broken.pt").write_text("no checkpoint")
    words = ["export", "--checkpoint", str(tmp_path / "broken.pt"), "--out", str(old)]
    words += ["--data", f"labels={labels}", "--trials", str(tmp_path / "trials.csv")]
    assert main(words) == 1
    assert "cannot be read as a checkpoint" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in old.iterdir()] == [("manifest.json", "the former one")]
