"""What `predict` and `demo` share: analyse paths, show tables, write files."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.cli.parser import NOTICE
from ichscan.cli.progress import Bar
from ichscan.cli.table import show_report
from ichscan.cli.terminal import complain, printable, remark, tail
from ichscan.errors import InputError, OutputError
from ichscan.pipeline import examine
from ichscan.types import Report

if TYPE_CHECKING:
    from rich.console import Console

STDOUT: Final = "-"
NOT_ANALYSED: Final = 1


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go.

    Attributes:
        json: file for the array of all results, "-" for stdout, None for none.
        folder: for one JSON and one contact sheet per series, or None.
        kinds: what else to write per series, see `ichscan.report.exports.KINDS`.
    """

    json: str | None = None
    folder: Path | None = None
    kinds: frozenset[str] = frozenset()


def run_prediction(
    paths: Sequence[Path],
    outputs: Outputs,
    *,
    model: Path | None = None,
    window: tuple[float, float] | None = None,
) -> int:
    """Analyses everything in `paths`; returns the exit code.

    A result that cannot be written does not stop the analysis of the others.

    Raises:
        InputError: a path does not exist, or nothing in them is an image.
        BundleError: the model cannot be used.
        OutputError: the folder for results cannot be made.
    """
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise InputError(f"{missing[0]}: no such file or folder; check the name")
    console = None if outputs.json == STDOUT else _console()
    writer = None
    if outputs.folder is not None:
        from ichscan.report.files import SeriesWriter

        writer = SeriesWriter(outputs.folder, outputs.kinds)
    reports: list[Report] = []
    results: list[dict[str, Any]] = []
    failures: list[OutputError] = []
    bar = Bar()
    with bar.shown():
        fine = "heatmaps" in outputs.kinds
        found = examine(paths, model, window, class_maps=writer is not None, fine_maps=fine, progress=bar.callbacks())
        for report, volume in found:
            written: tuple[Path, ...] = ()
            told = None
            try:
                if writer is not None:
                    done = writer.write(report, volume)
                    told, written = done.result, done.paths
                    failures += _not_made(report, done.problems)
            except OutputError as error:  # the other series may be smaller, and their tables are still wanted
                failures.append(error)
            del volume  # before the next series is read
            if console is not None:
                with bar.hidden():
                    show_report(console, report, [path for path in written if path.suffix == ".png"])
            reports.append(without_maps(report))
            if outputs.json is not None:
                results.append(told or _result(reports[-1]))
    if outputs.json is not None:
        try:
            _write_json(outputs.json, results)
        except OutputError as error:
            failures.append(error)
    _close(console, outputs, bar.skipped)
    if not reports:
        message = f"{paths[0]}: no image found; expected a folder, file or archive with head CT slices. {bar.skipped}"
        raise InputError(message.rstrip())
    return _exit_code(reports, failures)


def _close(console: "Console | None", outputs: Outputs, skipped: str) -> None:
    """The last lines: where things are, what was passed over, what a result is."""
    if console is None:
        for line in filter(None, (skipped, NOTICE)):
            remark(line)
        return
    where = f"Results and pictures are in {outputs.folder}" if outputs.folder is not None else ""
    for line in filter(None, (where, skipped, NOTICE)):
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _exit_code(reports: list[Report], failures: list[OutputError]) -> int:
    """Names on stderr everything that went wrong; what could not be written weighs more than what was refused."""
    refused = [report for report in reports if report.status != "analysed"]
    for report in refused:
        complain(f"not analysed: {_name(report)}: {report.reason}")
    for error in failures:
        complain(str(error))
    if failures:
        return OutputError.exit_code
    return NOT_ANALYSED if refused else 0


def without_maps(report: Report) -> Report:
    """The report without class maps, which are needed for pictures only."""
    if report.prediction is None or report.prediction.class_maps is None:
        return report
    return replace(report, prediction=replace(report.prediction, class_maps=None, lesion_maps=None))


def _name(report: Report) -> str:
    uid = tail(report.series_instance_uid, 24)
    return f"{report.description} {uid}".strip()


def _not_made(report: Report, problems: Sequence[str]) -> list[OutputError]:
    """Exports that could not be made; of a series that was not analysed, that failure is told already."""
    if report.status == "analysed":
        return [OutputError(f"{_name(report)}: {problem}") for problem in problems]
    for problem in problems:
        remark(f"{_name(report)}: {problem}")
    return []


def _result(report: Report) -> dict[str, Any]:
    """The result without images, so that findings have no places."""
    from ichscan.report.find import find
    from ichscan.report.result import result
    from ichscan.report.stored import stored

    return result(report, stored(find(report)))


def _write_json(target: str, results: list[dict[str, Any]]) -> None:
    from ichscan.report.result import to_json

    text = to_json(results)
    if target == STDOUT:
        sys.stdout.write(text)
        return
    from ichscan.report.write import write_atomically

    write_atomically(Path(target), text.encode("utf-8"))


def _console() -> "Console":
    from rich.console import Console

    return Console(file=sys.stdout, emoji=False)
