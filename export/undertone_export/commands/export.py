"""``undertone export``."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Turn a trained network into a bundle: graphs, parity check, calibration, card."""
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE",
        help="checkpoint.pt of a run, of the streaming network or of a published system",
    )  # fmt: skip
    parser.add_argument(
        "--by-sex", type=Path, nargs=2, metavar=("MALE", "GENDER"),
        help="of published systems: --checkpoint is the network for women, these are for men and to tell the sex",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the bundle, its name"
    )
    parser.add_argument(
        "--data", action="append", required=True, metavar="NAME=DIR",
        help="the corpora that the run was trained on; their valid split calibrates; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=Path, required=True, metavar="FILE", help="trial list of the valid split"
    )
    parser.add_argument(
        "--noise",
        type=Path,
        metavar="FILE",
        help="table of noises (CSV); its train split bounds what counts as speech, and the noise answered in",
    )
    parser.add_argument("--command", default="", help="the training command, for the card")
    parser.add_argument(
        "--false-accept", type=float, default=0.005,
        help="part of false claims ever accepted on valid, half of what is to hold elsewhere (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--false-reject", type=float, default=0.01,
        help="part of true claims ever rejected on valid (default: %(default)s)",
    )  # fmt: skip
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    """Export; nothing is written where the parity check fails."""
    from undertone_export.export import export
    from undertone_export.window_export import export_window
    from undertone_models.data.corpora import read_corpora
    from undertone_models.data.noise import read_noises
    from undertone_models.data.trials import read_trials
    from undertone_models.windows.checkpoints import is_window_checkpoint

    clips, _ = read_corpora(args.data)
    if is_window_checkpoint(args.checkpoint):
        checkpoints = [args.checkpoint, *(args.by_sex or ())]
        exported, difference = export_window(
            checkpoints, args.out, clips, read_trials(args.trials), command=args.command
        )
        print(f"{args.out}: {difference:.1e} from the network; {', '.join(exported.tasks)}")
        return 0
    if args.by_sex:
        args.refuse("--by-sex is for published systems: the streaming network hears both")
    manifest, parity = export(
        args.checkpoint,
        args.out,
        clips,
        read_trials(args.trials),
        read_noises(args.noise) if args.noise else [],
        command=args.command,
        errors=(args.false_accept, args.false_reject),
        noise_table=args.noise,
    )
    print(f"{args.out}: {parity}")
    print(f"calibration: {manifest.calibration}")
    print(f"least speech: {manifest.minimum_speech}; least SNR in dB: {manifest.minimum_snr}")
    print(f"verification: {manifest.verification}")
    return 0
