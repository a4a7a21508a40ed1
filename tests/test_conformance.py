"""Our own operation, layers and flows through the suite that we offer to others."""

import math

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.errors import OptionError
from cinc_ref.testing import (
    Check,
    CheckFailure,
    CheckSkipped,
    Implementation,
    NotChecked,
    Problem,
    check_bijection,
    checks,
    gradients,
    log_det,
    parametrize_with_checks,
    reference,
    run_checks,
    structure,
)
from cinc_ref.theory.exact import matrix_determinant
from tests.conftest import INTERPRETED, sparse
from tests.support.layers import quad_coupling
from tests.support.planted_bugs import CONVOLUTION, planted
from tests.support.registry import LAYERS, layer_case
from tests.support.right_implementations import ours

SUITE = dict(checks())


@parametrize_with_checks([ours()])
def test_our_operation(implementation, check):
    check(implementation, seed=11)


@pytest.mark.parametrize("dtype", sparse([np.float64, np.float32], 2))
@pytest.mark.parametrize("name", LAYERS)
def test_our_layers(name, dtype):
    layer, params, x = layer_case(name, images=3, dtype=dtype)
    check_bijection(
        lambda x: layer.forward(params, x),
        lambda y: layer.inverse(params, y),
        x,
        volume_preserving=name == "Squeeze",
    )


# ---- the oracle of the suite is itself held against the definition -------------------------------


@pytest.mark.parametrize("corner_block", ["lower", "upper", "dense"])
def test_reference_inverse_and_log_det(corner_block):
    problem = Problem(seed=3, size=(3, 2), channels=2, corner_block=corner_block)
    matrix = cr.convolution_matrix(problem.kernel, problem.size)
    inverse, log_det = reference.inverse_and_log_det(problem)
    np.testing.assert_allclose(np.float64(inverse), np.linalg.inv(matrix), atol=1e-12)
    determinant = matrix_determinant(matrix)
    exact = math.log(abs(determinant.numerator)) - math.log(determinant.denominator)
    np.testing.assert_allclose(float(log_det), exact, rtol=1e-12)
    rows = reference.to_rows(problem.x)
    assert np.array_equal(reference.to_images(rows, problem.x.shape), problem.x)
    x, _ = reference.conv_inverse(problem, problem.x)
    np.testing.assert_allclose(np.float64(reference.conv(problem, x)[0]), problem.x, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"corner": "bottom-left", "dilation": 2}])
def test_reference_is_the_exact_arithmetic_of_the_theory(options):
    problem = Problem(seed=5, size=(3, 4), channels=2, images=1, **options)
    for function, exact in (
        (reference.conv, cr.theory.exact_conv),
        (reference.conv_inverse, cr.theory.exact_inverse),
    ):
        got, _ = function(problem, problem.x)
        expected = exact(problem.x, problem.kernel, **options).astype(float)
        np.testing.assert_allclose(np.float64(got), expected, rtol=1e-14, atol=1e-15)


