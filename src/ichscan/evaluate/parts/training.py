"""How the evaluated run was trained: its learning curves, and its features before and after (P1 figure 6)."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from ichscan.errors import DataError
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.part import Options, Part
from ichscan.pages.section import Figure, Lines, Picture, Section

KEY: Final = "training"
TITLE: Final = "Training"
SOURCE: Final = "Journals of the run (metrics.csv of each fit); features: Hoseyni et al. 2024, figure 6"
STAGES: Final = (("slices", "Networks of slices"), ("scans", "Models of scans"))
LOSSES: Final = ("train_loss", "validation_loss")
SCORES: Final = ("validation_auc_any", "validation_auc", "validation_macro_f1", "validation_accuracy")
TSNE: Final = Path("figures", "tsne.png")
Journal = dict[int, dict[str, float]]
"""Values by epoch and column."""


def part(evaluation: Evaluation, options: Options) -> Part:
    """Learning curves, averaged over the fits of a run, and the t-SNE that the run drew; nothing for other sources.

    Raises:
        DataError: a journal is damaged.
    """
    if options.run is None:
        return Part(KEY, {}, ())
    facts: dict[str, Any] = {}
    figures: list[Figure] = []
    notes = []
    for stage, title in STAGES:
        journals = [_read(path) for path in sorted((options.run / stage).glob("fold_*/seed_*/metrics.csv"))]
        if journals:
            facts[stage] = {"fits": len(journals), "epochs": [max(j, default=0) for j in journals]}
            notes.append(f"{title}: mean of {len(journals)} fits, at each epoch of those that reached it.")
            figures += _curves(stage, title, journals)
    pictures = _features(options.run)
    facts["t-SNE"] = bool(pictures)
    if not figures:
        notes.append("The run kept no journals: no learning curves can be drawn.")
    return Part(KEY, facts, (Section(KEY, TITLE, SOURCE, tuple(notes), (), tuple(figures), pictures),))


def _read(path: Path) -> Journal:
    journal: Journal = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                journal[int(row["epoch"])] = {k: float(v) for k, v in row.items() if k != "epoch" and v}
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: expected a journal of epochs, cannot be read ({error}); remove it") from error
    return journal


def _curves(stage: str, title: str, journals: list[Journal]) -> list[Figure]:
    epochs = sorted({epoch for journal in journals for epoch in journal})
    mean = _means(journals)
    figures = []
    for key, columns, unit in (("loss", LOSSES, "loss"), ("scores", SCORES, "validation")):
        curves = {
            column.replace("_", " "): tuple(mean[column].get(epoch) for epoch in epochs)
            for column in columns
            if mean[column]
        }
        if curves:
            chart = Lines(tuple(float(e) for e in epochs), curves, "epoch", unit)
            figures.append(Figure(f"{KEY}-{stage}-{key}", f"{title}: {key}", chart))
    return figures


def _means(journals: list[Journal]) -> dict[str, dict[int, float]]:
    """Mean over the fits by column and epoch."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for journal in journals:
        for epoch, row in journal.items():
            for column, value in row.items():
                values[column][epoch].append(value)
    found = {column: {e: sum(v) / len(v) for e, v in by_epoch.items()} for column, by_epoch in values.items()}
    return defaultdict(dict, found)


def _features(run: Path) -> tuple[Picture, ...]:
    path = run / TSNE
    if not path.is_file():
        return ()
    try:
        png = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    alt = "Two scatter plots: features of slices with and without hemorrhage, before and after training"
    return (Picture("tsne", "t-SNE of the features of slices that the network never saw, before and after", png, alt),)
