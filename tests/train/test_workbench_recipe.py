"""Workbench recipes: typos are refused, every key is documented."""

import dataclasses
import importlib.util
import re
from pathlib import Path

import pytest

from ichscan.errors import UsageError
from ichscan.train.workbench_recipe import TABLES, WorkbenchRecipe, load_workbench
from ichscan.train.workbench_tables import Training


def recipe(tmp_path: Path, text: str, *overrides: str) -> WorkbenchRecipe:
    path = tmp_path / "r.toml"
    path.write_text('kind = "workbench"\n' + text, encoding="utf-8")
    return load_workbench(path, overrides)


def test_an_empty_recipe_is_all_defaults(tmp_path: Path) -> None:
    assert recipe(tmp_path, "") == WorkbenchRecipe()


def test_tables_lists_and_overrides(tmp_path: Path) -> None:
    found = recipe(
        tmp_path,
        '[data]\nlabels = ["any"]\n[input]\nsize = 64\nchannels = [{ center = 40, width = 120 }]\nmean = [0.2]\n'
        'std = [0.3]\ncrop = "slice"\n[sequence]\nkind = "bilstm"\n[sequence.training]\nepochs = 4\n',
        "training.epochs=2",
        "sequence.training.batch=3",
        "network.backbone=resnet34",
        "training.precision=32",
    )
    assert (found.data.labels, found.data.columns, found.training.epochs) == (("any",), [5], 2)
    assert (found.sequence.training.epochs, found.sequence.training.batch) == (4, 3)
    assert found.input.channels[0].width == 120
    assert (found.network.backbone, found.training.precision) == ("resnet34", "32")
    assert found.digest != WorkbenchRecipe().digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", r"r\.toml: unknown keys \['colour'\]"),
        ("[training]\nepoch = 1", r"r\.toml: \[training\]: unknown keys \['epoch'\]"),
        ("[sequence.training]\nepoch = 1", r"\[sequence.training\]: unknown keys"),
        ("[training]\nepochs = 'x'", r"\[training\].epochs: expected int, found 'x'"),
        ("[training]\nepochs = true", "expected int"),
        ("[training]\nepochs = 0", "expected 1 to inf, found 0"),
        ("[ensemble]\nepochs = 1", "expected bool"),
        ("[loss]\nkind = 'bec'", r"\[loss\].kind: expected one of"),
        ("[data]\nlabels = ['epidual']", r"\[data\].labels: expected one of"),
        ("[data]\nlabels = []", "each label once"),
        ("[data]\nlabels = 'any'", r"\[data\].labels: expected a list of str, found 'any'"),
        ("[data]\npatients_without = '058'", "expected a list of str, found '058'"),
        ("[data]\npatients_without = [58]", r"expected a list of str, found \[58\]"),
        ("[training]\nseeds = ['a']", "expected a list of int"),
        ("[loss]\npos_weight = 'balance'", "expected a list of float or str"),
        ("[input]\nchannels = [{ wide = 1 }]", "offset_mm"),
        ("[training]\nschedule = 'list'\nlearning_rates = [1e-4]", "one rate for each of 3 epochs"),
        ("[training]\nseeds = [1, 1]", "different seeds"),
        ("[augment]\nflip = 2.0", r"\[augment\].flip: expected 0 to 1"),
    ],
)
def test_typos_are_refused_with_file_table_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        recipe(tmp_path, text)


def test_another_kind_of_recipe_is_refused(tmp_path: Path, project_root: Path) -> None:
    with pytest.raises(UsageError, match="expected kind = 'workbench'"):
        load_workbench(project_root / "recipes" / "default.toml")


def test_every_key_is_documented_and_the_page_is_up_to_date(project_root: Path) -> None:
    place = project_root / "docs" / "make_recipe_keys.py"
    spec = importlib.util.spec_from_file_location("make_recipe_keys", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for table in (*TABLES.values(), Training):
        told = module.meanings(table)
        assert [f.name for f in dataclasses.fields(table) if len(told.get(f.name, "")) < 5] == []
    page = (project_root / "docs" / "recipe-keys.md").read_text(encoding="utf-8")
    assert page == module.page(), "run: python docs/make_recipe_keys.py"
    assert re.search(r"^\| `learning_rate` \|", page, re.MULTILINE)


def test_every_key_is_read_somewhere(project_root: Path) -> None:
    """A key that nothing reads is a promise that a recipe cannot keep."""
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (project_root / "src" / "ichscan").rglob("*.py")
        if not path.stem.startswith("workbench_")
    )
    for table in (*TABLES.values(), Training):
        for key in dataclasses.fields(table):
            assert re.search(rf"\.{key.name}\b", code), f"{table.__name__}.{key.name}"
