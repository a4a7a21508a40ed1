"""Checks at shapes and options that follow from the seed: seeds differ in more than values.

Every seed visits each number of channels, kernel size, dilation and corner of the tables below, in
other combinations, because mistakes are often those of one number: a block of 4 or 8 channels, the
remainder of a batch by 8, a tap that a small image never reads.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from cinc_ref.geometry import CORNERS
from cinc_ref.testing.base import Check
from cinc_ref.testing.correctness import STATEMENTS, compare, compare_unless_masked
from cinc_ref.testing.failure import CheckSkipped

__all__ = ["drawn_checks"]

CHANNELS = (1, 1, 2, 2, *range(3, 17), 17, 18, 20, 24, 32, 33)
"""The numbers of channels, each once in a seed; the first two have one image and many."""

BATCHES = (*range(1, 19), 20, 24, 31, 32, 33, 66)
"""The numbers of images, in another order in every seed: each remainder by 16."""

KERNEL_SIZES = (
    (3, 3), (4, 4), (5, 5), (7, 7), (2, 2), (6, 6), (1, 1), (3, 2), (3, 3), (1, 5), (3, 5), (5, 3),
)  # fmt: skip
"""The kernel sizes, of which those that are not square may be refused."""

MAX_UNKNOWNS = 132
"""The largest number of unknowns of an image; the reference inverts a matrix of this size."""

LONGEST_SIDE = 16
"""The largest height and width, each of which up to here is visited: blocks of 4, 8 and 16."""

FAR: tuple[dict[str, Any], ...] = (
    {"channels": 1, "kernel_size": (7, 7), "size": (9, 10)},
    {"channels": 1, "kernel_size": (5, 5), "size": (8, 11)},
    {"channels": 2, "kernel_size": (4, 4), "size": (7, 8)},
    {"channels": 1, "kernel_size": (6, 6), "size": (8, 9)},
    {"channels": 1, "kernel_size": (8, 8), "size": (9, 11)},
    {"channels": 1, "kernel_size": (9, 9), "size": (10, 11)},
    {"channels": 1, "kernel_size": (11, 11), "size": (11, 12)},
    {"channels": 1, "kernel_size": (3, 3), "size": (10, 13)},
    {"channels": 3, "kernel_size": (5, 5), "size": (6, 7)},
    {"channels": 2, "kernel_size": (7, 7), "size": (7, 8)},
    {"channels": 5, "kernel_size": (4, 4), "size": (5, 5)},
    {"channels": 2, "kernel_size": (3, 5), "size": (5, 9)},
    {"channels": 2, "kernel_size": (5, 3), "size": (9, 5)},
    {"channels": 1, "kernel_size": (1, 7), "size": (3, 11)},
    {"channels": 1, "kernel_size": (7, 1), "size": (11, 3)},
    {"channels": 1, "kernel_size": (2, 4), "size": (4, 7)},
    {"channels": 4, "kernel_size": (3, 3), "size": (10, 3)},
    {"channels": 2, "kernel_size": (3, 3), "size": (7, 7)},
    {"channels": 2, "kernel_size": (3, 3), "size": (8, 8)},
    {"channels": 2, "kernel_size": (3, 3), "size": (10, 10)},
)
"""Images that are larger than their kernel, so that every tap is read by several pixels."""


def _size(rng, channels):
    """Draw (H, W) with at most `MAX_UNKNOWNS` entries, oblong if there is room."""
    room = MAX_UNKNOWNS // channels
    height = int(rng.integers(1, min(12, room) + 1))
    width = int(rng.integers(1, min(13, max(1, room // height)) + 1))
    return height, width


def _plain(rng):
    """Draw the recipes without options."""
    batches, kernels = rng.permutation(BATCHES), rng.permutation(len(KERNEL_SIZES))
    recipes = []
    for k, channels in enumerate(CHANNELS):
        size = KERNEL_SIZES[kernels[k % len(KERNEL_SIZES)]]
        recipes.append(
            {
                "channels": channels,
                "images": int(batches[k]),
                "kernel_size": size,
                "size": _size(rng, channels),
                "diagonal": ("mixed", "wide")[int(rng.integers(2))],
            }
        )
    recipes[0] |= {"images": 1, "positive": True}
    recipes[1]["images"] = max(recipes[1]["images"], 3)
    recipes.append({"channels": 1, "images": 3, "size": (5, 7), "positive": True})
    return recipes


def _larger(rng):
    """Draw the recipes of large images and kernels, and of every height and width."""
    recipes = [dict(recipe, images=int(rng.integers(1, 4))) for recipe in FAR]
    for side in range(1, LONGEST_SIDE + 1):
        other = int(rng.integers(1, 4))
        recipes += [{"channels": 2, "size": size} for size in ((side, other), (other, side))]
    return recipes


def _with_options(rng):
    """Draw the recipes of each option alone and together with another one."""
    corners = [str(corner) for corner in rng.permutation(list(CORNERS))]
    channels, batches = rng.permutation(8) + 1, rng.permutation([1, 2, 3, 4, 5, 7, 8, 9, 16])
    recipes = []

    def add(recipe):
        """Give a recipe the next numbers of channels and images, and a small size."""
        k = len(recipes)
        drawn = {"channels": int(channels[k % 8]), "images": int(batches[k % 9])}
        recipe = drawn | recipe
        size = (4, 5) if recipe["channels"] <= 3 else (3, 3 + k % 2)
        recipes.append({"size": size} | recipe)

    for k, dilation in enumerate((2, 2, 3, 3, 4, 4, 5, 6, 8)):
        count = int(rng.integers(1, 4))
        low = (int(rng.integers(1, 4)), dilation + int(rng.integers(3, 8)))
        wide = (2 * dilation + int(rng.integers(1, 3)), dilation + int(rng.integers(1, 3)))
        recipe = {"channels": count, "dilation": dilation, "size": low if k % 2 else wide}
        recipes.append(recipe)
        recipes.append(recipe | {"corner": corners[k % 4], "kernel_size": (2, 2)})
    for corner in corners:
        for k, size in enumerate(((2, 2), (3, 3), (5, 5), (2, 3))):
            add({"corner": corner, "kernel_size": size, "dilation": 1 + k % 2})
        add({"corner": corner, "size": (1, 6)})
        add({"corner": corner, "size": (4, 4), "channels": 2})
        add({"corner": corner, "size": (7, 4), "dilation": 3, "channels": 2})
        anchor = (1, int(rng.integers(0, 3)))
        for dilation in (1, 2):
            half_plane = {"kernel_size": (2, 3), "anchor": anchor, "dilation": dilation}
            add(half_plane | {"corner": corner})
    for column in range(3):
        add({"kernel_size": (2, 3), "anchor": (1, column), "dilation": 2})
    add({"kernel_size": (5, 5), "dilation": 2, "channels": 1, "size": (9, 10)})
    add({"kernel_size": (3, 5), "anchor": (2, 2), "size": (4, 7)})
    add({"kernel_size": (3, 5), "anchor": (2, 1), "size": (4, 6), "corner": corners[0]})
    add({"kernel_size": (2, 5), "anchor": (1, 2), "size": (4, 6)})
    add({"kernel_size": (5, 5), "anchor": (2, 2), "size": (5, 6), "channels": 3})
    return recipes


def _refusable(rng):
    """Draw the recipes that a layer may refuse: dense and upper triangular corner blocks."""
    return [
        {
            "channels": int(channels),
            "corner_block": kind,
            "size": _size(rng, int(channels) * 2),
            "diagonal": "large",
        }
        for channels in rng.permutation([2, 3, 4, 5, 6, 8])
        for kind in ("dense", "upper")
    ]


GROUPS: dict[str, tuple[str, Callable[[np.random.Generator], list[dict[str, Any]]], bool]] = {
    # name: (description, function that draws recipes, whether errors are refusals)
    "drawn_shapes": ("shapes that the seed draws", _plain, False),
    "drawn_sizes": ("large kernels, every height and width", _larger, False),
    "drawn_options": ("shapes and options that the seed draws", _with_options, False),
    "drawn_blocks": ("corner blocks that the seed draws, or errors", _refusable, True),
}

SHARED_BY_DTYPES = ("drawn_sizes",)
"""The groups whose recipes are tried in one dtype each, in the other one at the next seed."""


def drawn_checks(operation: str) -> Iterator[Check]:
    """Yield the checks of an operation at problems that the seed draws."""
    for name, (description, draw, refusable) in GROUPS.items():
        statement = f"{STATEMENTS[operation]}: {description}"
        shared = name in SHARED_BY_DTYPES
        body = partial(
            _is_right, operation=operation, draw=draw, refusable=refusable, shared=shared
        )
        yield Check(f"{operation}_{name}", statement, (operation,), (), body)


def _is_right(trial, operation, draw, refusable, shared):
    """Compare the results with the reference at every problem that the implementation takes."""
    is_double = trial.dtype == "float64"
    recipes = draw(np.random.default_rng([trial.seed, 11, is_double]))
    if shared and len(trial.implementation.dtypes) > 1:
        recipes = recipes[(trial.seed + is_double) % 2 :: 2]
    tried, reason = 0, "no option was declared"
    for recipe in recipes:
        if not _is_declared(trial, operation, recipe):
            continue
        try:
            problem = trial.problem(**recipe)
            if refusable or _may_be_refused(problem):
                result = trial.call_unless_refused(operation, problem)
            else:
                result = trial.call(operation, problem)
        except CheckSkipped as skipped:
            reason = str(skipped)
            continue
        try:
            (compare_unless_masked if refusable else compare)(trial, operation, problem, result)
        except CheckSkipped as skipped:
            reason = str(skipped)
            continue
        tried += 1
    if not tried:
        raise CheckSkipped(reason)


def _may_be_refused(problem):
    """Return whether a layer may refuse a kernel: not square, or with an anchor in its inside."""
    height, width = problem.kernel_size
    return height != width or problem.anchor_tap[0] < height - 1


def _is_declared(trial, operation, recipe):
    options = {"corner", "dilation", "anchor"} & set(recipe)
    options -= {"corner"} if recipe.get("corner") == "top-left" else set()
    options -= {"dilation"} if recipe.get("dilation") == 1 else set()
    if operation == "log_abs_det":
        options &= {"anchor"}
    return options <= set(trial.implementation.options)
