"""What a network is asked for, and one linear output for each: a vector f32[B, V] -> a dictionary of task outputs."""

from dataclasses import dataclass

from torch import Tensor, nn

TYPICAL_AGE = 40.0
"""Years that an untrained age output starts from: the squared error of a start at 0 would drown all other losses."""


@dataclass(frozen=True)
class Classes:
    """How many of each the data tells apart; 0 where the network shall have no such output."""

    emotions: int = 0
    genders: int = 0
    age_bands: int = 0
    years: bool = False
    """Whether to answer with an age in years."""
    sex_emotions: int = 0
    """Emotions of women and of men, as classes of their own."""
    speakers: int = 0


class Heads(nn.Module):
    """Linear outputs on one vector f32[B, inputs].

    ``emotion``, ``gender``, ``age_band``, ``sex_emotion`` and ``speaker`` are logits f32[B, classes], ``age`` is
    f32[B] in years; what ``classes`` does not ask for is left out.
    """

    def __init__(self, inputs: int, classes: Classes) -> None:
        super().__init__()
        sizes = {
            "emotion": classes.emotions,
            "gender": classes.genders,
            "age_band": classes.age_bands,
            "sex_emotion": classes.sex_emotions,
            "speaker": classes.speakers,
        }
        self.logits = nn.ModuleDict({name: nn.Linear(inputs, size) for name, size in sizes.items() if size})
        self.age = nn.Linear(inputs, 1) if classes.years else None
        if self.age is not None:
            nn.init.constant_(self.age.bias, TYPICAL_AGE)

    def forward(self, vector: Tensor) -> dict[str, Tensor]:
        answers: dict[str, Tensor] = {name: layer(vector) for name, layer in self.logits.items()}
        if self.age is not None:
            answers["age"] = self.age(vector).squeeze(1)
        return answers