def test_reference_gradients_are_slopes_of_the_reference():
    """Every kernel entry moved alone."""
    problem = Problem(seed=4, channels=2, size=(3, 2), kernel_size=(2, 2), images=1)
    rows = reference.to_rows(problem.x).astype(float)

    def value(operation, kernel):
        matrix = cr.convolution_matrix(kernel, problem.size)
        moved = rows @ matrix.T if operation == "conv" else np.linalg.solve(matrix, rows.T).T
        return float(np.sum(moved * reference.to_rows(problem.g)))

    for operation in ("conv", "conv_inverse"):
        function = getattr(reference, f"{operation}_vjp")
        _, (kernel_bar, _) = function(problem, problem.x, problem.g)
        for index in np.ndindex(problem.kernel.shape):
            step = np.zeros_like(problem.kernel)
            step[index] = 1e-5
            ahead, behind = (value(operation, problem.kernel + s * step) for s in (1, -1))
            np.testing.assert_allclose(
                kernel_bar[index], (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize("seed", range(30))
def test_problems_are_bounded_and_nowhere_near_the_identity(seed):
    for corner_block in ("lower", "upper", "dense"):
        kernel = Problem(seed=seed, corner_block=corner_block).kernel
        block = kernel[:, :, -1, -1]
        other = np.einsum("oc,ciab->oiab", np.linalg.inv(block), kernel).reshape(3, 3, 9)[:, :, :8]
        assert np.linalg.norm(other, 2, axis=(0, 1)).sum() == pytest.approx(0.7)
        if corner_block != "dense":
            assert np.linalg.det(block) < 0
            assert np.abs(np.abs(np.diagonal(block)) - 1).min() > 0.09
        assert np.abs(np.linalg.slogdet(block)[1]) > 0.1


# ---- reports -------------------------------------------------------------------------------------


def _forgets_pixels(kernel, size):
    return np.log(np.abs(np.linalg.det(kernel[:, :, -1, -1])))


BROKEN = Implementation(log_abs_det=_forgets_pixels, name="somebody's")


def test_report_names_failures_and_says_what_was_not_checked_and_why():
    report = run_checks(BROKEN)
    assert not report.ok and "log_abs_det_counts_pixels" in report.failed
    assert "log_abs_det_in_nats" in report.failed and "log_abs_det_sign" in report.passed
    text = str(report)
    assert text.startswith("somebody's, seed 0: ")
    assert "not checked, conv was not given: conv_square" in text and " more\n" in text
    assert "not checked, option anchor was not declared: log_abs_det_anchor" in text
    assert report.skipped["conv_inverse_square"] == "conv_inverse was not given"
    total = len(report.passed) + len(report.failed) + len(report.skipped)
    assert total == len(SUITE)


def test_a_bug_is_shown_once_for_each_operation():
    """A kernel transposed fails dozens of checks: one record in full, the others by name."""

    def conv(x, kernel):
        return cr.conv(x, np.ascontiguousarray(kernel.transpose(1, 0, 2, 3)))

    def conv_inverse(y, kernel):
        return cr.conv_inverse(y, np.ascontiguousarray(kernel.transpose(1, 0, 2, 3)))

    functions = {"conv": conv, "conv_inverse": conv_inverse}
    report = run_checks(Implementation(**functions, dtypes="float64"))
    text = str(report)
    assert len(report.failed) > 20
    assert text.count("  repeat\n") <= 4
    assert all(name in text and "repeat" in report.failures[name] for name in report.failed)


@pytest.mark.parametrize(
    "check, replaced",
    [
        ("log_abs_det_counts_pixels", "(1, 4)"),
        ("log_abs_det_of_large_images", "(15, 14)"),
        ("log_abs_det_reads_the_corner_block_alone", "another_kernel"),
    ],
)
def test_failure_shows_the_arguments_of_its_call(check, replaced):
    """The size or kernel that was passed, not that of the problem."""

    def log_abs_det(kernel, size):
        return np.abs(kernel).sum() + size[0] * size[1]

    message = run_checks(Implementation(log_abs_det=log_abs_det)).failures[check]
    called = message.split("# its call: ")[1].split("\n")[0]
    assert replaced in called
    if replaced.startswith("("):
        assert f"size {replaced}" in message


def _circular(x, kernel):
    wide = np.pad(x, ((0, 0), (0, 0), (2, 0), (2, 0)), mode="wrap")
    return cr.conv(wide, kernel)[:, :, 2:, 2:]


def _with_bias(x, kernel):
    return cr.conv(x, kernel) + 1


def _inverse_with_bias(y, kernel):
    return cr.conv_inverse(y - 1, kernel)


@pytest.mark.parametrize(
    "functions, failed",
    [
        ({"conv": _with_bias}, "conv_of_zero_is_zero"),
        ({"conv": _with_bias, "conv_inverse": _inverse_with_bias}, "conv_of_zero_is_zero"),
        ({"conv_inverse": _inverse_with_bias}, "conv_inverse_of_zero_is_zero"),
        ({"conv": _circular, "log_abs_det": cr.log_abs_det}, "conv_reads_earlier_pixels_only"),
    ],
)
def test_a_layer_of_another_kind_is_sent_to_check(functions, failed):
    report = run_checks(Implementation(**functions))
    assert report.failed == [failed]
    assert "cinc_ref.testing.check tests any layer" in str(report)
    assert len(report.failed) + len(report.passed) + len(report.skipped) == len(SUITE)


def test_a_convolution_is_not_sent_away():
    for function in (cr.conv, lambda x, kernel: cr.conv(x, kernel)[:1], lambda x, kernel: None):
        assert "tests any layer" not in str(run_checks(Implementation(conv=function)))


def test_what_is_declared_is_not_blamed():
    """Positive or unit diagonals and one number of channels, which are never passed others."""
    seen = set()

    def conv(x, kernel):
        diagonal = np.diagonal(kernel[:, :, -1, -1])
        seen.update((bool((diagonal < 0).any()), channels) for channels in [len(kernel)])
        return cr.conv(x, kernel)

    assert run_checks(Implementation(conv=conv, diagonal="positive", channels=[2, 5])).ok
    assert seen == {(False, 2), (False, 5)}


def test_a_refusal_is_not_checked_and_proves_nothing():
    def conv(x, kernel):
        raise NotImplementedError("on Tuesdays")

    report = run_checks(Implementation(conv=conv))
    assert report.ok and not report.passed, report.passed


def test_an_exception_at_every_call_passes_no_check():
    def conv(x, kernel):
        raise RuntimeError("no GPU")

    report = run_checks(Implementation(conv=conv))
    assert not report.ok and not report.passed, report.passed


def test_expected_failures_leave_the_report_ok():
    expected = dict.fromkeys(run_checks(BROKEN).failed, "known: issue 12")
    expected["log_abs_det_sign"] = "thought to fail"
    report = run_checks(BROKEN, expected_failures=expected)
    assert report.ok and report.failed == []
    assert "log_abs_det_counts_pixels: failed as expected: known: issue 12" in str(report)
    assert "log_abs_det_sign: passed, though expected to fail: thought to fail" in str(report)


def test_failure_says_everything_and_its_snippet_repeats_it():
    bug = next(bug for bug in CONVOLUTION if "misread" in bug.description)
    implementation = planted(bug)
    with pytest.raises(CheckFailure) as raised:
        SUITE[bug.check](implementation, seed=3)
    message = str(raised.value)
    for line in (
        "expected ",
        "got ",
        "where    index (",
        "shapes   x (2, 3, 4, 4), kernel",
        "seed     3",
    ):
        assert f"\n  {line}" in message
    assert "dtype    float32" in message or "dtype    float64" in message
    snippet = [line[4:] for line in message.split("  repeat\n")[1].split("\n")]
    scope = {"implementation": implementation}
    with pytest.raises(CheckFailure) as again:
        exec("\n".join(snippet), scope)
    assert str(again.value) == message
    assert scope["problem"].x.shape == (2, 3, 4, 4)


def test_failure_shows_the_first_wrong_pixel_in_raster_order():
    """A recursion carries an error on, and magnifies it: the first one tells where it began."""

    def wrong(y, kernel):
        x = cr.conv_inverse(y, kernel).copy()
        x[0, 2, 1, 3:] += 1e-3
        x[0, 0, 2] += 10
        x[1] += 20
        return x

    message = run_checks(Implementation(conv_inverse=wrong)).failures["conv_inverse_square"]
    assert "the worst of 53 wrong entries in 96" in message
    assert "first    index (0, 2, 1, 3): " in message

    alone = run_checks(Implementation(log_abs_det=_forgets_pixels))
    assert "  first" not in alone.failures["log_abs_det_square"]


def test_messages_of_the_layers_repeat_themselves():
    forward, inverse, x = quad_coupling(0, published=True)
    with pytest.raises(CheckFailure, match="inverse_undoes_forward") as raised:
        check_bijection(forward, inverse, x)
    snippet = [line[4:] for line in str(raised.value).split("  repeat\n")[1].split("\n")]
    with pytest.raises(CheckFailure) as again:
        exec("\n".join(snippet), {"forward": forward, "inverse": inverse, "x": x})
    assert str(again.value) == str(raised.value)


def test_an_exception_is_a_failure_and_a_refusal_of_more_is_not():
    def conv(x, kernel):
        raise RuntimeError("no GPU")

    with pytest.raises(CheckFailure, match="got      RuntimeError: no GPU"):
        SUITE["conv_square"](Implementation(conv=conv))

    def conv_inverse(y, kernel):
        if np.triu(kernel[:, :, -1, -1], 1).any():
            raise NotImplementedError("lower triangles only")
        return cr.conv_inverse(y, kernel)

    lower = Implementation(conv_inverse=conv_inverse)
    SUITE["conv_inverse_square"](lower)
    with pytest.raises(CheckSkipped, match="refuses it: lower triangles only"):
        SUITE["conv_inverse_dense_corner_block"](lower)


@pytest.mark.parametrize(
    "result", [None, 3.0, "y", [[1.0], [2.0, 3.0]], np.zeros((2, 3)), np.zeros(0)]
)
def test_results_of_another_kind_are_failures_not_crashes(result):
    def function(*arrays):
        return result

    names = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")
    report = run_checks(Implementation(**dict.fromkeys(names, function), dtypes=["float64"]))
    assert {f"{name}_square" for name in names} <= set(report.failed)


def test_a_layer_that_masks_its_corner_block_is_right_if_all_of_it_does():
    def masked(function):
        def masking(x, kernel):
            kernel = kernel.copy()
            kernel[:, :, -1, -1] = np.tril(kernel[:, :, -1, -1])
            return function(x, kernel)

        return masking

    def log_abs_det(kernel, size):
        return size[0] * size[1] * np.log(np.abs(np.diagonal(kernel[:, :, -1, -1]))).sum()

    functions = {"conv_inverse": masked(cr.conv_inverse), "log_abs_det": log_abs_det}
    for seed in range(1 if INTERPRETED else 5):
        report = run_checks(Implementation(conv=masked(cr.conv), **functions), seed)
        assert report.ok, str(report)
        reason = "conv_inverse masks the corner block to its lower triangle"
        assert report.skipped["conv_inverse_dense_corner_block"] == reason
        assert "conv_upper_corner_block" in report.skipped
        report = run_checks(Implementation(conv=cr.conv, **functions), seed)
        assert report.failed == [
            "conv_inverse_upper_corner_block",
            "conv_inverse_dense_corner_block",
            "conv_inverse_drawn_blocks",
            "log_abs_det_dense_corner_block",
            "log_abs_det_drawn_blocks",
        ]


def test_only_declared_options_are_passed():
    seen = set()

    def conv(x, kernel, **options):
        seen.update(options)
        return cr.conv(x, kernel, **options)

    assert run_checks(Implementation(conv=conv)).ok and not seen
    assert run_checks(Implementation(conv=conv, options=["dilation"])).ok
    assert seen == {"dilation"}


def test_declared_dtypes_alone_are_tried():
    seen = set()

    def conv(x, kernel):
        seen.add(str(x.dtype))
        return cr.conv(x, kernel)

    run_checks(Implementation(conv=conv, dtypes=[np.float32]))
    assert seen == {"float32"}


def test_results_of_other_kinds_are_taken():
    """Lists, one figure an image, and tensors that hide behind detach()."""

    class Tensor:
        def __init__(self, array):
            self.array = array

        def detach(self):
            return self

        cpu = detach

        def numpy(self):
            return self.array

    implementation = Implementation(
        conv=lambda x, kernel: Tensor(cr.conv(x, kernel)),
        log_abs_det=lambda kernel, size: [float(cr.log_abs_det(kernel, size))] * 5,
        conv_vjp=lambda *arrays: [Tensor(part) for part in cr.conv_vjp(*arrays)],
        dtypes="float64",
    )
    report = run_checks(implementation)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Implementation(), "at least one of conv, conv_inverse"),
        (lambda: Implementation(conv=3), "callables; got 3"),
        (lambda: Implementation(conv=cr.conv, options=["stride"]), "anchor; got 'stride'"),
        (lambda: Implementation(conv=cr.conv, dtypes=["float16"]), "float64; got 'float16'"),
        (lambda: Implementation(conv=cr.conv, dtypes=()), "got none"),
        (lambda: Implementation(conv=cr.conv, diagonal="negative"), "diagonal must be one of"),
        (lambda: Implementation(conv=cr.conv, channels=[0]), "channels must be integers >= 1"),
        (lambda: run_checks(BROKEN, expected_failures={"tall": ""}), "name checks; got tall"),
        (lambda: parametrize_with_checks([BROKEN], expected_failures={"a": ""}), "got a"),
    ],
)
def test_wrong_use_is_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_expected_failures_of_pytest_are_marked():
    mark = parametrize_with_checks([BROKEN], expected_failures={"log_abs_det_in_nats": "bits"}).mark
    cases = {case.id: case for case in mark.args[1]}
    assert cases["somebody's-log_abs_det_in_nats"].marks[0].kwargs["reason"] == "bits"
    assert not cases["somebody's-log_abs_det_sign"].marks


