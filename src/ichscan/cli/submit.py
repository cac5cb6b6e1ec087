"""`ichscan submit`: predictions of the RSNA 2019 test slices -> the CSV that the challenge takes."""

import argparse
from pathlib import Path

from ichscan.cli.terminal import printable


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="table .parquet or .csv with slice_id and a probability column per label, or the run folder of "
        "`ichscan train`",
    )
    parser.add_argument(
        "--sample", type=Path, required=True, metavar="CSV", help="the challenge's sample submission of the same stage"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="file to write; replaced when it exists")


def run(arguments: argparse.Namespace) -> int:
    """Writes the submission; 0, or the exit code of the error."""
    from ichscan.evaluate.predictions import read_predictions
    from ichscan.evaluate.submission import build_submission, read_submission, submission_csv
    from ichscan.report.write import write_atomically

    sample = read_submission(arguments.sample)
    path = arguments.predictions
    slice_ids, probabilities = read_predictions(path / "predictions" / "test.parquet" if path.is_dir() else path)
    submission = build_submission(slice_ids, probabilities, sample.ids)
    write_atomically(arguments.out, submission_csv(submission).encode("utf-8"))
    print(printable(f"{arguments.out}: {len(submission.ids):,} rows for {len(slice_ids):,} slices"))
    return 0
