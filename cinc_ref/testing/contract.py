"""The contract of every operation, whatever it computes: memory, dtypes, bits, NaN and batches."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from cinc_ref.testing.base import Check
from cinc_ref.testing.correctness import compare, compare_with
from cinc_ref.testing.failure import CheckFailure, CheckSkipped
from cinc_ref.testing.implementation import OPERATIONS
from cinc_ref.testing.trial import INPUTS, reference_results

__all__ = ["contract_checks"]

SIZE = (3, 3)

KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"corner_block": "dense"},
    {"channels": 1},
    {"channels": 5, "images": 8},
    {"kernel_size": (1, 1)},
    {"size": (1, 1)},
    *({"corner": corner} for corner in ("top-right", "bottom-left", "bottom-right")),
    {"corner": "bottom-right", "corner_block": "dense"},
    {"dilation": 2},
    {"kernel_size": (2, 3), "anchor": (1, 1)},
)
"""The recipes of calls that may take ways of their own, the first of which none may refuse."""


def _parts(result):
    return result if isinstance(result, tuple) else (result,)


def _inputs(operation, problem):
    values = [getattr(problem, name) for name in INPUTS[operation]]
    return [np.array(a, order="C") if isinstance(a, np.ndarray) else a for a in values]


def _images_argument(operation):
    """Name the argument of which the first result is a function, image by image."""
    return "g" if operation.endswith("vjp") else "x"


def _keeps_its_inputs(trial, operation):
    """Compare the inputs before and after calls of many kinds, some of which may be refused."""
    for recipe in KINDS:
        declared = {"corner", "dilation", "anchor"} & set(recipe)
        if declared - set(trial.implementation.options):
            continue
        if operation == "log_abs_det" and declared - {"anchor"}:
            continue
        try:
            problem = trial.problem(**{"size": SIZE} | recipe)
            inputs = _inputs(operation, problem)
            trial.call_on(operation, problem, inputs)
        except (CheckFailure, CheckSkipped):
            if not recipe:
                raise
            continue
        for name, value in zip(INPUTS[operation], inputs, strict=True):
            if isinstance(value, np.ndarray):
                part = f"{name} after the call"
                trial.assert_identical(operation, problem, value, getattr(problem, name), part)


def _returns_new_memory(trial, operation):
    """Look for memory that results share with inputs or with later results.

    The kernels are a random one and an identity of each size, for which a result may be the input.
    """
    for problem in (trial.problem(size=SIZE), *_identities(trial)):
        inputs = _inputs(operation, problem)
        results = _parts(trial.call_on(operation, problem, inputs))
        for part in results:
            for name, value in zip(INPUTS[operation], inputs, strict=True):
                if isinstance(value, np.ndarray) and np.shares_memory(part, value):
                    facts = {"expected": "an array of its own", "got": f"memory of {name}"}
                    raise trial.failure(problem, facts, operation, part)
        copies = [part.copy() for part in results]
        trial.call(operation, problem, x=-2 * problem.x, kernel=2 * problem.kernel)
        for part, before in zip(results, copies, strict=True):
            description = "a result after the next call"
            trial.assert_identical(operation, problem, part, before, description)


def _identities(trial):
    """Return problems whose kernel is the identity: B = I, all other taps 0."""
    return [
        trial.problem(
            size=SIZE,
            kernel_size=size,
            other_taps=0.0,
            corner_block="diagonal",
            diagonal="unit",
        )
        for size in ((1, 1), (3, 3))
    ]


def _keeps_dtype(trial, operation):
    problem = trial.problem(size=SIZE)
    for part in _parts(trial.call(operation, problem)):
        if part.dtype != np.dtype(trial.dtype):
            facts = {"expected": f"dtype {trial.dtype}", "got": f"dtype {part.dtype}"}
            raise trial.failure(problem, facts, operation, part)


def _is_deterministic(trial, operation):
    problem = trial.problem(size=SIZE)
    first, second = (_parts(trial.call(operation, problem)) for _ in range(2))
    for expected, got in zip(first, second, strict=True):
        trial.assert_identical(operation, problem, got, expected, "a second call")


def _works_in_double_precision(trial, operation):
    """Require an error that float32 could not have: a thousandth of its eps."""
    if trial.dtype != "float64":
        return
    problem = trial.problem(size=SIZE, other_taps=0.4)
    single = float(np.finfo(np.float32).eps)
    results = _parts(trial.call(operation, problem))
    references = reference_results(operation, problem)
    for part, (expected, rounding) in zip(results, references, strict=True):
        if part.shape == problem.kernel.shape:
            mask = problem.kernel != 0
            part, expected = part * mask, expected * mask
        bound = 1e-3 * single * np.asarray(rounding, np.float64)
        if operation == "log_abs_det":
            part = part.ravel()[0]
        trial.assert_within(operation, problem, part, expected, bound)


def _keeps_images_apart(trial, operation):
    problem, name = trial.problem(size=SIZE, images=3), _images_argument(operation)
    for k in range(3):
        others = getattr(problem, name).copy()
        others[np.arange(3) != k] *= -7
        got = _parts(trial.call(operation, problem, **{name: others}))[0]
        expected, rounding = reference_results(operation, problem)[0]
        trial.require_shape(operation, problem, got, problem.x.shape)
        part = f"image {k} after the others have changed"
        trial.assert_close(operation, problem, got[k], (expected[k], rounding[k]), part)


def _require_that_it_works(trial, operation, problem):
    """Skip a check whose error proves nothing, because the operation always raises."""
    try:
        trial.call(operation, problem)
    except CheckFailure as failure:
        raise CheckSkipped(f"{operation} raises for finite arrays too") from failure


def _keeps_nan_to_its_image(trial, operation):
    problem, name = trial.problem(size=SIZE, images=3), _images_argument(operation)
    images = getattr(problem, name).copy()
    images[1, 0, 1, 2] = np.nan
    try:
        got = _parts(trial.call(operation, problem, **{name: images}))[0]
    except CheckFailure as failure:
        if isinstance(failure.__cause__, ValueError | ArithmeticError | RuntimeError):
            _require_that_it_works(trial, operation, problem)
            return
        raise
    expected, rounding = reference_results(operation, problem)[0]
    for k in (0, 2):
        part = f"image {k}, in a batch with an image that holds NaN"
        trial.assert_close(operation, problem, got[k], (expected[k], rounding[k]), part)
    if np.isfinite(got[1]).all():
        facts = {"expected": "an error, or NaN in image 1", "got": "finite numbers in image 1"}
        raise trial.failure(problem, facts, operation, got)


def _views(array):
    """Yield an array in memory of other orders: transposed, backwards, with gaps, read-only."""
    yield np.ascontiguousarray(array.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)
    yield np.ascontiguousarray(array[..., ::-1, ::-1])[..., ::-1, ::-1]
    for axis in range(array.ndim):
        yield np.flip(np.ascontiguousarray(np.flip(array, axis)), axis)
    yield np.repeat(array, 2, axis=-1)[..., ::2]
    read_only = array.copy()
    read_only.flags.writeable = False
    yield read_only


def _takes_strided_arrays(trial, operation):
    """Pass memory of other orders, as views have it: it may be refused, not misread."""
    problem = trial.problem(size=(3, 4))
    names = [n for n in INPUTS[operation] if isinstance(getattr(problem, n), np.ndarray)]
    taken = 0
    for views in zip(*(_views(getattr(problem, name)) for name in names), strict=True):
        for changed in ([name] for name in names):
            inputs = _inputs(operation, problem)
            for k, name in enumerate(INPUTS[operation]):
                if name in changed:
                    inputs[k] = views[names.index(name)]
            try:
                result = trial.call_on(operation, problem, inputs)
            except CheckFailure as failure:
                if failure.__cause__ is not None:
                    continue
                raise
            compare(trial, operation, problem, result)
            taken += 1
    taken += _takes_repeated_images(trial, operation)
    if not taken:
        raise CheckSkipped(f"{operation} refuses arrays that are not contiguous")


def _takes_repeated_images(trial, operation):
    """Pass images, or gradients, that a stride of 0 repeats; return whether any were taken."""
    problem, taken = trial.problem(size=(3, 4), images=3), 0
    names = [name for name in INPUTS[operation] if name in ("x", "g")]
    for name, axis in product(names, range(4)):
        array = getattr(problem, name)
        repeated = np.broadcast_to(array.take([0], axis), array.shape)
        inputs = _inputs(operation, problem)
        inputs[INPUTS[operation].index(name)] = repeated
        try:
            result = trial.call_on(operation, problem, inputs, (name,))
        except CheckFailure as failure:
            if failure.__cause__ is not None:
                continue
            raise
        references = reference_results(operation, problem, **{name: repeated})
        case = f" for {name} that a stride of 0 repeats along axis {axis}"
        compare_with(trial, operation, problem, result, references, case)
        taken += 1
    return taken


OF_IMAGES = ("conv", "conv_inverse", "conv_vjp", "conv_inverse_vjp")
CONTRACT: dict[
    str, tuple[str, tuple[str, ...], Callable[..., Any]]
] = {  # suffix of the check's name: (description, operations, body)
    "keeps_its_inputs": ("leaves its inputs as they are", OPERATIONS, _keeps_its_inputs),
    "returns_new_memory": (
        "returns arrays that neither its inputs nor later calls can change",
        OF_IMAGES,
        _returns_new_memory,
    ),
    "keeps_dtype": ("returns the dtype of its inputs", OF_IMAGES, _keeps_dtype),
    "is_deterministic": ("returns the same bits twice", OPERATIONS, _is_deterministic),
    "works_in_double_precision": (
        "of float64 is not computed in float32",
        OPERATIONS,
        _works_in_double_precision,
    ),
    "keeps_images_apart": (
        "computes an image in the same way whatever other images the batch holds",
        OF_IMAGES,
        _keeps_images_apart,
    ),
    "keeps_nan_to_its_image": (
        "answers NaN by an error, or by NaN in that image alone",
        OF_IMAGES,
        _keeps_nan_to_its_image,
    ),
    "takes_strided_arrays": (
        "of arrays that are not contiguous is right, or an error",
        OPERATIONS,
        _takes_strided_arrays,
    ),
}


def contract_checks(operation: str) -> Iterator[Check]:
    """Yield the checks of the contract that concern an operation."""
    for suffix, (description, operations, body) in CONTRACT.items():
        if operation in operations:
            yield Check(
                f"{operation}_{suffix}",
                f"{operation} {description}",
                (operation,),
                (),
                partial(body, operation=operation),
            )
