"""What became of the claims of rolling verification, against net seconds of speech: table and picture."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np

from undertone_export.evaluation.bootstrap import figure
from undertone_export.evaluation.measures import mean
from undertone_export.evaluation.report import Figure
from undertone_export.looks import Outcome
from undertone_export.rolling import RollingTrial, Session
from undertone_service.bundle.manifest import Manifest

SECONDS = (1.0, 2.0, 3.0, 5.0, 10.0, float("inf"))
Row = dict[str, object]
Claims = list[tuple[Session, Outcome]]


def report(trial: RollingTrial, manifest: Manifest) -> list[Row]:
    """Return a row for each corpus and each net seconds of speech, over the sessions that have so many.

    False accepts are false claims accepted at any look so far, false rejects true claims at none; in per cent, with
    95 % intervals over the speakers heard. The row of whole sessions also tells how they end, and the median
    seconds of audio until a true claim is accepted.
    """
    groups: dict[str, Claims] = defaultdict(list)
    for session, outcome in trial.outcomes(manifest):
        for corpus in (session.corpus, "all"):
            groups[corpus].append((session, outcome))
    corpora = sorted(groups, key=lambda corpus: (corpus == "all", corpus))
    return [_row(corpus, groups[corpus], seconds) for corpus in corpora for seconds in SECONDS]


def _row(corpus: str, claims: Claims, seconds: float) -> Row:
    whole = np.isinf(seconds)
    long = [(s, o) for s, o in claims if whole or o.heard >= seconds]
    true = [(s, o) for s, o in long if s.genuine]
    false = [(s, o) for s, o in long if not s.genuine]
    row: Row = {
        "corpus": corpus,
        "net seconds": "whole" if whole else f"{seconds:g}",
        "true claims": len(true),
        "false rejects %": _shown(true, [not o.accepted_by(seconds) for _, o in true]),
        "false claims": len(false),
        "false accepts %": _shown(false, [o.accepted_by(seconds) for _, o in false]),
    }
    if whole:
        row |= {
            "true ends rejected %": _shown(true, [o.final == "rejected" for _, o in true]),
            "true ever rejected %": _shown(true, ["rejected" in o.ever for _, o in true]),
            "false ends accepted %": _shown(false, [o.final == "accepted" for _, o in false]),
            "median s to accept a true claim": _median([o.accepted_time for _, o in true]),
            "median s to decide": _median([o.decided_after for _, o in long]),
        }
    return row


def plot(trial: RollingTrial, manifest: Manifest, folder: Path) -> Path:
    """Draw false accepts (dashed) and false rejects against net seconds of speech, a colour for each corpus."""
    picture = matplotlib.figure.Figure(figsize=(6, 5))
    axes = picture.add_subplot()
    outcomes = trial.outcomes(manifest)
    grid = np.arange(0.5, 15.1, 0.5)
    for index, corpus in enumerate(sorted({session.corpus for session, _ in outcomes})):
        own = [(s, o) for s, o in outcomes if s.corpus == corpus]
        for genuine, style in ((True, "-"), (False, "--")):
            rates = [_rate([o for s, o in own if s.genuine is genuine], genuine, n) for n in grid]
            axes.plot(grid, rates, style, color=f"C{index}", label=corpus if genuine else None, linewidth=1)
    axes.set_title("Live verification; dashed: false accepts so far, solid: false rejects", fontsize=10)
    axes.set_xlabel("net seconds of speech")
    axes.set_ylabel("%")
    axes.set_ylim(0, 20)
    axes.legend()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rolling.png"
    picture.savefig(path, dpi=120, bbox_inches="tight")
    return path


def _rate(outcomes: Sequence[Outcome], genuine: bool, seconds: float) -> float:
    wrong = [o.accepted_by(seconds) != genuine for o in outcomes if o.heard >= seconds]
    return 100 * float(np.mean(wrong)) if wrong else float("nan")


def shown(share: Figure) -> str:
    """Return a share in per cent with its interval, as tables show it."""
    if np.isnan(share.value):
        return "–"
    text = f"{100 * share.value:.1f}"
    if share.low is None or share.high is None:
        return text
    return f"{text} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _shown(claims: Claims, wrong: Sequence[bool]) -> str:
    if not wrong:
        return "–"
    values = np.array(wrong, np.float64)
    return shown(figure([s.speaker for s, _ in claims], lambda weights: mean(values, weights)))


def _median(seconds: Sequence[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    return round(float(np.median(known)), 1) if known else None
