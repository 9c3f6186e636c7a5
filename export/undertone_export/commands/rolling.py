"""``undertone rolling``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undertone_export.evaluation.report import Section
    from undertone_models.data.clips import Clip
    from undertone_service.bundle.bundle import Bundle

_CORPORA = ("saa", "librispeech")
_CROWD = "saa"
_SHORTEST = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Try rolling verification on all speakers of a split, or identification among many, through serving's code."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="a corpus in its own layout, or labels=FILE.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument("--split", choices=("valid", "test"), default="test", help="default: %(default)s")
    parser.add_argument(
        "--identify", type=int, metavar="VOICES",
        help="search among so many enrolled voices instead of verifying claims",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, for RESULTS.md")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the errors of verification (PNG)")
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    """Enrol, verify or search, and print the outcomes."""
    from undertone_export.evaluation.keeping import keep
    from undertone_models.data.corpora import read_corpora
    from undertone_service.bundle.library import open_bundle

    if args.identify is not None and (args.identify < 2 or args.plots):
        args.refuse("--identify takes two voices or more, and draws no plots")
    bundle = open_bundle(args.bundle)
    clips = read_corpora(args.data)[0]
    section = _identify(bundle, clips, args) if args.identify else _verify(bundle, clips, args)
    keep(section, bundle.manifest.digest, args.json, test=args.split == "test")
    return 0


def _verify(bundle: "Bundle", clips: "list[Clip]", args: argparse.Namespace) -> "Section":
    from undertone_export.evaluation.keeping import typed
    from undertone_export.evaluation.report import Section
    from undertone_export.rolling import IMPOSTORS, stage
    from undertone_export.rolling_report import plot, report
    from undertone_models.data.audio import AudioCache

    clips = [clip for clip in clips if clip.split == args.split and clip.corpus in _CORPORA]
    cache = AudioCache.build([clip.path for clip in clips], f"{args.split}-rolling")
    trial = stage(
        bundle, [clip for clip in clips if clip.path in cache], cache, shortest=_SHORTEST, joined=True
    )
    if args.plots:
        plot(trial, bundle.manifest, args.plots)
    genuine = [session for session in trial.sessions if session.genuine]
    changes = sum(any(look.voiceprint is None for look in session.looks) for session in genuine)
    text = (
        f"{_subject(bundle, args)} Each speaker of {' and '.join(_CORPORA)} is enrolled with the first two clips; the "
        f"others, joined, are a session (at least {_SHORTEST:g} s) with a look each 0.5 s, against the true claim and "
        f"up to {IMPOSTORS} people of the same corpus and sex. False accepts: accepted at any look so far; false "
        f"rejects: at none. In brackets: 95 % intervals over the speakers heard. Thresholds were chosen on `valid`. A "
        f"change of speaker was reported in {changes} of {len(genuine)} sessions, each of one person."
    )
    rows = tuple(report(trial, bundle.manifest))
    return Section(kind="rolling", title="Rolling verification, live", command=typed(), text=text, rows=rows)


def _identify(bundle: "Bundle", clips: "list[Clip]", args: argparse.Namespace) -> "Section":
    from undertone_export.evaluation.keeping import typed
    from undertone_export.evaluation.report import Section
    from undertone_export.identification import FPIR, fnir, rank_one, search
    from undertone_export.rolling import ENROLMENTS, by_speaker
    from undertone_export.rolling_report import shown
    from undertone_models.data.audio import AudioCache

    crowd = [clip for clip in clips if clip.corpus == _CROWD]
    probes = [clip for clip in crowd if clip.split == args.split]
    strangers = by_speaker([clip for clip in crowd if clip.split == "train"])
    bystanders = [clip for own in list(strangers.values())[: args.identify] for clip in own[:ENROLMENTS]]
    cache = AudioCache.build([c.path for c in probes + bystanders], f"{args.split}-identification")
    probes, bystanders = ([c for c in clips if c.path in cache] for clips in (probes, bystanders))
    found = search(bundle, probes, bystanders, cache, size=args.identify)
    mated = sum(one.mated for one in found.searches)
    text = (
        f"{_subject(bundle, args)} Half of the {_CROWD} speakers are enrolled with their first two clips, beside "
        f"{found.bystanders} speakers of the `train` split who fill the gallery up: voices that the network was "
        f"trained to tell apart, so easier to keep out than strangers. Every other clip is searched for, of those "
        f"enrolled (mated) and of the other half (not mated); then the halves swap. FNIR: mated probes that are not "
        f"given their name, where {FPIR:.0%} of the others are given one (FPIR). In brackets: 95 % "
        f"intervals over speakers."
    )
    row = {
        "voices": found.gallery,
        "mated probes": mated,
        "other probes": len(found.searches) - mated,
        f"FNIR at FPIR {FPIR:.0%}": shown(fnir(found)),
        "rank 1 %": shown(rank_one(found)),
    }
    title = f"Identification among {found.gallery} voices"
    return Section(kind="identification", title=title, command=typed(), text=text, rows=(row,))


def _subject(bundle: "Bundle", args: argparse.Namespace) -> str:
    return f"Bundle {bundle.manifest.name}, digest {bundle.manifest.digest[:12]}, split `{args.split}`."
