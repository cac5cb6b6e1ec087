"""The results as a page of the docs."""

from collections.abc import Iterable
from typing import Any

BARS = {
    "cold_s": 1.0,
    "cold_mb": 400.0,
    "cold_ratio": 0.15,
    "thin_s": 5.0,
    "thin_mb": 800.0,
    "preprocess_ms": 1.0,
}


def page(results: dict[str, Any]) -> str:
    """Markdown; every figure comes from `results`."""
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `python benchmarks/run.py`; do not edit. The figures are in `benchmarks/results.json`.",
            "Each comparison is made side by side in one run, in turns, after one round that is not counted: median,",
            "lowest and highest in brackets. Absolute times move with the machine; the ratios hardly do.",
            "",
            *_machine(results),
            "",
            *_cold(results["predict_cold"]),
            "",
            *_thin(results["thin_series"]),
            "",
            *_preprocess(results["preprocess"]),
            "",
            *_reading(results["reading"]),
            "",
        ]
    )


def _machine(results: dict[str, Any]) -> list[str]:
    facts = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return [
        f"Measured on {results['date']}: {facts['processor']}, {facts['cores_used']} cores used, "
        f"{facts['memory_gb']} GB, {facts['system']}, Python {facts['python']}; {versions}. "
        f"{results['repeats']} rounds. Load before the start: {facts['load_before']}"
        + (" (the machine was busy: times are too long)." if facts["load_before"] > 0.5 else "."),
    ]


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _range(value: dict[str, float], digits: int = 2) -> str:
    return f"{value['median']:.{digits}f} ({value['low']:.{digits}f}-{value['high']:.{digits}f})"


def _bar(value: float, bar: float, unit: str = "") -> str:
    return f"{bar:g}{unit}: {'met' if value <= bar else 'MISSED'}"


def _cold(cold: dict[str, Any]) -> list[str]:
    ours, theirs = cold["ichscan"], cold["torch"]
    return [
        "## One scan, from a cold process",
        "",
        f"A series of {cold['slices']} slices, from the start of the process to the printed result. The usual way: the "
        "same network in eager torch with default settings, pydicom one file at a time, windows in float64, batches of "
        "8 (`benchmarks/usual_way.py`). Largest difference between any two probabilities: "
        f"{max(cold['largest_difference'], 1e-6):.0e} or less.",
        "",
        *_table(
            ["", "`ichscan predict`", "torch, the usual way", "ratio", "bar"],
            [
                [
                    "wall, s",
                    _range(ours["wall_s"]),
                    _range(theirs["wall_s"]),
                    f"{cold['ratio_wall']:.3f}",
                    f"{_bar(ours['wall_s']['median'], BARS['cold_s'], ' s')}; "
                    f"ratio {_bar(cold['ratio_wall'], BARS['cold_ratio'])}",
                ],
                [
                    "peak memory, MB",
                    _range(ours["peak_mb"], 0),
                    _range(theirs["peak_mb"], 0),
                    f"{cold['ratio_memory']:.3f}",
                    _bar(ours["peak_mb"]["median"], BARS["cold_mb"], " MB"),
                ],
            ],
        ),
    ]


def _thin(thin: dict[str, Any]) -> list[str]:
    ours = thin["ichscan"]
    return [
        "## A thin series",
        "",
        f"{thin['slices']} slices, interpolated from a real head and written as uncompressed DICOM; cold process.",
        "",
        *_table(
            ["", "`ichscan predict`", "bar"],
            [
                ["wall, s", _range(ours["wall_s"]), _bar(ours["wall_s"]["median"], BARS["thin_s"], " s")],
                [
                    "peak memory, MB",
                    _range(ours["peak_mb"], 0),
                    _bar(ours["peak_mb"]["median"], BARS["thin_mb"], " MB"),
                ],
            ],
        ),
    ]


def _preprocess(rows: dict[str, Any]) -> list[str]:
    return [
        "## Preprocessing",
        "",
        "Milliseconds per slice on one core, HU to normalised network input, against the papers' float64 formula "
        "(`benchmarks/papers_formula.py`).",
        "",
        *_table(
            ["input", "ichscan", "float64", "ratio", "largest difference, grey levels", "bar"],
            [
                [
                    name,
                    _range(row["ms_per_slice"]["ichscan"]),
                    _range(row["ms_per_slice"]["float64"]),
                    _ratio(row["ms_per_slice"], "ichscan", "float64"),
                    f"{row['largest_difference_grey_levels']:g}",
                    _bar(row["ms_per_slice"]["ichscan"]["median"], BARS["preprocess_ms"], " ms"),
                ]
                for name, row in rows.items()
            ],
        ),
    ]


def _reading(rows: dict[str, Any]) -> list[str]:
    return [
        "## Reading",
        "",
        "Milliseconds per slice, files on disk to a sorted volume in HU (headers, decoding, rescaling, order, checks), "
        "against pydicom with its default decoder, one file at a time. Decoder alone: the compressed fragments, "
        "already in memory, through imagecodecs in two threads (a copy, when uncompressed).",
        "",
        *_table(
            ["transfer syntax", "ichscan", "pydicom", "ratio", "decoder alone", "HU as before encoding"],
            [
                [
                    name,
                    _range(row["ms_per_slice"]["ichscan"]),
                    _range(row["ms_per_slice"]["pydicom"]) if "pydicom" in row["ms_per_slice"] else "no decoder",
                    _ratio(row["ms_per_slice"], "ichscan", "pydicom"),
                    _range(row["ms_per_slice"]["decoder"]),
                    "yes" if row["identical_hu"] else "NO",
                ]
                for name, row in rows.items()
            ],
        ),
    ]


def _ratio(times: dict[str, dict[str, float]], ours: str, theirs: str) -> str:
    return f"{times[ours]['median'] / times[theirs]['median']:.2f}" if theirs in times else "-"
