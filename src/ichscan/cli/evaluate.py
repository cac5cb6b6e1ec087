"""`ichscan evaluate`: predictions and labels in, the evidence out: one HTML report, one JSON, tables."""

import argparse
import importlib.util
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from ichscan.cli.rate import RateBar
from ichscan.cli.terminal import printable
from ichscan.errors import MissingExtraError, UsageError

NEEDED: Final = ("pyarrow", "matplotlib", "scipy", "sklearn")
DRAWS: Final = 1000
AUDIT: Final = 20
REFERENCES: Final = ("labels", "readers")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add = parser.add_argument
    add(
        "source",
        metavar="SOURCE",
        help="folder or name of a model bundle (it is run over the store; a killed run goes on), folder of a finished "
        "`ichscan train`, or a table .parquet or .csv with slice_id and a probability column per label",
    )
    add("--data", type=Path, metavar="STORE", help="folder that `ichscan data import` made: labels and images")
    add(
        "--labels",
        type=Path,
        metavar="FILE",
        help="table .parquet or .csv with slice_id and labels, and patient_id and series_uid when it has them: "
        "instead of a store, or of its labels",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="folder for report.html, evaluation.json and tables")
    add(
        "--part",
        default="",
        metavar="PART",
        help="of a run: validation (out of fold, the default) or test; else value of the column part of the data",
    )
    _configure_more(parser)


def _configure_more(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--scans",
        type=Path,
        metavar="FILE",
        help="table with series_uid and predictions of scans, beside a table of slices; without it a scan is as "
        "suspicious as its most suspicious slice",
    )
    _configure_thresholds(parser)
    add("--compare", default="", metavar="OTHER", help="a second source of predictions on the same data")
    add("--allow-missing", action="store_true", help="evaluate the others when over 1 %% of the ids have no partner")
    add("--draws", type=int, default=DRAWS, metavar="N", help=f"bootstrap resamples of patients (default: {DRAWS})")
    add("--seed", type=int, default=0, metavar="N", help="of the resampling (default: 0)")
    _configure_readers(parser)
    add(
        "--prevalence",
        type=float,
        metavar="X",
        help="tell predictive values for this share of patients with hemorrhage",
    )


def _configure_thresholds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--choose",
        metavar="RULE",
        help="choose thresholds on this data: f1, youden, sensitivity=0.95, specificity=0.9 or cost=5:1 (a miss : a "
        "false alarm); refused on a test part",
    )
    parser.add_argument(
        "--thresholds",
        type=Path,
        metavar="FILE",
        help="take those of another evaluation.json, or of a bundle's spec.json",
    )
    parser.add_argument(
        "--write-bundle", type=Path, metavar="DIR", help="with --choose: a copy of the bundle with these thresholds"
    )


def _configure_readers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--readers",
        type=Path,
        metavar="CSV",
        help="reads by people: slice_id, series_uid or patient_id, reader, labels",
    )
    parser.add_argument(
        "--reference",
        choices=REFERENCES,
        default=REFERENCES[0],
        metavar="REFERENCE",
        help="what model and readers are held against: labels (default), or the readers' majority (readers)",
    )
    parser.add_argument(
        "--audit", type=int, default=AUDIT, metavar="N", help=f"doubtful labels to show (default: {AUDIT})"
    )
    parser.add_argument(
        "--grading",
        type=int,
        default=0,
        metavar="N",
        help="also write grading.html, on which readers grade the heat maps of the N most suspicious slices per scan",
    )
    parser.add_argument(
        "--worklist",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the simulated worklist, e.g. per_hour=6 (repeatable; docs/evaluate.md)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluates; 0, or the exit code of the error."""
    if arguments.draws < 0:
        raise UsageError(f"--draws {arguments.draws}: expected 0 or more")
    if arguments.audit < 0:
        raise UsageError(f"--audit {arguments.audit}: expected 0 or more")
    if arguments.grading < 0:
        raise UsageError(f"--grading {arguments.grading}: expected 0 or more")
    if arguments.prevalence is not None and not 0 < arguments.prevalence < 1:
        raise UsageError(f"--prevalence {arguments.prevalence:g}: expected a share between 0 and 1")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"evaluating needs {', '.join(missing)}; pip install 'ichscan[evaluate]'")
    from ichscan.evaluate.operating import parse_rule
    from ichscan.evaluate.part import Options
    from ichscan.evaluate.run import Request, evaluate
    from ichscan.evaluate.triage import Worklist, worklist

    request = Request(
        arguments.source, arguments.data, arguments.labels, arguments.part, arguments.scans, arguments.thresholds,
        parse_rule(arguments.choose) if arguments.choose else None, arguments.write_bundle, arguments.compare,
        arguments.allow_missing,
    )  # fmt: skip
    room = Worklist() if arguments.prevalence is None else Worklist(prevalence=arguments.prevalence)
    options = Options(
        arguments.out, arguments.draws, arguments.seed, arguments.prevalence, readers=arguments.readers,
        reference=arguments.reference, audit=arguments.audit, grading=arguments.grading,
        worklist=worklist(arguments.worklist, room) if arguments.worklist else None,
    )  # fmt: skip
    with ExitStack() as stack:
        report = evaluate(request, options, _tell, _Bar(stack).update)
    print(f"The report is in {printable(str(report))}; for programs: evaluation.json and tables beside it")
    return 0


class _Bar:
    """A bar from the first slice that a bundle predicts to the last; other sources predict none."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._bar: RateBar | None = None

    def update(self, done: int, total: int, before: int) -> None:
        """See `RateBar.update`."""
        if self._bar is None:
            self._bar = self._stack.enter_context(RateBar("slices"))
        self._bar.update(done, total, before)
        if done >= total:
            self._stack.close()
            self._bar = None


def _tell(line: str) -> None:
    print(f"ichscan: {printable(line)}", file=sys.stderr, flush=True)
