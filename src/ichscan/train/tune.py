"""Tries combinations of recipe keys, each a whole experiment: the full grid (P1 section II-B-2), or N chosen by TPE.

OUT/
  study.db      Optuna's study (SQLite): what was tried, what came out; the same command continues a killed tuning
  tune.json     what the tuning is; another recipe, grid or collection is refused with the difference
  trials/<n>/   the run folder of each trial
  results.csv   one row per trial, the best first
  results.png   the score of each value
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.datasets.arrow import write_whole
from ichscan.datasets.store import SliceStore
from ichscan.errors import IchscanError, MissingExtraError, UsageError
from ichscan.train.experiment.manifest import read_json, write_json
from ichscan.train.experiment.run import run_experiment, run_smoke
from ichscan.train.experiment.stages import STAGES
from ichscan.train.tune_grid import Grid, Value, combinations, overrides
from ichscan.train.tune_plot import draw_trials
from ichscan.train.workbench_recipe import load_workbench

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

SCORES: Final = ("mean_f1", "auc", "log_loss")
"""mean_f1: maximum of the mean F1 curve over the folds (P1 section III); auc: of the label on validation slices, or the
mean over the labels; log_loss: the RSNA score, whose negative is compared."""
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is tuned.

    Attributes:
        recipe: TOML file.
        fixed: overrides of every trial, as `--set` takes them.
        grid: keys and values.
        trials: 0 = the full grid; otherwise so many, chosen by TPE among the values of the grid.
        score: one of `SCORES`; the larger the better.
        label: that "mean_f1" and "auc" look at; "" = `any` where it is learned, otherwise the mean over the labels.
        smoke: each trial in small.
    """

    recipe: Path
    fixed: tuple[str, ...]
    grid: Grid
    trials: int = 0
    score: str = "mean_f1"
    label: str = ""
    smoke: bool = False


