from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.errors import UsageError
from ichscan.train.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[2]


def test_the_shipped_recipe_loads_and_can_be_overridden() -> None:
    recipe = load_recipe(
        ROOT / "recipes" / "default.toml", ["slices.epochs=3", 'teacher.weights=["a.safetensors"]', "seed=7"]
    )
    assert (recipe.slices.epochs, recipe.teacher.weights, recipe.seed) == (3, ("a.safetensors",), 7)
    assert recipe.input == Recipe().input


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "unknown keys"),
        ("[slices]\nepoch = 1", "unknown keys"),
        ("seed = 'x'", "expected int"),
        ("[input]\nchannels = [{ wide = 1 }]", "offset_mm"),
        ("seed = ", "not valid TOML"),
    ],
)
def test_typos_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_recipe(path)


def test_overrides_need_a_key_and_a_value() -> None:
    with pytest.raises(UsageError, match="key=value"):
        load_recipe(ROOT / "recipes" / "default.toml", ["epochs"])
