"""Losses against values worked out by hand, and that what has no label teaches nothing."""

import math

import pytest
import torch
from torch import Tensor

from undertone_models.networks.streaming import AGE_BINS
from undertone_models.training.batches import UNKNOWN, Batch
from undertone_models.training.losses import AngularMargin, LossSettings, Student, task_losses

NAN = float("nan")
PLAIN = LossSettings(smoothing=0.0, open_choice=0.0, age_absolute=0.0, scale=1.0)


def batch_of(
    *,
    emotion: tuple[int, ...],
    allowed: Tensor | None = None,
    gender: tuple[int, ...] | None = None,
    age: tuple[float, ...] | None = None,
    speaker: tuple[int, ...] | None = None,
    speech: Tensor | None = None,
    mask: Tensor | None = None,
    taught: Tensor | None = None,
) -> Batch:
    count = len(emotion)
    unknown = (UNKNOWN,) * count
    return Batch(
        samples=torch.zeros(count, 1, 1600),
        mask=torch.ones(count, 1, 5) if mask is None else mask,
        first=torch.ones(count, 1, dtype=torch.bool),
        speech=torch.ones(count, 1, 5) if speech is None else speech,
        speaker=torch.tensor(speaker or unknown),
        emotion=torch.tensor(emotion),
        allowed=torch.ones(count, 9, dtype=torch.bool) if allowed is None else allowed,
        gender=torch.tensor(gender or unknown),
        age=torch.tensor(age or (NAN,) * count),
        taught=torch.zeros(count, 6) if taught is None else taught,
    )


class Answers:
    """Logits that learn, and the losses over them."""

    def __init__(self, count: int, speakers: int = 3) -> None:
        torch.manual_seed(0)
        self.logits = {
            "emotion": torch.randn(count, 9, requires_grad=True),
            "gender": torch.randn(count, 2, requires_grad=True),
            "age": torch.randn(count, len(AGE_BINS), requires_grad=True),
            "voiceprint": torch.randn(count, 4, requires_grad=True),
        }
        self.speech = torch.randn(count, 1, 2, requires_grad=True)
        self.margin = AngularMargin(4, speakers, 1.0)
        self.student = Student(4, torch.full((6,), 0.1))

    def losses(self, batch: Batch, settings: LossSettings = PLAIN) -> dict[str, Tensor]:
        outputs = self.logits | {
            "voiceprint": torch.nn.functional.normalize(self.logits["voiceprint"], dim=1)
        }
        return task_losses(outputs, self.speech, batch, self.margin, self.student, 0.2, settings)

    def gradient(self, name: str) -> Tensor:
        values = self.speech if name == "speech" else self.logits[name]
        assert values.grad is not None
        return values.grad


def test_emotion_is_cross_entropy_among_the_emotions_of_the_corpus() -> None:
    allowed = torch.tensor([[True, False, True] + [False] * 6])
    answers = Answers(1)
    loss = answers.losses(batch_of(emotion=(2,), allowed=allowed))["emotion"]
    neutral, _, happiness, *_ = answers.logits["emotion"][0].tolist()
    assert loss.item() == pytest.approx(math.log(1 + math.exp(neutral - happiness)), abs=1e-5)
    loss.backward()
    gradient = answers.gradient("emotion")[0]
    assert not gradient[~allowed[0]].any(), "what the corpus never asked for is neither right nor wrong"
    assert gradient[2] < 0 < gradient[0]


def test_emotion_among_all_labels_weighs_what_open_choice_says() -> None:
    allowed = torch.tensor([[True, False, True] + [False] * 6])
    answers = Answers(1)
    batch = batch_of(emotion=(2,), allowed=allowed)
    closed = answers.losses(batch)["emotion"].item()
    mixed = answers.losses(batch, LossSettings(smoothing=0.0, open_choice=0.3))["emotion"]
    free = -torch.log_softmax(answers.logits["emotion"], dim=1)[0, 2].item()
    assert mixed.item() == pytest.approx(0.7 * closed + 0.3 * free, abs=1e-5)
    mixed.backward()
    assert (answers.gradient("emotion")[0][~allowed[0]] > 0).all()


def test_smoothing_spreads_over_the_allowed_labels() -> None:
    allowed = torch.tensor([[True, False, True] + [False] * 6])
    answers = Answers(1)
    settings = LossSettings(smoothing=0.1, open_choice=0.0)
    loss = answers.losses(batch_of(emotion=(2,), allowed=allowed), settings)["emotion"]
    logs = torch.log_softmax(answers.logits["emotion"][0, [0, 2]], dim=0).tolist()
    assert loss.item() == pytest.approx(-(0.05 * logs[0] + 0.95 * logs[1]), abs=1e-5)


def test_gender_is_the_mean_over_those_known() -> None:
    answers = Answers(3)
    loss = answers.losses(batch_of(emotion=(UNKNOWN,) * 3, gender=(1, UNKNOWN, 0)))["gender"]
    logs = torch.log_softmax(answers.logits["gender"], dim=1)
    assert loss.item() == pytest.approx(-(logs[0, 1] + logs[2, 0]).item() / 2, abs=1e-5)