def tune(tuning: Tuning, store: SliceStore, out: Path, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Runs the trials that are not done yet. Returns the results table.

    Raises:
        UsageError: the grid holds a key or value that the recipe refuses; `out` holds another tuning.
        MissingExtraError: Optuna is not installed.
        IchscanError: of a trial; those before it are kept, the same command goes on from there.
    """
    if tuning.score not in SCORES:
        raise UsageError(f"score: expected one of {', '.join(SCORES)}, found {tuning.score!r}")
    wanted = combinations(tuning.grid)
    for chosen in wanted:
        load_workbench(tuning.recipe, [*tuning.fixed, *overrides(chosen)])  # a typo is told before hours of training
    _claim(tuning, store, out)
    study = _study(tuning, out)
    _continue(study, tuning, wanted)
    count = tuning.trials or len(wanted)
    while (done := len(_finished(study))) < count:
        progress(f"trial {done + 1} of {count}")
        trial = study.ask({key: _categorical(values) for key, values in tuning.grid.items()})
        _run(trial, study, tuning, store, out, progress)
        write_trials(out, study, tuning)
    write_trials(out, study, tuning)
    best = study.best_trial
    progress(f"best: {tuning.score} {best.value:.4f} with {' '.join(overrides(best.params))}")
    return out / "results.csv"


def _run(
    trial: "Trial", study: "Study", tuning: Tuning, store: SliceStore, out: Path, progress: Callable[[str], None]
) -> None:
    """One trial. The folder is named by its values, so that what was done before is found again."""
    chosen = {key: trial.params[key] for key in tuning.grid}
    recipe = load_workbench(tuning.recipe, [*tuning.fixed, *overrides(chosen)])
    folder = out / "trials" / _name(chosen)
    go = run_smoke if tuning.smoke else run_experiment
    try:
        go(recipe, store, folder, "outcome", lambda line: progress(f"{_shown(chosen)}: {line}"))
    except IchscanError:
        study.tell(trial, state=_state("FAIL"))
        raise
    trial.set_user_attr("folder", folder.relative_to(out).as_posix())
    study.tell(trial, score_of(read_json(folder / STAGES["outcome"]), tuning.score, tuning.label))


def score_of(report: dict[str, Any], score: str, label: str) -> float:
    """What is compared, the larger the better. Raises UsageError when the experiment did not measure it."""
    slices = report["validation"].get("slices", {})
    if score == "log_loss":
        found = slices.get("weighted_log_loss")
        values = [] if found is None else [-float(found)]
    else:
        learned = report["labels"]
        names = [label] if label else ["any"] if "any" in learned else learned
        source = report["mean_f1"].get("slices", {}) if score == "mean_f1" else {n: slices[n]["auc"] for n in names}
        values = [float(source[n]) for n in names if source.get(n) is not None]
    if not values:
        raise UsageError(f"score {score}: not measured by this recipe on validation slices; choose another of {SCORES}")
    return sum(values) / len(values)


def _study(tuning: Tuning, out: Path) -> "Study":
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("tuning needs Optuna; pip install 'ichscan[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if tuning.trials:
        sampler: optuna.samplers.BaseSampler = optuna.samplers.TPESampler(seed=SEED)
    else:
        sampler = optuna.samplers.RandomSampler(seed=SEED)  # never asked: the grid is enqueued
    storage = f"sqlite:///{out / 'study.db'}"
    return optuna.create_study(
        storage=storage, study_name="tune", sampler=sampler, direction="maximize", load_if_exists=True
    )


def _continue(study: "Study", tuning: Tuning, wanted: Sequence[dict[str, Value]]) -> None:
    """Puts back what a killed tuning had begun, and for a grid whatever is not in the study yet."""
    begun = [t for t in study.get_trials(deepcopy=False) if t.state == _state("RUNNING")]
    for trial in begun:
        study.tell(trial.number, state=_state("FAIL"))
        if tuning.trials and set(trial.params) == set(tuning.grid):
            study.enqueue_trial(trial.params, skip_if_exists=False)
    if not tuning.trials:
        done = [t.params for t in _finished(study)]
        queued = [
            t.system_attrs.get("fixed_params", {})
            for t in study.get_trials(deepcopy=False)
            if t.state == _state("WAITING")
        ]
        for chosen in wanted:
            if chosen not in done and chosen not in queued:
                study.enqueue_trial(chosen)


def _finished(study: "Study") -> "list[FrozenTrial]":
    return [t for t in study.get_trials(deepcopy=False) if t.state == _state("COMPLETE")]


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def _categorical(values: Sequence[Value]) -> Any:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(values)


def _claim(tuning: Tuning, store: SliceStore, out: Path) -> None:
    facts = {
        "recipe": load_workbench(tuning.recipe, tuning.fixed).digest,
        "grid": {key: list(values) for key, values in tuning.grid.items()},
        "search": "tpe" if tuning.trials else "grid",
        "score": tuning.score,
        "label": tuning.label,
        "smoke": tuning.smoke,
        "data": store.digest,
    }
    path = out / "tune.json"
    if path.exists():
        before = read_json(path)
        changed = {k: (before.get(k), v) for k, v in facts.items() if before.get(k) != v}
        if changed:
            raise UsageError(f"{path}: this folder holds another tuning; differs (before, now): {changed}; use another")
        return
    write_json(path, facts)


def write_trials(out: Path, study: "Study", tuning: Tuning) -> None:
    """Writes results.csv, the best first, and results.png."""
    done = sorted(_finished(study), key=lambda t: -float(t.value or 0))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", tuning.score, *tuning.grid, "folder"])
    for t in done:
        rows.writerow([t.number, f"{t.value:.6g}", *(t.params[k] for k in tuning.grid), t.user_attrs.get("folder", "")])
    write_whole(out / "results.csv", text.getvalue().encode())
    if done:
        draw_trials(
            out / "results.png", tuning.grid, [(dict(t.params), float(t.value or 0)) for t in done], tuning.score
        )


def _name(chosen: dict[str, Value]) -> str:
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]


def _shown(chosen: dict[str, Value]) -> str:
    return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in chosen.items())
