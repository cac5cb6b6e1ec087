"""`ichscan data`: labelled collections into a store, its check, its exploration, its splits."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ichscan.cli.rate import RateBar
from ichscan.cli.terminal import complain, printable
from ichscan.cli.workers import add_workers, open_workers
from ichscan.datasets.sources import KINDS
from ichscan.datasets.splits import KINDS as SPLITS
from ichscan.datasets.splits import PAPERS
from ichscan.errors import DataError


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    _configure_import(actions.add_parser("import", help="a labelled collection into a store", allow_abbrev=False))
    verify = actions.add_parser("verify", help="every slice against its checksum, tables against each other")
    verify.add_argument("store", type=Path, metavar="STORE", help="folder of the store")
    profile = actions.add_parser("profile", help="what is in a store, as an HTML report and JSON")
    profile.add_argument("store", type=Path, metavar="STORE", help="folder of the store")
    profile.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the report is written")
    _configure_split(actions.add_parser("split", help="divide the patients of a store, and keep that under a name"))


def _configure_import(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Imports a labelled collection. The same command continues an import that was ended, and does nothing when all "
        "is done. What is odd or left out is listed in STORE/problems.csv."
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True, title="kinds of collections")
    for name, kind in KINDS.items():
        child = kinds.add_parser(name, help=kind.summary, description=f"{kind.summary}.", allow_abbrev=False)
        child.add_argument("source", type=Path, metavar="SOURCE", help=kind.source)
        child.add_argument("--out", type=Path, required=True, metavar="STORE", help="folder of the store")
        if kind.labels is not None:
            child.add_argument("--labels", type=Path, metavar="FILE", help=kind.labels)
        add_workers(child)


def _configure_split(parser: argparse.ArgumentParser) -> None:
    said = "; ".join(f"{name}: {what}" for name, what in SPLITS.items())
    parser.add_argument("store", type=Path, metavar="STORE", help="folder of the store")
    parser.add_argument("--kind", required=True, metavar="KIND", help=f"{said}; or a paper's: {', '.join(PAPERS)}")
    parser.add_argument("--name", metavar="NAME", help="default: the kind and the seed")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--folds", type=int, metavar="N", help="number of folds (default: 5)")
    parser.add_argument("--share", type=float, metavar="X", help="of the patients held out (default: 0.2)")
    parser.add_argument("--scans", type=int, metavar="N", help="scans held out")


def run(arguments: argparse.Namespace) -> int:
    """Imports, checks, explores or splits; 0, or the exit code of the error."""
    actions = {"import": _import, "verify": _verify, "profile": _profile, "split": _split}
    return actions[arguments.action](arguments)


def _import(arguments: argparse.Namespace) -> int:
    from ichscan.datasets.assemble import read_manifest
    from ichscan.datasets.engine import import_collection

    collection = KINDS[arguments.kind].open(arguments.source, getattr(arguments, "labels", None))
    with open_workers(arguments.ray, arguments.workers) as executor, RateBar("slices") as bar:
        store = import_collection(
            collection,
            arguments.out,
            executor=executor,
            progress=lambda p: bar.update(p.done, p.total, p.resumed),
        )
    manifest = read_manifest(store)
    _show_counts(store, manifest)
    return 0


def _show_counts(store: Path, manifest: dict[str, Any]) -> None:
    counts = manifest["counts"]
    print(
        f"{printable(str(store))}: {counts['slices']:,} slices, {counts['series']:,} series, "
        f"{counts['patients']:,} patients, {counts['compressed_bytes'] / 1e6:,.0f} MB; {counts['unlabelled_slices']:,} "
        "slices without labels of their own"
    )
    positive = ", ".join(f"{name} {count:,}" for name, count in manifest["positive_slices"].items())
    print(f"positive slices: {positive}")
    if manifest["problems"]:
        said = ", ".join(f"{kind} {count:,}" for kind, count in manifest["problems"].items())
        print(f"problems.csv: {said}", file=sys.stderr)
    problems, nothing = manifest["problems"], counts["unlabelled_slices"] == counts["slices"]
    of_none = problems.get("unlabelled_image") in (counts["slices"], counts["series"])  # rows by slice, by series
    if nothing and of_none and problems.get("orphan_label"):
        print(
            "note: no label names an image that was read; compare orphan_label with unlabelled_image in problems.csv",
            file=sys.stderr,
        )


def _verify(arguments: argparse.Namespace) -> int:
    from ichscan.datasets.verify import verify

    with RateBar("slices") as bar:
        found = verify(arguments.store, lambda done, total: bar.update(done, total, 0))
    for note in found.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    for fault in found.faults:
        complain(fault)
    if found.faults:
        return DataError.exit_code
    print(f"{printable(str(arguments.store))}: {found.slices:,} slices are as they were imported")
    return 0


def _profile(arguments: argparse.Namespace) -> int:
    from ichscan.datasets.profile import profile

    report = profile(arguments.store, arguments.out)
    print(f"The report is in {printable(str(report))}")
    return 0


def _split(arguments: argparse.Namespace) -> int:
    from ichscan.datasets.splits import make_split, save_split, without_positives
    from ichscan.datasets.store import open_store

    store = open_store(arguments.store)
    split = make_split(
        store, arguments.kind, arguments.seed, name=arguments.name, folds=arguments.folds, share=arguments.share,
        scans=arguments.scans,
    )  # fmt: skip
    path = save_split(split, store)
    for part, patients in split.parts.items():
        print(f"{part}: {len(patients):,} patients, {len(split.rows(store, part)):,} slices")
    for part, types in without_positives(split, store).items():
        print(f"note: {part} holds no patient with {', '.join(types)}", file=sys.stderr)
    print(f"The split is in {printable(str(path))}")
    return 0
