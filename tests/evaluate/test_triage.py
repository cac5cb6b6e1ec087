"""The simulated worklist against queueing theory, and what must hold under every rule."""

from pathlib import Path

import numpy as np
import pytest
from tests.evaluate.evaluations import THRESHOLD, evaluation, labels_of

from ichscan.errors import UsageError
from ichscan.evaluate.part import Options
from ichscan.evaluate.parts.triage import NO_THRESHOLD, part
from ichscan.evaluate.triage import FIFO, FLAGGED, SCORED, Scores, Worklist, queue, simulate, worklist
from ichscan.evaluate.triage_summary import summarise

LONG = {"scans": 20_000, "warmup": 2_000, "replications": 20}


def _scores(positive: list[float], negative: list[float]) -> Scores:
    return Scores(
        np.array(positive), np.array(negative), np.arange(len(positive)), np.arange(len(negative)), threshold=0.5
    )


def test_queue_by_hand() -> None:
    """One reader, reads of 10 minutes: the urgent third scan passes the second, but does not interrupt the first."""
    arrivals, service = np.array([0.0, 1.0, 2.0, 30.0]), np.full(4, 10.0)
    assert queue(arrivals, service, np.zeros(4), 1).tolist() == [0, 9, 18, 0]
    assert queue(arrivals, service, np.array([0.0, 0, 1, 0]), 1).tolist() == [0, 19, 8, 0]
    assert queue(arrivals, service, np.zeros(4), 2).tolist() == [0, 0, 8, 0]


@pytest.mark.parametrize(("load", "readers"), [(0.6, 1), (0.8, 1), (0.8, 3)])
def test_mean_wait_of_exponential_reads_is_erlangs(load: float, readers: int) -> None:
    """M/M/c: W = C(c, a) / (c mu - lambda), Erlang 1917; drawn here with exponential times, mean 5 minutes."""
    rng, minutes, n = np.random.default_rng(1), 5.0, 400_000
    rate = load * readers / minutes
    waits = queue(np.cumsum(rng.exponential(1 / rate, n)), rng.exponential(minutes, n), np.zeros(n), readers)
    offered, terms = load * readers, [1.0]
    for k in range(1, readers + 1):
        terms.append(terms[-1] * offered / k)
    top = terms[readers] / (1 - load)
    erlang = top / (sum(terms[:readers]) + top)
    assert waits.mean() == pytest.approx(erlang / (readers / minutes - rate), rel=0.04)


def test_log_normal_reads_wait_as_pollaczek_and_khinchine_say() -> None:
    """M/G/1: W = lambda E[S^2] / (2 (1 - rho))."""
    room = Worklist(per_hour=6, minutes=7, spread=0.5, sensitivity=0.9, specificity=0.9, **LONG)
    runs = simulate(room, None, seed=3)
    expected = room.per_hour / 60 * room.minutes**2 * (1 + room.spread**2) / (2 * (1 - room.load))
    assert np.mean([w.minutes[FIFO].mean() for w in runs]) == pytest.approx(expected, rel=0.03)


def test_two_classes_wait_as_cobham_says() -> None:
    """Cobham 1954: W1 = R / (1 - rho1), W2 = R / ((1 - rho1)(1 - rho)); R = lambda E[S^2] / 2."""
    room = Worklist(per_hour=7, minutes=7, spread=1, prevalence=0.2, sensitivity=0.85, specificity=0.9, **LONG)
    runs = simulate(room, None, seed=4)
    urgent = room.prevalence * 0.85 + (1 - room.prevalence) * 0.1
    residual = room.per_hour / 60 * room.minutes**2 * (1 + room.spread**2) / 2
    first = residual / (1 - urgent * room.load)
    waits = [np.concatenate([w.minutes[FLAGGED][w.flagged == f] for w in runs]).mean() for f in (True, False)]
    assert waits[0] == pytest.approx(first, rel=0.03)
    assert waits[1] == pytest.approx(first / (1 - room.load), rel=0.05)
    assert np.mean(np.concatenate([w.flagged for w in runs])) == pytest.approx(urgent, abs=0.005)


def test_waiting_is_moved_and_never_made() -> None:
    """Work conservation: until the list is empty, the sum of waits is the same under every rule."""
    rng, n = np.random.default_rng(0), 3_000
    arrivals, service = np.cumsum(rng.exponential(8, n)), rng.lognormal(1.9, 0.5, n)
    for readers in (1, 2):
        waits = [queue(arrivals, service, urgency, readers) for urgency in (np.zeros(n), rng.random(n), -arrivals)]
        assert all(w.min() >= 0 for w in waits)
        assert waits[1].sum() == pytest.approx(waits[0].sum(), rel=1e-9)
        assert waits[2].sum() == pytest.approx(waits[0].sum(), rel=1e-9)