def test_no_check_that_is_defined_is_missing_from_the_suite():
    defined = {
        value.name
        for module in (gradients, log_det, structure)
        for value in vars(module).values()
        if isinstance(value, Check)
    }
    assert len(defined) > 20 and defined <= set(SUITE)
    names = [name for name, _ in checks()]
    assert len(names) == len(set(names)) and {check.name for _, check in checks()} == set(names)


def test_former_names_stay():
    assert NotChecked is CheckSkipped
    report = run_checks(BROKEN)
    assert report.not_checked is report.skipped and report.skipped


def test_every_check_is_named_once_and_states_one_thing():
    assert len({check.statement for check in SUITE.values()}) == len(SUITE)
    for name, check in SUITE.items():
        assert check.name == name and len(check.statement) < 120


@pytest.mark.parametrize(
    "x, message",
    [
        (np.ones((3, 2), int), "float32 or float64"),
        (np.ones((0, 2)), "N >= 1"),
        (np.ones(3), "N >= 1"),
        (np.ones((2, 1025)), "1 to 1024 entries"),
    ],
)
def test_images_on_which_a_layer_cannot_be_tested(x, message):
    with pytest.raises(CheckFailure, match=message) as raised:
        check_bijection(lambda x: x, lambda x: x, x)
    assert raised.value.check == "usable_input"


