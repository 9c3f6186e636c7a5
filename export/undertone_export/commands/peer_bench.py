"""``undertone bench --peer``."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Measure what the engine, and a pipeline of usual networks in PyTorch, take for a live stream."""
    parser.description = (
        "The pipeline runs ECAPA-TDNN (1024 channels) and wav2vec 2.0 base over a window of 3 s at every hop of "
        "0.5 s, alone and in batches. All on one core, in one process, on the same speech."
    )
    parser.add_argument(
        "--speech", type=Path, nargs="+", required=True, metavar="FILE",
        help="recordings; their silences are left out",
    )  # fmt: skip
    parser.add_argument("--bundle", metavar="NAME", help="model of the engine (default: the default bundle)")
    parser.add_argument(
        "--streams", type=int, default=100, metavar="N",
        help="streams of the engine, halved until it carries them (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--batch",
        type=int,
        default=32,
        metavar="N",
        help="streams a batch of the peer (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, default=12.0, help="length of each measurement (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table, for RESULTS.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure both, print and save the table."""
    from importlib.metadata import version

    from undertone_export.evaluation.keeping import keep, typed
    from undertone_export.evaluation.report import Section
    from undertone_export.peer_bench import engine_costs, peer_costs
    from undertone_models.data.audio import load_audio
    from undertone_service.bundle.library import BundleLibrary
    from undertone_service.engine_bench import dense_speech, one_core
    from undertone_service.protocol.errors import ErrorCode, UndertoneError
    from undertone_service.settings import Settings

    if args.batch < 1 or args.streams < 1:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, "--batch and --streams count streams.", "Give 1 or more of each."
        )
    one_core()
    settings = Settings()
    bundle = BundleLibrary(settings.bundle_directories, settings.default_bundle).get(args.bundle)
    speech = dense_speech([load_audio(path) for path in args.speech])
    engine = engine_costs(bundle, speech, args.streams, args.seconds)
    costs = [*peer_costs(speech, args.batch, args.seconds), *engine]
    manifest = bundle.manifest
    text = (
        f"Bundle {manifest.name}, digest {manifest.digest[:12]}; window 3 s, hop 0.5 s, dense speech, one core, one "
        "process. Peer: ECAPA-TDNN with 1024 channels, which pools every third frame, and a wav2vec 2.0 base encoder "
        "with pooled linear heads, random "
        f"weights, every window computed anew at every hop (torch {version('torch')}, transformers "
        f"{version('transformers')}). CPU: seconds of a core for each second of each stream; the engine's covers "
        "all that a session does but the socket. The last column is over the last row."
    )
    rows = tuple(cost.row(engine[-1]) for cost in costs)
    title = "CPU for each stream, beside a pipeline of usual networks"
    section = Section(kind="peer-bench", title=title, command=typed(), text=text, rows=rows)
    keep(section, manifest.digest, args.json, test=False)
    return 0
