"""``undertone bench --engine``."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Measure how many live streams the engine alone carries on one core, without sockets."""
    parser.add_argument(
        "--speech",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="recordings; their silences are left out",
    )
    parser.add_argument("--bundle", metavar="NAME", help="model to run (default: the default bundle)")
    parser.add_argument(
        "--streams", type=int, metavar="N", help="try this number only, instead of the largest"
    )
    parser.add_argument(
        "--seconds", type=float, default=12.0, help="length of each trial (default: %(default)s)"
    )
    parser.add_argument(
        "--p99", type=_milliseconds, default=300.0, metavar="TIME", help="bound (default: 300ms)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the loads tried, for RESULTS.md")
    parser.set_defaults(run=run)


def _milliseconds(text: str) -> float:
    return float(text.removesuffix("ms"))


def run(args: argparse.Namespace) -> int:
    """Measure and print; exit status 1 where a given number of streams does not pass."""
    import json
    import sys

    from undertone_service.bundle.library import BundleLibrary
    from undertone_service.dsp import SAMPLE_RATE
    from undertone_service.dsp.resample import resample
    from undertone_service.engine_bench import dense_speech, largest, measure, one_core
    from undertone_service.settings import Settings
    from undertone_service.web.uploads import decode

    settings = Settings()
    one_core()
    bundle = BundleLibrary(settings.bundle_directories, settings.default_bundle).get(args.bundle)
    uploads = [decode(path.read_bytes(), settings.max_upload_seconds) for path in args.speech]
    speech = dense_speech([resample(u.samples.mean(axis=1), u.sample_rate, SAMPLE_RATE) for u in uploads])
    loads = (
        [measure(bundle, speech, args.streams, args.seconds, args.p99)]
        if args.streams is not None
        else largest(bundle, speech, args.seconds, args.p99)
    )
    for load in loads:
        print(load)
    if args.json:
        report = {
            "kind": "engine-bench",
            "title": "Engine alone: live streams on one core",
            "command": f"undertone {' '.join(sys.argv[1:])}",
            "text": f"Bundle {bundle.manifest.name}, digest {bundle.manifest.digest[:12]}; window 3 s, hop 0.5 s, "
            "all tasks and verification; a number passes when p99 of the result latency stays under "
            f"{args.p99:g} ms.",
            "rows": [load.row() for load in loads],
        }
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if any(load.passed for load in loads) else 1
