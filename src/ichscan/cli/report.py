"""`ichscan report`: findings of a stored result as text, page, FHIR or DICOM."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.cli.kinds import add_kinds, chosen_kinds
from ichscan.cli.parser import NOTICE
from ichscan.cli.terminal import complain, printable
from ichscan.errors import InputError, UsageError

if TYPE_CHECKING:
    from ichscan.report.exports import Images
    from ichscan.report.findings import Findings

LARGEST: Final = 1 << 30
"""Bytes of a result that are read; one series takes about a hundredth of a megabyte per slice."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT", help="JSON that `ichscan predict` wrote, of one series or of several")
    add("images", nargs="*", type=Path, metavar="IMAGE", help="the images of the result, for --sr, --heatmaps, --html")
    add("--out", type=Path, metavar="DIR", required=True, help="write into this folder")
    add("--model", type=Path, metavar="B", help="bundle that made the result, if it was not the default model")
    add_kinds(add)


def run(arguments: argparse.Namespace) -> int:
    """Writes; 0 when all that was asked for was written, 1 when images of a series are missing."""
    from ichscan.report.exports import FROM_IMAGES, check, export
    from ichscan.report.write import file_stem

    kinds = chosen_kinds(arguments)
    if not kinds:
        raise UsageError("nothing to write; expected at least one of --text, --html, --fhir, --sr, --heatmaps")
    if kinds & FROM_IMAGES and not arguments.images:
        raise UsageError(f"--{min(kinds & FROM_IMAGES)} needs the images: name them after the result")
    check(kinds)
    told = stored_findings(arguments.result)
    found = _images(told, arguments) if arguments.images else iter(())
    waiting, taken, problems = dict(enumerate(told)), set[str](), 0
    stems = [file_stem(findings.series_instance_uid, taken) for findings in told]
    for index, images in found:
        exported = export(waiting.pop(index), images, kinds, arguments.out, stems[index])
        for problem in exported.problems:
            complain(f"{stems[index]}: {problem}")
            problems += 1
    for index, findings in waiting.items():
        if arguments.images:
            complain(f"{stems[index]}: its images are not among those given")
            problems += 1
        export(findings, None, kinds - FROM_IMAGES, arguments.out, stems[index])
    print(printable(f"Reports are in {arguments.out}"))
    print(NOTICE)
    return 1 if problems else 0


def stored_findings(path: Path) -> "list[Findings]":
    """The findings of every object in a result JSON. Raises InputError."""
    from ichscan.report.stored import from_result

    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: expected a result JSON, found a file of more than {LARGEST} bytes")
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as a result JSON ({error}); name a file that ichscan wrote"
        ) from error
    return [from_result(one) for one in (found if isinstance(found, list) else [found])]


def _images(told: "list[Findings]", arguments: argparse.Namespace) -> "Iterator[tuple[int, Images]]":
    """Analyses the images again, since maps are not stored; each with the number of its findings."""
    from ichscan.pipeline import examine
    from ichscan.report.exports import HEATMAPS, Images
    from ichscan.report.files import skull

    missing = [path for path in arguments.images if not path.exists()]
    if missing:
        raise InputError(f"{missing[0]}: no such file or folder; check the name")
    left = dict(enumerate(told))
    found = examine(arguments.images, arguments.model, class_maps=True, fine_maps=getattr(arguments, HEATMAPS))
    for report, volume in found:
        key = (report.series_instance_uid, report.sop_instance_uids)
        for index, findings in left.items():
            if (findings.series_instance_uid, findings.sop_instance_uids) == key:
                if report.prediction is not None and report.prediction.model != findings.model:
                    raise InputError(_other_model(findings))
                del left[index]
                yield index, Images(report, volume, skull(report, volume))
                break


def _other_model(findings: "Findings") -> str:
    model = findings.model
    made = "no model" if model is None else f"{model.name} {model.version} ({model.sha256[:12]})"
    return f"result JSON: made by {made}, the images were now read by another; name the bundle with --model"
