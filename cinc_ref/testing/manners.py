"""What every operation owes its caller, whatever it computes."""

from functools import partial

import numpy as np

from cinc_ref.testing.agreement import compare
from cinc_ref.testing.catalogue import add_check
from cinc_ref.testing.failure import CheckFailure
from cinc_ref.testing.trial import INPUTS, answer

SIZE = (3, 3)


def _parts(result):
    return result if isinstance(result, tuple) else (result,)


def _inputs(operation, problem):
    values = [getattr(problem, name) for name in INPUTS[operation]]
    return [np.array(a, order="C") if isinstance(a, np.ndarray) else a for a in values]


def _argument(operation):
    """Of which images the first result is a function, image by image."""
    return "g" if operation.endswith("vjp") else "x"


def _keeps_its_inputs(trial, operation):
    problem = trial.problem(size=SIZE)
    inputs = _inputs(operation, problem)
    trial.call_on(operation, problem, inputs)
    for name, value in zip(INPUTS[operation], inputs, strict=True):
        if isinstance(value, np.ndarray):
            trial.equal(operation, problem, value, getattr(problem, name), f"{name} after the call")


def _returns_new_memory(trial, operation):
    problem = trial.problem(size=SIZE)
    inputs = _inputs(operation, problem)
    first = _parts(trial.call_on(operation, problem, inputs))
    for part in first:
        for name, value in zip(INPUTS[operation], inputs, strict=True):
            if isinstance(value, np.ndarray) and np.shares_memory(part, value):
                facts = {"expected": "an array of its own", "got": f"memory of {name}"}
                raise trial.failure(problem, facts, operation, part)
    kept = [part.copy() for part in first]
    trial.call(operation, problem, x=-2 * problem.x, kernel=2 * problem.kernel)
    for part, before in zip(first, kept, strict=True):
        trial.equal(operation, problem, part, before, "a result after the next call")


def _keeps_dtype(trial, operation):
    problem = trial.problem(size=SIZE)
    for part in _parts(trial.call(operation, problem)):
        if part.dtype != np.dtype(trial.dtype):
            facts = {"expected": f"dtype {trial.dtype}", "got": f"dtype {part.dtype}"}
            raise trial.failure(problem, facts, operation, part)


def _is_deterministic(trial, operation):
    problem = trial.problem(size=SIZE)
    once, again = (_parts(trial.call(operation, problem)) for _ in range(2))
    for first, second in zip(once, again, strict=True):
        trial.equal(operation, problem, second, first, "a second call")


def _works_in_double_precision(trial, operation):
    """Compare with what float32 could not do: a thousandth of its eps."""
    if trial.dtype != "float64":
        return
    problem = trial.problem(size=SIZE, other_taps=0.4)
    single = float(np.finfo(np.float32).eps)
    result = _parts(trial.call(operation, problem))
    for part, (expected, rounding) in zip(result, answer(operation, problem), strict=True):
        if part.shape == problem.kernel.shape:
            mask = problem.kernel != 0
            part, expected = part * mask, expected * mask
        bound = 1e-3 * single * np.asarray(rounding, np.float64)
        if operation == "log_abs_det":
            part = part.ravel()[0]
        trial.within(operation, problem, part, expected, bound)


def _images_do_not_see_each_other(trial, operation):
    problem, name = trial.problem(size=SIZE, images=3), _argument(operation)
    for k in range(3):
        others = getattr(problem, name).copy()
        others[np.arange(3) != k] *= -7
        got = _parts(trial.call(operation, problem, **{name: others}))[0]
        expected, rounding = answer(operation, problem)[0]
        trial.require_shape(operation, problem, got, problem.x.shape)
        part = f"image {k} after the others have changed"
        trial.agree(operation, problem, got[k], (expected[k], rounding[k]), part)


def _keeps_nan_to_its_image(trial, operation):
    problem, name = trial.problem(size=SIZE, images=3), _argument(operation)
    images = getattr(problem, name).copy()
    images[1, 0, 1, 2] = np.nan
    try:
        got = _parts(trial.call(operation, problem, **{name: images}))[0]
    except CheckFailure as failure:
        if isinstance(failure.__cause__, ValueError | ArithmeticError | RuntimeError):
            return
        raise
    expected, rounding = answer(operation, problem)[0]
    for k in (0, 2):
        part = f"image {k}, beside an image with NaN"
        trial.agree(operation, problem, got[k], (expected[k], rounding[k]), part)
    if np.isfinite(got[1]).all():
        facts = {"expected": "an error, or NaN in image 1", "got": "finite numbers in image 1"}
        raise trial.failure(problem, facts, operation, got)


def _takes_strided_arrays(trial, operation):
    """Channel-last memory, as transposing gives it; refusing is fine, a wrong answer is not."""
    problem = trial.problem(size=SIZE)
    inputs = [
        np.ascontiguousarray(a.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)
        if isinstance(a, np.ndarray)
        else a
        for a in _inputs(operation, problem)
    ]
    try:
        result = trial.call_on(operation, problem, inputs)
    except CheckFailure as failure:
        if failure.__cause__ is not None:
            return
        raise
    compare(trial, operation, problem, result)


ALL = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")
OF_IMAGES = ("conv", "conv_inverse", "conv_vjp", "conv_inverse_vjp")
MANNERS = {  # suffix of the name: (in words, operations, body)
    "keeps_its_inputs": ("leaves its inputs as they are", ALL, _keeps_its_inputs),
    "returns_new_memory": (
        "returns arrays that neither its inputs nor later calls can change",
        OF_IMAGES,
        _returns_new_memory,
    ),
    "keeps_dtype": ("returns the dtype that it was given", OF_IMAGES, _keeps_dtype),
    "is_deterministic": ("gives the same bits twice", ALL, _is_deterministic),
    "works_in_double_precision": (
        "of float64 is not computed in float32",
        ALL,
        _works_in_double_precision,
    ),
    "keeps_images_apart": (
        "gives an image the same result whatever stands beside it",
        OF_IMAGES,
        _images_do_not_see_each_other,
    ),
    "keeps_nan_to_its_image": (
        "answers NaN by an error, or by NaN in that image alone",
        OF_IMAGES,
        _keeps_nan_to_its_image,
    ),
    "takes_strided_arrays": (
        "of arrays that are not contiguous is right, or an error",
        ALL,
        _takes_strided_arrays,
    ),
}

for _suffix, (_words, _operations, _body) in MANNERS.items():
    for _operation in _operations:
        add_check(
            f"{_operation}_{_suffix}",
            f"{_operation} {_words}",
            (_operation,),
            (),
            partial(_body, operation=_operation),
        )
