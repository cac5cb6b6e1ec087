"""What sorting the worklist by the model would save, and whom it would cost."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np

from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.triage import FIFO, Scores, Waits, Worklist, simulate
from ichscan.evaluate.triage_summary import LOADS, Spread, Summary, by_load, summarise
from ichscan.labels import ANY
from ichscan.pages.section import Figure, Grid, Lines, Section

KEY: Final = "triage"
TITLE: Final = "Triage: a simulated worklist"
SOURCE: Final = (
    "Discrete-event simulation, non-preemptive priority queue; theory: Cobham 1954, Thompson et al., Queueing Systems "
    "2024; 108: 579-610."
)
NO_THRESHOLD: Final = 0.5
"""Where the model has none of its own; the page says so."""


def part(evaluation: Evaluation, options: Options) -> Part:
    """Simulates the worklist of `options.worklist` with the scores of the evaluated scans."""
    room = options.worklist or Worklist(prevalence=options.prevalence or Worklist().prevalence)
    scores = scores_of(evaluation)
    if scores is None and room.sensitivity is None:
        note = (
            "Not estimable: this needs scans with and without hemorrhage, or a sensitivity and a specificity, given "
            "as --worklist sensitivity=0.9 --worklist specificity=0.9"
        )
        return Part(KEY, {"waits": "not estimable"}, (Section(KEY, TITLE, SOURCE, (note,)),))
    runs = simulate(room, scores, options.seed)
    summaries = summarise(runs)
    curves = by_load(room, scores, options.seed)
    facts: dict[str, Any] = {
        "worklist": asdict(room) | {"load": room.load},
        "scores": _scores_used(room, scores),
        "flagged": _rates(runs),
        "waits_minutes": [asdict(s) for s in summaries],
        "mean_wait_with_hemorrhage_by_load": {"load": LOADS, **curves},
    }
    chart = Lines(LOADS, curves, "share of the time that a reader is busy", "mean wait with hemorrhage, minutes")
    figure = Figure("triage-load", "Mean wait of scans with hemorrhage as the reading room fills", chart)
    grids = (_room(room), _waits(summaries), _saved(summaries))
    return Part(KEY, facts, (Section(KEY, TITLE, SOURCE, _notes(room, scores, evaluation, runs), grids, (figure,)),))


def scores_of(evaluation: Evaluation) -> Scores | None:
    """The model's probabilities of any hemorrhage on the evaluated scans; None without both classes."""
    scans = evaluation.scans.label(ANY)
    if not scans.estimable:
        return None
    threshold = float(evaluation.scans.thresholds[ANY])
    with_it = scans.y == 1
    return Scores(
        scans.p[with_it], scans.p[~with_it], scans.patients[with_it], scans.patients[~with_it],
        NO_THRESHOLD if np.isnan(threshold) else threshold,
    )  # fmt: skip


def _scores_used(room: Worklist, scores: Scores | None) -> dict[str, Any]:
    if room.sensitivity is not None or scores is None:
        return {"from": "given sensitivity and specificity"}
    return {
        "from": "scans of this evaluation",
        "positive": len(scores.positive),
        "negative": len(scores.negative),
        "threshold": scores.threshold,
    }


def _rates(runs: list[Waits]) -> dict[str, float]:
    positive = np.concatenate([w.positive for w in runs])
    flagged = np.concatenate([w.flagged for w in runs])
    return {"sensitivity": float(flagged[positive].mean()), "specificity": float(1 - flagged[~positive].mean())}


def _notes(room: Worklist, scores: Scores | None, evaluation: Evaluation, runs: list[Waits]) -> tuple[str, ...]:
    rates = _rates(runs)
    notes = [
        f"{room.replications} replications of {room.scans:,} scans each. Ranges hold 95 % of the replications: they "
        "show what one such stretch of work may look like. All rules see the same scans, arrivals and reading times.",
        "The mean wait over all scans is the same under every rule: sorting moves it from some patients to others.",
    ]
    if room.sensitivity is None and scores is not None:
        notes.append(
            f"Scores are drawn from {len(scores.positive)} scans with and {len(scores.negative)} without hemorrhage of "
            "this evaluation, patients drawn anew in each replication: a small set makes wide ranges. In the "
            f"simulation the flag has a sensitivity of {rates['sensitivity']:.2f} and a specificity of "
            f"{rates['specificity']:.2f}."
        )
        if np.isnan(evaluation.scans.thresholds[ANY]):
            notes.append(f"The model has no threshold for scans: flagged means a probability of {NO_THRESHOLD:g}.")
        else:
            notes.append(f"Flagged means a probability of at least {scores.threshold:.3f} ({evaluation.chosen_on}).")
        notes.append(
            "Read by probability, most scans wait less, and those that the model is surest to be free wait longest: a "
            "hemorrhage that it misses by far may wait very long."
        )
    notes.append(
        "Left out: the model's own computing time, other examinations on the list, interruptions, and shifts. "
        "Arrivals, reading times and prevalence are assumptions: give those of your department."
    )
    return tuple(notes)


def _room(room: Worklist) -> Grid:
    rows = (
        ("arriving scans per hour", room.per_hour),
        ("readers", room.readers),
        ("reading time, mean in minutes", room.minutes),
        ("reading time, standard deviation as a share of the mean", room.spread),
        ("scans with hemorrhage, share", room.prevalence),
        ("share of the time that a reader is busy", round(room.load, 3)),
    )
    return Grid("triage-room", "The reading room", ("assumption", "value"), rows)


def _waits(summaries: list[Summary]) -> Grid:
    rows = tuple((s.group, s.rule, round(s.scans, 1), _text(s.median), _text(s.mean), _text(s.p90)) for s in summaries)
    columns = ("scans", "rule", "n", "median (95 %)", "mean (95 %)", "90th percentile (95 %)")
    return Grid("triage-waits", "Minutes from arrival to the start of the read", columns, rows)


def _saved(summaries: list[Summary]) -> Grid:
    rows = tuple((s.group, s.rule, _text(s.saved)) for s in summaries if s.rule != FIFO)
    columns = ("scans", "rule", "minutes saved (95 %)")
    return Grid(
        "triage-saved", "Mean minutes saved against first in, first out; below 0 is a longer wait", columns, rows
    )


def _text(spread: Spread) -> str:
    if np.isnan(spread.mean):
        return "not estimable"
    mean, low, high = (f"{value:.1f}".replace("-0.0", "0.0") for value in (spread.mean, spread.low, spread.high))
    return f"{mean} ({low} to {high})"