def test_who_gains_and_who_pays() -> None:
    room = Worklist(replications=40)
    scores = _scores([0.1, 0.6, 0.7, 0.8, 0.9], [0.05, 0.1, 0.2, 0.3, 0.6])
    summaries = {(s.rule, s.group): s for s in summarise(simulate(room, scores, seed=1))}
    gain = summaries[FLAGGED, "with hemorrhage, flagged"].saved
    harm = summaries[FLAGGED, "with hemorrhage, missed by the model"].saved
    assert gain.low > 0 > harm.mean
    assert summaries[FLAGGED, "without hemorrhage"].saved.mean < 0
    assert summaries[FLAGGED, "all"].saved.mean == pytest.approx(0, abs=0.2)
    assert summaries[SCORED, "with hemorrhage"].saved.mean > 0
    assert summaries[FIFO, "with hemorrhage"].saved.mean == 0


def test_a_model_that_knows_nothing_saves_nothing() -> None:
    same = [0.2, 0.4, 0.6, 0.8]
    summaries = summarise(simulate(Worklist(replications=60), _scores(same, same), seed=2))
    saved = next(s.saved for s in summaries if s.rule == SCORED and s.group == "with hemorrhage")
    assert saved.low < 0 < saved.high


def test_the_seed_decides() -> None:
    room = Worklist(replications=3, sensitivity=0.8, specificity=0.9)
    one, same, other = (simulate(room, None, seed)[2].minutes[FIFO] for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_fewer_patients_make_wider_ranges() -> None:
    """Scores are drawn from patients drawn anew: what is not known about the model is in the range."""
    few = [0.9] * 4 + [0.1] * 2
    wide, narrow = (
        next(
            s.saved
            for s in summarise(simulate(Worklist(replications=100), _scores(few * k, [0.1] * 40), seed=7))
            if s.rule == FLAGGED and s.group == "with hemorrhage"
        )
        for k in (1, 50)
    )
    assert wide.high - wide.low > narrow.high - narrow.low


def test_settings_of_the_command_line() -> None:
    room = worklist(["readers=2", "per_hour=12", "prevalence=0.05"])
    assert (room.readers, room.per_hour, room.prevalence, room.minutes) == (2, 12.0, 0.05, Worklist().minutes)
    assert room.load == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("radiologists=2", "no setting; expected key=value with a key of per_hour"),
        ("readers=two", "expected a number after readers="),
        ("per_hour=60", "grow without end"),
        ("prevalence=0", "between 0 and 1"),
        ("sensitivity=0.9", "together, or neither"),
        ("scans=1", "scans of at least 10"),
        ("minutes=-1", "above 0"),
        ("minutes=nan", "above 0"),
        ("spread=nan", "above 0"),
    ],
)
def test_rooms_that_cannot_be(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        worklist([setting])


def test_no_scores_and_no_rates() -> None:
    with pytest.raises(UsageError, match="not estimable here"):
        simulate(Worklist(), None)


def test_part_draws_from_the_evaluated_scans(tmp_path: Path) -> None:
    y = labels_of(["ep"] * 20 + ["-"] * 30)
    p = np.where(y == 1, 0.9, 0.1)
    p[:5] = 0.2  # a quarter of the positives is missed
    made = part(
        evaluation(p, y, list(range(50))), Options(tmp_path, worklist=Worklist(replications=30), prevalence=0.5)
    )
    assert made.facts["scores"] == {
        "from": "scans of this evaluation", "positive": 20, "negative": 30, "threshold": THRESHOLD,
    }  # fmt: skip
    assert made.facts["flagged"]["sensitivity"] == pytest.approx(0.75, abs=0.05)
    assert made.facts["flagged"]["specificity"] == 1
    assert made.facts["worklist"]["prevalence"] == Worklist().prevalence  # a given worklist has its own
    (section,) = made.sections
    assert [grid.key for grid in section.grids] == ["triage-room", "triage-waits", "triage-saved"]
    assert len(section.grids[1].rows) == 18
    assert "not estimable" in {cell for row in section.grids[1].rows for cell in row}  # nothing is flagged in error


def test_part_without_worklist_takes_the_told_prevalence(tmp_path: Path) -> None:
    y = labels_of(["ep", "-"] * 10)
    one = evaluation(np.where(y == 1, 0.9, 0.1), y, list(range(20)))
    one.scans.thresholds[:] = np.nan
    made = part(one, Options(tmp_path, prevalence=0.3))
    assert made.facts["worklist"]["prevalence"] == 0.3
    assert made.facts["scores"]["threshold"] == NO_THRESHOLD
    assert any("no threshold for scans" in note for note in made.sections[0].notes)


def test_part_of_one_class(tmp_path: Path) -> None:
    y = labels_of(["-"] * 4)
    one = evaluation(np.full((4, 6), 0.1), y, list(range(4)))
    made = part(one, Options(tmp_path))
    assert made.facts == {"waits": "not estimable"}
    assert made.sections[0].notes[0].startswith("Not estimable")
    room = Worklist(sensitivity=0.9, specificity=0.95, replications=10)
    given = part(one, Options(tmp_path, worklist=room))
    assert given.facts["scores"]["from"] == "given sensitivity and specificity"
    assert given.facts["flagged"]["sensitivity"] == pytest.approx(0.9, abs=0.05)
    assert {w["rule"] for w in given.facts["waits_minutes"]} == {FIFO, FLAGGED}
