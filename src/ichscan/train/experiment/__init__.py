"""A whole experiment by a workbench recipe: split, slices, features, scans, ensemble, outcome, export."""

from ichscan.train.experiment.run import run_experiment as run_experiment
from ichscan.train.experiment.run import run_smoke as run_smoke
from ichscan.train.experiment.stages import STAGES as STAGES
