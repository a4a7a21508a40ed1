"""The results of every operation compared with the matrix, one kind of problem a check."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.base import Check
from cinc_ref.testing.failure import CheckFailure, CheckSkipped
from cinc_ref.testing.problem import Problem
from cinc_ref.testing.trial import Trial, reference_results

__all__ = ["compare", "compare_unless_masked", "compare_with", "correctness_checks", "masked"]

STATEMENTS = {
    "conv": "conv(x, K) is M x",
    "conv_inverse": "conv_inverse(y, K) solves M x = y",
    "log_abs_det": "log_abs_det(K, size) is log|det M|",
    "conv_vjp": "conv_vjp(x, K, g) is M^T g and the gradient of <g, M x> by K",
    "conv_inverse_vjp": "conv_inverse_vjp(y, K, g) is M^-T g and the gradient of <g, M^-1 y> by K",
}

CASES: dict[
    str, tuple[str, list[dict[str, Any]]]
] = {  # name: (description, recipes of its problems)
    "square": ("square images", [{}]),
    "tall": ("images taller than wide", [{"size": (6, 3)}, {"size": (5, 2)}]),
    "wide": ("images wider than tall", [{"size": (3, 6)}, {"size": (2, 5)}]),
    "large": ("paths of many pixels", [{"size": (9, 9), "channels": 1}]),
    "long": (  # a pixel sees all before it: 0.95^89 of the first is left in the last
        "chains of ninety pixels",
        [
            {"size": (2, 90), "channels": 1, "other_taps": 0.95, "only_tap": (2, 1)},
            {"size": (90, 2), "channels": 1, "other_taps": 0.95, "only_tap": (1, 2)},
        ],
    ),
    "longer": (  # 0.98^159 = 0.04: a Neumann series of a hundred terms is not enough
        "chains of a hundred and sixty pixels",
        [
            {"size": (1, 160), "channels": 1, "other_taps": 0.98, "only_tap": (2, 1)},
            {"size": (160, 1), "channels": 1, "other_taps": 0.98, "only_tap": (1, 2)},
        ],
    ),
    "single_pixel": ("images of one pixel", [{"size": (1, 1)}]),
    "single_row": ("images of one row", [{"size": (1, 6)}]),
    "single_column": ("images of one column", [{"size": (6, 1)}]),
    "pointwise_kernel": ("k = 1", [{"kernel_size": (1, 1), "size": (3, 3)}]),
    "kernel_larger_than_image": (
        "k > H and k > W",
        [
            {"kernel_size": (5, 5), "size": (3, 3), "channels": 2},
            {"kernel_size": (3, 3), "size": (2, 2)},
        ],
    ),
    "one_channel": ("one channel", [{"channels": 1, "size": (5, 5)}]),
    "two_channels": ("two channels", [{"channels": 2}]),
    "five_channels": ("five channels", [{"channels": 5, "size": (3, 3)}]),
    "many_channels": ("seventeen channels", [{"channels": 17, "size": (2, 2)}]),
    "large_diagonal": ("|K_nn| > 1", [{"diagonal": "large"}]),
    "small_diagonal": ("|K_nn| < 1", [{"diagonal": "small"}]),
    "unit_diagonal": ("K_nn = 1", [{"diagonal": "unit"}]),
    "corner_block_only": ("all taps 0 but the corner block", [{"other_taps": 0.0}]),
    "weak_taps": ("taps a thousandth of the corner block", [{"other_taps": 1e-3}]),
    "integers": (
        "integers, for which M x is exact",
        [{"integers": True, "size": (3, 3)}, {"integers": True, "channels": 2}],
    ),
}

BATCH_CASES: dict[
    str, tuple[str, list[dict[str, Any]]]
] = {  # as CASES; log_abs_det takes no images
    "one_image": ("N = 1", [{"images": 1}]),
    "many_images": ("N = 67", [{"images": 67, "size": (3, 3), "channels": 2}]),
}

OPTION_CASES: dict[
    str, tuple[str, tuple[str, ...], list[dict[str, Any]]]
] = {  # name: (description, options that must be declared, recipes)
    **{
        f"corner_{corner.replace('-', '_')}": (
            f"padded at the {corner.replace('-', ' ')}",
            ("corner",),
            [{"corner": corner, "size": size} for size in ((4, 3), (3, 5))],
        )
        for corner in ("top-right", "bottom-left", "bottom-right")
    },
    "dilation": (
        "taps two and three pixels apart",
        ("dilation",),
        [{"dilation": 2, "size": (5, 6)}, {"dilation": 3, "size": (6, 5), "channels": 2}],
    ),
    "anchor": (
        "half-plane taps",
        ("anchor",),
        [
            {"kernel_size": (2, 3), "anchor": (1, 1), "size": (4, 5)},
            {"kernel_size": (3, 3), "anchor": (2, 0), "size": (5, 3)},
        ],
    ),
    "all_options": (
        "corner, dilation and anchor together",
        ("corner", "dilation", "anchor"),
        [
            {
                "kernel_size": (2, 3),
                "anchor": (1, 1),
                "corner": corner,
                "dilation": 2,
                "size": (4, 5),
            }
            for corner in ("top-right", "bottom-left")
        ],
    ),
}

EMPTY_BATCH = {"no_images": ("N = 0, or an error", (), [{"images": 0}])}
"""The batch that may be refused, in the form of `MAY_BE_REFUSED`; log_abs_det takes no images."""

MAY_BE_REFUSED: dict[
    str, tuple[str, tuple[str, ...], list[dict[str, Any]]]
] = {  # name: (description, options that must be declared, recipes)
    "even_kernel": ("k = 2, or an error", (), [{"kernel_size": (2, 2)}]),
    "oblong_kernel": (
        "kernels that are not square, or an error",
        (),
        [{"kernel_size": size} for size in ((2, 3), (3, 1), (1, 3))],
    ),
    "upper_corner_block": ("upper triangular B, or an error", (), [{"corner_block": "upper"}]),
    "dense_corner_block": ("dense B, or an error", (), [{"corner_block": "dense"}]),
    "anchor_inside": (
        "3x3 taps up to the centre, or an error",
        ("anchor",),
        [{"anchor": (1, 1), "size": (4, 5)}],
    ),
}


def correctness_checks(operation: str) -> Iterator[Check]:
    """Yield the checks that compare the results of an operation with the matrix."""

    def check(name, description, options, recipes, body):
        statement = f"{STATEMENTS[operation]}: {description}"
        body = partial(body, operation=operation, recipes=recipes)
        return Check(f"{operation}_{name}", statement, (operation,), options, body)

    cases = CASES if operation == "log_abs_det" else CASES | BATCH_CASES
    for name, (description, recipes) in cases.items():
        yield check(name, description, (), recipes, _is_right)
    for name, (description, options, recipes) in OPTION_CASES.items():
        if operation != "log_abs_det" or options == ("anchor",):
            yield check(name, description, options, recipes, _is_right)
    refusable = MAY_BE_REFUSED if operation == "log_abs_det" else MAY_BE_REFUSED | EMPTY_BATCH
    for name, (description, options, recipes) in refusable.items():
        yield check(name, description, options, recipes, _is_right_or_refused)


def compare(trial: Trial, operation: str, problem: Problem, result: Any) -> None:
    """Fail unless a result is that of the reference."""
    compare_with(trial, operation, problem, result, reference_results(operation, problem))


def compare_with(
    trial: Trial,
    operation: str,
    problem: Problem,
    result: Any,
    references: list[tuple[Any, Any]],
    case: str = "",
) -> None:
    """Fail unless each part of a result is close to its pair (expected, rounding in eps)."""
    if operation.endswith("vjp"):
        images, kernel = references
        of = f"the gradient by the images{case}"
        trial.assert_close(operation, problem, result[0], images, of)
        got = masked(trial, operation, problem, result[1])
        expected = tuple(part * (problem.kernel != 0) for part in kernel)
        of = f"the gradient by the kernel{case}"
        trial.assert_close(operation, problem, got, expected, of)
        return
    ((expected, rounding),) = references
    if operation == "log_abs_det" and result.ndim == 1 and len(result):  # one for each image
        expected = np.full(result.shape, expected)
    of = case and f"the result{case}"
    trial.assert_close(operation, problem, result, (expected, rounding), of)


def masked(trial: Trial, operation: str, problem: Problem, kernel_bar: Array) -> Array:
    """Return a kernel gradient without the entries where the kernel is 0: layers may mask them."""
    part = "the gradient by the kernel"
    trial.require_shape(operation, problem, kernel_bar, problem.kernel.shape, part)
    return kernel_bar * (problem.kernel != 0)


def _is_right(trial, operation, recipes):
    for recipe in recipes:
        problem = trial.problem(**recipe)
        compare(trial, operation, problem, trial.call(operation, problem))


def _is_right_or_refused(trial, operation, recipes):
    """Try what CInC layers need not do: an error is no failure.

    Nor is a mask of the corner block that all operations of the implementation share.
    """
    for recipe in recipes:
        problem = trial.problem(**recipe)
        result = trial.call_unless_refused(operation, problem)
        compare_unless_masked(trial, operation, problem, result)


def compare_unless_masked(trial: Trial, operation: str, problem: Problem, result: Any) -> None:
    """Compare a result, or skip the check if all operations mask B to its lower triangle."""
    try:
        compare(trial, operation, problem, result)
    except CheckFailure:
        has_conv = trial.implementation.conv is not None
        if _masks(trial, operation) and (not has_conv or _masks(trial, "conv")):
            reason = "masks the corner block to its lower triangle"
            raise CheckSkipped(f"{operation} {reason}") from None
        raise


def _masks(trial, operation):
    """Return whether an upper triangular corner block counts as its diagonal."""
    problem = trial.problem(corner_block="upper")
    try:
        result = trial.call(operation, problem)
        compare(trial, operation, replace(problem, corner_block="diagonal"), result)
    except CheckFailure:
        return False
    return True
