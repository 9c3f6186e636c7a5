"""``undertone bench``: how many live streams a server carries, over real sockets."""

import argparse
import json
import os
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from undertone_client.arguments import stream_options
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.options import Encoding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from undertone_client.bench.trial import Conditions


def configure(parser: argparse.ArgumentParser) -> None:
    """Measure how many live streams of speech a server carries over real sockets."""
    parser.epilog = (
        "Without --url it starts a server on one core and makes the load on the others. `undertone bench --engine` "
        "measures without sockets; `undertone bench --peer` what a pipeline of usual networks takes; each has --help."
    )
    parser.add_argument(
        "--speech", type=Path, nargs="+", required=True, metavar="FILE", help="recordings of people who speak"
    )
    parser.add_argument(
        "--load",
        choices=("dense", "call"),
        default="dense",
        help="speech nearly all the time, or 45 %% of it (default: %(default)s)",
    )
    parser.add_argument(
        "--streams", type=int, metavar="N", help="try this number only, instead of the largest that passes"
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="measured length of each trial (default: %(default)s)"
    )
    parser.add_argument(
        "--p99",
        type=milliseconds,
        default=300.0,
        metavar="TIME",
        help="what 99 %% of results have to stay under (default: 300ms)",
    )
    parser.add_argument(
        "--frame", type=milliseconds, default=20.0, metavar="TIME", help="audio a message (default: 20ms)"
    )
    parser.add_argument("--sample-rate", type=int, choices=(8000, 16000), default=16000)
    parser.add_argument(
        "--encoding", choices=[encoding.value for encoding in Encoding], default=Encoding.S16LE.value
    )
    parser.add_argument(
        "--window", type=float, default=3.0, metavar="SECONDS", help="audio that a result speaks of"
    )
    parser.add_argument("--hop", type=float, default=0.5, metavar="SECONDS", help="time between results")
    parser.add_argument(
        "--url",
        help="a running server (default: one of the bench's own); an API key is read from $UNDERTONE_API_KEY",
    )
    parser.add_argument(
        "--bundle", metavar="NAME", help="model that answers (default: the server's own choice)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the trials, for RESULTS.md")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw p99 against the number of streams (PNG)"
    )
    parser.set_defaults(run=run, verify=(), identify=False)


def milliseconds(text: str) -> float:
    """Read a time: ``milliseconds("300ms") == milliseconds("0.3s") == milliseconds("300")``."""
    number, factor = (text[:-2], 1.0) if text.endswith("ms") else (text, 1.0)
    if not text.endswith("ms") and text.endswith("s"):
        number, factor = text[:-1], 1000.0
    try:
        return float(number) * factor
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write a time as 300ms or 0.3s") from None


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table, write what was asked for; 0 where a number of streams passes."""
    if arguments.plot:
        import_module("undertone_client.bench.plot")  # first, so that a missing extra is no late surprise
    from undertone_client.bench.bench import Bench
    from undertone_client.bench.judgement import Bounds
    from undertone_client.bench.load import cut_speech, read
    from undertone_client.bench.report import conclusion, report, table

    speech = cut_speech(read(arguments.speech))
    conditions = _conditions(arguments, speech)
    bounds = Bounds(arguments.p99 / 1000, arguments.hop)
    console = Console(stderr=True)
    bench = Bench(conditions, bounds, speech, arguments.url, console)
    trials = bench.run(arguments.streams)
    Console().print(table(trials))
    print(conclusion(trials))
    if arguments.json:
        written = report(conditions, bounds, trials, bench.about, _typed())
        arguments.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        from undertone_client.bench.plot import plot

        plot(trials, bounds, f"{arguments.load} load, {arguments.sample_rate} Hz", arguments.plot)
    return 0 if any(trial.passed for trial in trials) else 1


def _typed() -> str:
    """Return the command as it was typed, without paths that only this machine has."""
    words = [os.path.relpath(word) if word.startswith("/") else word for word in sys.argv[1:]]
    return shlex.join(["undertone", *words])


def _conditions(arguments: argparse.Namespace, speech: "NDArray[np.float32]") -> "Conditions":
    from undertone_client.bench.load import LoadKind
    from undertone_client.bench.trial import Conditions, load_for

    frame_ms = _whole_milliseconds(arguments.frame)
    if arguments.seconds < arguments.hop or (arguments.streams is not None and arguments.streams < 1):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{arguments.streams} streams for {arguments.seconds:g} s give no result to measure.",
            "Ask for at least one stream, and for more seconds than a hop has.",
        )
    options = stream_options(arguments, arguments.sample_rate, 1)
    options = options.model_copy(update={"encoding": Encoding(arguments.encoding)})
    kind = LoadKind(arguments.load)
    return Conditions(load_for(speech, kind, frame_ms), kind, options, frame_ms, arguments.seconds)


def _whole_milliseconds(frame: float) -> int:
    if not (5 <= frame <= 1000 and frame == int(frame)):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"--frame {frame:g}ms is not what senders use.",
            "Give whole milliseconds, 5 to 1000.",
        )
    return int(frame)
