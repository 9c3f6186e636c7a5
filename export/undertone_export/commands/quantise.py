"""``undertone quantise``."""

import argparse
from pathlib import Path

_CALIBRATED_ON, _COMPARED_ON = 256, 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Make an int8 bundle of a bundle: smaller, somewhat faster, and nearly the same answers."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the bundle")
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="corpora whose valid split scales are measured on, as for training; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the new bundle (default: beside it, -int8)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the comparison, for RESULTS.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Quantise, then compare with the old bundle on other recordings than those that scales were measured on."""
    from dataclasses import asdict

    import numpy as np

    from undertone_export.card import quantised_card
    from undertone_export.comparison import compare
    from undertone_export.evaluation.keeping import keep, typed
    from undertone_export.evaluation.report import Section
    from undertone_export.quantise import quantise
    from undertone_models.data.audio import AudioCache
    from undertone_models.data.corpora import read_corpora
    from undertone_service.bundle.streaming import StreamingBundle

    bundle = StreamingBundle(args.bundle)
    folder = args.out or args.bundle.with_name(f"{args.bundle.name}-int8")
    clips = [clip for clip in read_corpora(args.data)[0] if clip.split == "valid"]
    order = np.random.default_rng(0).permutation(len(clips))[: _CALIBRATED_ON + _COMPARED_ON]
    cache = AudioCache.build([clips[i].path for i in order], "quantise-speech")
    audio = [cache[clips[i].path] for i in order if clips[i].path in cache]
    kept = len(audio) * _CALIBRATED_ON // (_CALIBRATED_ON + _COMPARED_ON)
    manifest = quantise(bundle, folder, audio[:kept])
    comparison = compare(StreamingBundle(folder), bundle, audio[kept:])
    card = (args.bundle / "CARD.md").read_text(encoding="utf-8")
    (folder / "CARD.md").write_text(
        quantised_card(card, bundle.manifest, manifest, comparison), encoding="utf-8"
    )
    print(f"{folder}: {comparison}")
    section = Section(
        kind="quantised",
        title=f"{manifest.name} beside {bundle.manifest.name}",
        command=typed(),
        text=(
            f"Ratios of the 8-bit bundle (digest `{manifest.digest[:16]}`) to the 32-bit one, and the largest "
            f"differences between their answers on recordings of `valid`. One thread; runs interleaved, median."
        ),
        rows=(asdict(comparison),),
    )
    keep(section, manifest.digest, args.json, test=False)
    return 0
