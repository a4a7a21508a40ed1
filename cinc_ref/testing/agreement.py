"""Every operation against the matrix, in one situation a check."""

from dataclasses import replace
from functools import partial

import numpy as np

from cinc_ref.testing.catalogue import add_check
from cinc_ref.testing.failure import CheckFailure, NotChecked
from cinc_ref.testing.implementation import OPERATIONS
from cinc_ref.testing.trial import answer

STATEMENTS = {
    "conv": "conv(x, K) is M x",
    "conv_inverse": "conv_inverse(y, K) solves M x = y",
    "log_abs_det": "log_abs_det(K, size) is log|det M|",
    "conv_vjp": "conv_vjp(x, K, g) is M^T g and the gradient of <g, M x> by K",
    "conv_inverse_vjp": "conv_inverse_vjp(y, K, g) is M^-T g and the gradient of <g, M^-1 y> by K",
}

SITUATIONS = {  # name: (in words, the recipes of its problems)
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

BATCHES = {
    "one_image": ("N = 1", [{"images": 1}]),
    "no_images": ("N = 0", [{"images": 0}]),
    "many_images": ("N = 67", [{"images": 67, "size": (3, 3), "channels": 2}]),
}

OPTIONAL = {  # name: (in words, options to be declared, recipes)
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

REFUSABLE = {  # as above
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


def _agree(trial, operation, recipes):
    for recipe in recipes:
        problem = trial.problem(**recipe)
        compare(trial, operation, problem, trial.call(operation, problem))


def _agree_or_refuse(trial, operation, recipes):
    """More than CInC layers need: neither an error fails nor a mask that all operations share."""
    for recipe in recipes:
        problem = trial.problem(**recipe)
        result = trial.call_unless_refused(operation, problem)
        try:
            compare(trial, operation, problem, result)
        except CheckFailure:
            given = trial.implementation.conv is not None
            if _masks(trial, operation) and (not given or _masks(trial, "conv")):
                reason = "masks the corner block to its lower triangle"
                raise NotChecked(f"{operation} {reason}") from None
            raise


def _masks(trial, operation):
    """Whether an upper triangular corner block counts as its diagonal."""
    problem = trial.problem(corner_block="upper")
    try:
        result = trial.call(operation, problem)
        compare(trial, operation, replace(problem, corner_block="diagonal"), result)
    except CheckFailure:
        return False
    return True


def compare(trial, operation, problem, result):
    """Fail unless a result is what the reference answers."""
    if operation.endswith("vjp"):
        images, kernel = answer(operation, problem)
        trial.agree(operation, problem, result[0], images, "the gradient by the images")
        got = masked(trial, operation, problem, result[1])
        expected = tuple(part * (problem.kernel != 0) for part in kernel)
        trial.agree(operation, problem, got, expected, "the gradient by the kernel")
        return
    ((expected, rounding),) = answer(operation, problem)
    if operation == "log_abs_det" and result.ndim == 1 and len(result):  # equal ones, an image each
        expected = np.full(result.shape, expected)
    trial.agree(operation, problem, result, (expected, rounding))


def masked(trial, operation, problem, kernel_bar):
    """A kernel gradient without the entries where the kernel is 0, which layers may mask."""
    part = "the gradient by the kernel"
    trial.require_shape(operation, problem, kernel_bar, problem.kernel.shape, part)
    return kernel_bar * (problem.kernel != 0)


def _situations(operation):
    """(name, words, options, recipes, body) of every check."""
    tables = [SITUATIONS] if operation == "log_abs_det" else [SITUATIONS, BATCHES]
    for table in tables:
        for name, (words, recipes) in table.items():
            yield name, words, (), recipes, _agree
    for name, (words, options, recipes) in OPTIONAL.items():
        if operation != "log_abs_det" or options == ("anchor",):
            yield name, words, options, recipes, _agree
    for name, (words, options, recipes) in REFUSABLE.items():
        yield name, words, options, recipes, _agree_or_refuse


for _operation in OPERATIONS:
    for _name, _words, _options, _recipes, _function in _situations(_operation):
        _body = partial(_function, operation=_operation, recipes=_recipes)
        _statement = f"{STATEMENTS[_operation]}: {_words}"
        add_check(f"{_operation}_{_name}", _statement, (_operation,), _options, _body)
