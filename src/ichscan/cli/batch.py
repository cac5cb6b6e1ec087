"""`ichscan batch`: many scans, one result JSON per series, on all cores or on the machines of a cluster."""

import argparse
from collections import Counter
from pathlib import Path

from ichscan.cli.parser import NOTICE
from ichscan.cli.predict import window
from ichscan.cli.rate import RateBar
from ichscan.cli.terminal import complain, printable
from ichscan.cli.workers import add_workers, open_workers
from ichscan.errors import InputError

NOT_ALL: int = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.description = (
        "Analyses many head CT scans and writes one result JSON per series. The same command continues a run that was "
        f"ended: series whose result is there are counted and skipped. {NOTICE}"
    )
    add = parser.add_argument
    add(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="folder, file, zip archive or DICOMDIR; one per study is best",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    add("--model", type=Path, metavar="B", help="folder of a model bundle, or name of a packaged model")
    add("--window", type=window, metavar="C,W", help="centre and width in HU of the window that 8-bit pictures show")
    add_workers(parser)


def run(arguments: argparse.Namespace) -> int:
    """Analyses; 0 when all was analysed (now or before), 1 when something was not."""
    from ichscan.batch import predict_batch

    counts: Counter[str] = Counter()
    with open_workers(arguments.ray, arguments.workers) as executor, RateBar("series") as bar:
        results = predict_batch(
            arguments.paths, arguments.out, executor, model=arguments.model, window=arguments.window
        )
        for one in results:
            counts.update([one.status, *(["before"] if one.before else [])])
            bar.update(counts.total() - counts["before"], counts.total() - counts["before"], counts["before"])
            if one.status != "analysed":
                complain(f"{one.status.replace('_', ' ')}: {one.name}: {one.reason}")
    series = counts.total() - counts["before"]
    if not series:
        raise InputError(f"{arguments.paths[0]}: no image found; expected head CT slices")
    print(
        f"{series:,} series and unreadable files: {counts['analysed']:,} analysed, {counts['not_analysable']:,} not "
        f"analysable, {counts['failed']:,} failed; {counts['before']:,} of them were there before"
    )
    print(printable(f"Results are in {arguments.out}. {NOTICE}"))
    return 0 if counts["analysed"] == series else NOT_ALL
