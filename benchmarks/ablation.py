"""Burduja et al. 2020, table 2, on the default model's features: what selection and a scan model are worth.

python benchmarks/ablation.py recipes/default.toml --run path/to/run --out path/to/folder [--counts 32 120]
Continues when killed. Writes OUT/ablation.json and OUT/ablation.md.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import torch

from ichscan.train.ablation import BILSTM, ablate, burduja_variants, markdown, with_training
from ichscan.train.default_features import default_folds
from ichscan.train.loop import start
from ichscan.train.recipe import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder of the recipe")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[32, 120])
    parser.add_argument("--epochs", type=int, default=BILSTM.training.epochs, help="of the scan models (paper: 4)")
    parser.add_argument("--rate", type=float, default=BILSTM.training.learning_rate, help="of Adam (paper: 1e-4)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folds = default_folds(load_recipe(arguments.recipe), arguments.run, arguments.out / "features", print)
    training = dataclasses.replace(BILSTM.training, epochs=arguments.epochs, learning_rate=arguments.rate)
    variants = with_training(burduja_variants(arguments.counts), training)
    rows = ablate(folds, variants, arguments.out / "fits", start(training), progress=print)
    facts = {"epochs": training.epochs, "learning_rate": training.learning_rate, "rows": [r.facts() for r in rows]}
    (arguments.out / "ablation.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    (arguments.out / "ablation.md").write_text(markdown(rows), encoding="utf-8")
    print(markdown(rows))


if __name__ == "__main__":
    main()