def test_age_is_least_for_a_bell_round_the_true_age() -> None:
    answers = Answers(1)
    batch = batch_of(emotion=(UNKNOWN,), age=(30.0,))

    def loss_of(bell: Tensor) -> float:
        with torch.no_grad():
            answers.logits["age"][0] = bell
        return answers.losses(batch)["age"].item()

    bells = {years: -((AGE_BINS - years) ** 2) / (2 * PLAIN.age_deviation**2) for years in (26.0, 30.0, 36.0)}
    own = torch.softmax(bells[30.0], dim=0)
    assert loss_of(bells[30.0]) == pytest.approx(
        torch.special.entr(own).sum().item(), abs=1e-4
    )  # its entropy
    assert loss_of(bells[30.0]) < loss_of(bells[26.0]) < loss_of(bells[36.0])


def test_age_counts_years_besides() -> None:
    answers = Answers(1)
    with torch.no_grad():
        answers.logits["age"][0] = torch.where(AGE_BINS == 50, 0.0, -100.0)
    batch = batch_of(emotion=(UNKNOWN,), age=(30.0,))
    with_years = answers.losses(batch, LossSettings(age_absolute=0.5))["age"]
    assert (with_years - answers.losses(batch)["age"]).item() == pytest.approx(0.5 * 20, abs=1e-3)


def test_speech_is_the_part_of_a_frame_that_is_speech_over_heard_frames_only() -> None:
    answers = Answers(1)
    mask = torch.tensor([[[1.0, 1.0, 0.0, 0.0, 0.0]]])  # all within the first of two frames of 50 ms
    speech = torch.tensor([[[1.0, 0.0, 1.0, 1.0, 1.0]]])
    loss = answers.losses(batch_of(emotion=(UNKNOWN,), mask=mask, speech=speech))["speech"]
    logit = answers.speech[0, 0, 0].item()
    wanted = (math.log1p(math.exp(-logit)) + math.log1p(math.exp(logit))) / 2
    assert loss.item() == pytest.approx(wanted, abs=1e-5)
    loss.backward()
    assert not answers.gradient("speech")[0, 0, 1:].any()


def test_the_student_is_right_where_its_map_points_as_the_teacher_does() -> None:
    answers = Answers(2)
    voice = torch.nn.functional.normalize(answers.logits["voiceprint"], dim=1)
    same = (answers.student.map(voice) * 3 + answers.student.mean).detach()
    batch = batch_of(emotion=(UNKNOWN,) * 2, taught=torch.stack([same[0], torch.zeros(6)]))
    assert answers.losses(batch)["taught"].item() == pytest.approx(0, abs=1e-6)
    opposite = batch_of(emotion=(UNKNOWN,) * 2, taught=2 * answers.student.mean - same)
    assert answers.losses(opposite)["taught"].item() == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize(
    ("task", "output"),
    [
        ("emotion", "emotion"),
        ("gender", "gender"),
        ("age", "age"),
        ("speaker", "voiceprint"),
        ("taught", "voiceprint"),
    ],
)
def test_what_has_no_label_teaches_nothing(task: str, output: str) -> None:
    answers = Answers(2)
    taught = torch.stack([torch.rand(6), torch.zeros(6)])
    known = batch_of(
        emotion=(4, UNKNOWN), gender=(0, UNKNOWN), age=(33.0, NAN), speaker=(1, UNKNOWN), taught=taught
    )
    answers.losses(known, LossSettings())[task].backward()
    assert answers.gradient(output)[0].any()
    assert not answers.gradient(output)[1].any()

    nobody = Answers(2)
    loss = nobody.losses(batch_of(emotion=(UNKNOWN, UNKNOWN)), LossSettings())[task]
    loss.backward()
    assert loss.item() == 0
    assert not nobody.gradient(output).any()


def test_a_margin_makes_the_true_speaker_harder() -> None:
    torch.manual_seed(1)
    softmax = AngularMargin(8, 5, 30.0)
    voices = torch.nn.functional.normalize(torch.randn(6, 8), dim=1)
    speaker = torch.tensor([0, 1, 2, 3, 4, 0])
    losses = [softmax(voices, speaker, margin).item() for margin in (0.0, 0.1, 0.2, 0.4)]
    assert losses == sorted(losses)
    assert losses[-1] > losses[0] + 1
    cosine = voices @ torch.nn.functional.normalize(softmax.centres, dim=1).T
    assert losses[0] == pytest.approx(
        torch.nn.functional.cross_entropy(30 * cosine, speaker).item(), rel=1e-4
    )


def test_the_margin_is_an_angle_and_never_a_help() -> None:
    softmax = AngularMargin(2, 2, 1.0)
    with torch.no_grad():
        softmax.centres.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))

    def loss_at(degrees: float, margin: float) -> float:
        angle = math.radians(degrees)
        voice = torch.tensor([[math.cos(angle), math.sin(angle)]])
        return softmax(voice, torch.tensor([0]), margin).item()

    angle = math.radians(40)
    wanted = math.log(1 + math.exp(math.sin(angle) - math.cos(angle + 0.2)))
    assert loss_at(40, 0.2) == pytest.approx(wanted, abs=1e-5)
    for degrees in (0, 90, 165, 175, 180):  # beyond 168.5° the angle and the margin would pass 180°
        assert loss_at(degrees, 0.2) > loss_at(degrees, 0.0)


def test_a_voice_at_its_centre_has_a_finite_gradient() -> None:
    softmax = AngularMargin(2, 2, 30.0)
    voices = torch.nn.functional.normalize(softmax.centres.detach(), dim=1).requires_grad_()
    softmax(voices, torch.tensor([0, 1]), 0.2).backward()
    assert voices.grad is not None
    assert torch.isfinite(voices.grad).all()