def test_one_image_is_enough_to_find_the_published_slip():
    forward, inverse, x = quad_coupling(0)
    check_bijection(forward, inverse, x[:1])
    with pytest.raises(CheckFailure, match="inverse_undoes_forward"):
        check_bijection(*quad_coupling(0, published=True)[:2], x[:1])


def test_kinks_are_stepped_around_or_decide_nothing():
    """A leaky ReLU: differences across its kink are wrong, and are known to be."""

    def forward(x):
        slope = np.where(x > 0, 3.0, 0.5)
        return slope * x, np.log(slope).sum(axis=1)

    def inverse(y):
        slope = np.where(y > 0, 3.0, 0.5)
        return y / slope, -np.log(slope).sum(axis=1)

    x = np.random.default_rng(0).normal(size=(3, 5))
    x[0, 0] = 1e-6
    check_bijection(forward, inverse, x)
    with pytest.raises(CheckFailure) as raised:
        check_bijection(forward, inverse, np.full((3, 5), 1e-9))
    assert raised.value.check == "conclusive"


def test_a_layer_that_raises_has_failed():
    def forward(x):
        raise RuntimeError("out of memory")

    with pytest.raises(CheckFailure, match="RuntimeError: out of memory"):
        check_bijection(forward, forward, np.ones((2, 3)))


def test_a_permutation_passes_when_it_is_meant_to_be_one():
    x = np.random.default_rng(0).normal(size=(3, 4))

    def reverse(x):
        return x[:, ::-1].copy(), np.zeros(len(x))

    with pytest.raises(CheckFailure) as raised:
        check_bijection(reverse, reverse, x)
    assert raised.value.check == "not_vacuous"
    check_bijection(reverse, reverse, x, volume_preserving=True)

    def doubled(x):
        return 2 * x, np.full(len(x), 4 * np.log(2))

    def halved(y):
        return y / 2, np.full(len(y), -4 * np.log(2))

    with pytest.raises(CheckFailure) as raised:
        check_bijection(doubled, halved, x, volume_preserving=True)
    assert raised.value.check == "volume_is_preserved"


def test_a_map_that_is_no_bijection_decides_nothing_about_log_dets():
    def flat(x):
        return 0 * x + x.sum(axis=1, keepdims=True), np.zeros(len(x))

    with pytest.raises(CheckFailure):
        check_bijection(flat, flat, np.random.default_rng(0).normal(size=(3, 4)))
