"""Slice indices as people write them."""

from collections.abc import Sequence


def ranges(indices: Sequence[int]) -> str:
    """Ascending indices from 0 as numbers from 1, neighbours joined: (0, 1, 2, 6) -> "1-3, 7"."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ", ".join(str(a + 1) if a == b else f"{a + 1}-{b + 1}" for a, b in runs)
