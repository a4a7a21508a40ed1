"""The fast kernels do what the reference loops do, whatever the tails of batch and channels."""

import os
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref.kernels.causal import descriptor, plan
from cinc_ref.kernels.causal.sweep import compiled_sweep
from cinc_ref.kernels.causal.tuning import TUNING
from cinc_ref.kernels.causal.weight_gradient import _compiled_loops, conv_weight_grad
from cinc_ref.kernels.simd import pages
from cinc_ref.reference import loops as reference
from cinc_ref.theory.random_kernels import random_kernel
from tests.support.oracles import DTYPES
from tests.support.processes import run_code

OPERATIONS = {
    plan.CONV: reference.conv,
    plan.CONV_TRANSPOSE: reference.conv_transpose,
    plan.SOLVE: reference.solve,
    plan.SOLVE_TRANSPOSE: reference.solve_transpose,
}


def fast(operation, images, kernel, dilation, anchor, flips=(False, False), tuning=TUNING):
    """An operation by the fast kernels."""
    geometry, batch_first = (dilation, anchor, flips), bool(images.flags.c_contiguous)
    call = kernel.shape, images.shape, batch_first, images.itemsize, geometry
    return plan.run(plan.make_plan(operation, *call, tuning), images, kernel)[0]


ORDERS = ("batch first", "batch last")


def _case(seed, channels, images, dtype, sides=(1, 6)):
    """Images (N, C, H, W), a kernel, its dilation and anchor: half of them in the last tap."""
    rng = np.random.default_rng(seed)
    kh, kw = (int(side) for side in rng.integers(1, 5, 2))
    inside = (int(rng.integers(kh)), int(rng.integers(kw)))
    anchor = inside if rng.random() < 0.5 else (kh - 1, kw - 1)
    kind = str(rng.choice(["lower", "upper", "dense", "unit"]))
    kernel = random_kernel(rng, (channels, channels, kh, kw), anchor, kind).astype(dtype)
    size = (int(side) for side in rng.integers(*sides, 2))
    images = rng.normal(size=(images, channels, *size)).astype(dtype)
    return images, kernel, int(rng.integers(1, 4)), anchor


def _laid_out(images, order):
    """The same images, contiguous as (N, C, H, W) or as (C, H, W, N) in memory."""
    if order == "batch first":
        return np.ascontiguousarray(images)
    return np.ascontiguousarray(images.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)


def _equals_reference(x, kernel, dilation, anchor, tuning=TUNING):
    for operation, expectation in OPERATIONS.items():
        expected = expectation(x, kernel, dilation, anchor)
        scale = np.max(np.abs(expected), initial=1)
        for order in ORDERS:
            ours = fast(operation, _laid_out(x, order), kernel, dilation, anchor, tuning=tuning)
            in_memory = ours if order == "batch first" else ours.transpose(1, 2, 3, 0)
            assert ours.dtype == x.dtype and in_memory.flags.c_contiguous
            assert np.max(np.abs(ours - expected), initial=0) <= 50 * np.finfo(x.dtype).eps * scale


@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([0, 1, 3, 7, 31, 100]),
    st.sampled_from(DTYPES),
)
def test_equal_to_the_reference_up_to_rounding(seed, channels, images, dtype):
    _equals_reference(*_case(seed, channels, images, dtype))


@pytest.mark.parametrize("channels", [6, 12, 13])
def test_channel_tails(channels):
    for dtype, images in zip(DTYPES, (7, 31), strict=True):
        for seed in range(3):
            _equals_reference(*_case(seed, channels, images, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotients_are_those_of_division(dtype):
    """With one channel and one pixel the inverse is y / d: every bit of it."""
    rng = np.random.default_rng(7)
    for divisor in rng.uniform(1, 2, 50) * 2.0 ** rng.integers(-20, 20, 50):
        y = (rng.normal(size=300) * 2.0 ** rng.integers(-20, 20, 300)).astype(dtype)
        kernel = np.full((1, 1, 1, 1), divisor, dtype)
        x = fast(plan.SOLVE, y.reshape(-1, 1, 1, 1), kernel, 1, (0, 0))
        assert np.array_equal(x.ravel(), y / kernel.ravel())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["lower", "dense"])
@pytest.mark.parametrize("place", ["least", "below normal", "just normal", "most"])
@pytest.mark.parametrize("order", ORDERS)
def test_corners_whose_reciprocals_are_no_normal_numbers(dtype, kind, place, order):
    rng, limits = np.random.default_rng(3), np.finfo(dtype)
    scale = {
        "least": 2**16 * limits.smallest_subnormal,  # 1 / it is infinite
        "below normal": limits.tiny / 2,
        "just normal": limits.tiny,
        "most": limits.max / 3,  # 1 / it is not normal
    }[place]
    kernel = random_kernel(rng, (3, 3, 2, 2), (1, 1), kind)
    kernel = (kernel / (8 * np.max(np.abs(kernel))) * scale).astype(dtype)
    kernel[range(3), range(3), 1, 1] = scale
    y = _laid_out((scale * rng.uniform(-1, 1, (70, 3, 3, 3))).astype(dtype), order)
    expected = reference.solve(y, kernel, 1, (1, 1))
    assert np.all(np.isfinite(expected))
    x = fast(plan.SOLVE, y, kernel, 1, (1, 1))
    unit = max(limits.eps, limits.smallest_subnormal / scale)  # to which products are rounded
    assert np.max(np.abs(x - expected)) <= 20 * unit * np.max(np.abs(expected))


@pytest.mark.parametrize("images", [1, 2, 3, 9, 20])
def test_images_of_several_strips_and_wavefronts_of_several_vectors(images):
    for seed in range(4):
        _equals_reference(*_case(seed, 2, images, np.float32, sides=(4, 23)))


@pytest.mark.parametrize("images", [9, 20, 50])
def test_more_images_on_a_wavefront_than_lanes(images):
    """As large kernels on small images have them: more diagonals would cost more than vectors."""
    for dtype, side in product(DTYPES, (2, 4)):
        x, kernel, *_ = _case(images, 3, images, dtype, sides=(side, side + 1))
        rng = np.random.default_rng(images)
        kernel = random_kernel(rng, (3, 3, 5, 5), (4, 4), "lower").astype(dtype)
        _equals_reference(x, kernel, 1, (4, 4))


def _check_weight_gradient(x, g, kernel, dilation, anchor, flips=(False, False), tuning=TUNING):
    rows, columns = (-1 if flip else 1 for flip in flips)
    x_flipped, g_flipped = (np.ascontiguousarray(a[:, :, ::rows, ::columns]) for a in (x, g))
    ours = conv_weight_grad(x, g, kernel.shape, (dilation, anchor, flips), tuning)
    expected = reference.conv_weight_grad(x_flipped, g_flipped, kernel.shape, dilation, anchor)
    assert ours.dtype == x.dtype
    scale = np.finfo(x.dtype).eps * x.size
    np.testing.assert_allclose(ours, expected, rtol=0, atol=100 * scale)


@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 3, 5, 7]),
    st.sampled_from([0, 1, 5, 19]),
    st.sampled_from(DTYPES),
    st.tuples(st.sampled_from(ORDERS), st.sampled_from(ORDERS)),
    st.tuples(st.booleans(), st.booleans()),
)
def test_weight_gradient(seed, channels, images, dtype, orders, flips):
    x, *arguments = _case(seed, channels, images, dtype)
    g = np.random.default_rng(seed + 1).normal(size=x.shape).astype(dtype)
    x, g = map(_laid_out, (x, g), orders)
    _check_weight_gradient(x, g, *arguments, flips)


@pytest.mark.parametrize("flips", list(product([False, True], [False, True])))
@pytest.mark.parametrize("channels", [7, 13])
def test_weight_gradient_of_channel_tails_and_flips(channels, flips):
    for dtype in DTYPES:
        x, *arguments = _case(channels, channels, 5, dtype)
        _check_weight_gradient(x, x[::-1].copy(), *arguments, flips)


@pytest.mark.parametrize("limit", [{}, {"gradient_tile_bytes": 0}, {"gradient_copy_bytes": 0}])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("images", [4, 40])
def test_weight_gradient_in_pieces(images, order, limit):
    """Pieces are rows and columns, down to one pixel, and images, down to half a vector."""
    for seed in range(3):
        x, kernel, dilation, anchor = _case(seed, 3, images, np.float64, sides=(9, 20))
        g = np.random.default_rng(seed).normal(size=x.shape)
        x, g = (_laid_out(array, order) for array in (x, g))
        tuning = TUNING._replace(**limit)
        _check_weight_gradient(x, g, kernel, dilation, anchor, tuning=tuning)


def test_kernels_close_over_integers_alone():
    """A closure over anything else differs in every process, and the disk cache is never hit."""
    for kernel in (compiled_sweep(2, 4, False), _compiled_loops(2, 2, 4)):
        function = getattr(kernel, "py_func", kernel)
        assert all(isinstance(cell.cell_contents, int) for cell in function.__closure__)


def test_an_edit_of_a_callee_in_another_file_is_noticed(tmp_path, interpreted):
    """Otherwise Numba's disk cache would go on serving the old code."""
    if interpreted:
        pytest.skip("nothing is compiled")
    package = Path(plan.__file__).parents[2]
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, tmp_path / "cinc_ref", ignore=ignored)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    code = (
        "import numpy as np, cinc_ref as cr; one = np.ones((1, 1, 1, 1)); print(cr.conv(one, one))"
    )

    def result():
        done = run_code(code, flags=["-B"], cwd=tmp_path, env=environment)
        return float(done.stdout.strip("[] \n"))

    assert result() == 1
    edited = tmp_path / "cinc_ref" / "kernels" / "simd" / "block.py"
    source = edited.read_text(encoding="utf-8")
    fused = "return builder.call(function, (a, b, c))"
    assert source.count(fused) == 1
    edited.write_text(source.replace(fused, "return builder.fsub(c, a)"), encoding="utf-8")
    assert result() == -1


@pytest.mark.parametrize("images", [5, 20, 100, 130])
def test_a_call_compiles_one_sweep(images, interpreted):
    """A full tile and the rest of the batch are swept by the same compiled function."""
    if interpreted:
        pytest.skip("nothing is compiled")
    compiled_sweep.cache_clear()
    kernel = random_kernel(np.random.default_rng(0), (2, 2, 2, 2), (1, 1), "lower")
    fast(plan.SOLVE, np.ones((images, 2, 3, 3)), kernel, 1, (1, 1))
    assert compiled_sweep.cache_info().currsize == 1


@pytest.mark.parametrize("channels", [3, 13])
def test_tiles_that_are_swept_one_by_one(channels):
    """The memory of two would exceed the cache. Thirteen channels leave padding."""
    for seed, images in ((0, 33), (1, 100)):
        x, *arguments = _case(seed, channels, images, np.float32, sides=(3, 7))
        _equals_reference(x, *arguments, TUNING._replace(tile_group_bytes=0))


@pytest.mark.parametrize("channels", [3, 13])
def test_results_stored_past_the_caches(channels, monkeypatch):
    """Images fill cache lines; 96 and 33 end with other tiles."""
    assert TUNING.nontemporal_min_bytes >= pages.ALIGNED_BYTES
    monkeypatch.setattr(pages, "ALIGNED_BYTES", 0)
    for seed, images in enumerate((64, 96, 33)):
        for dtype in DTYPES:
            x, *arguments = _case(seed, channels, images, dtype, sides=(3, 7))
            _equals_reference(x, *arguments, TUNING._replace(nontemporal_min_bytes=0))


def test_nontemporal_stores_are_those_of_whole_cache_lines():
    def nontemporal(images, side):
        call = (2, 2, 2, 2), (images, 2, side, side), False, 4, (1, (1, 1), (False, False))
        tables = plan.make_plan(plan.CONV, *call).descriptor
        parts = np.reshape(tables[1 : 1 + tables[0] * descriptor.PART_FIELDS], (tables[0], -1))
        return [bool(descriptor.Part(*part).nontemporal) for part in parts]

    assert nontemporal(64, 128) == [True]
    assert nontemporal(64, 4) == [False]  # a small result
    assert not any(nontemporal(63, 256))  # images that begin within a line


@given(
    st.integers(0, 2**32),
    st.tuples(st.booleans(), st.booleans()),
    st.sampled_from([1, 9, 64]),
    st.sampled_from(ORDERS),
)
def test_flips_are_those_of_the_images(seed, flips, images, order):
    """Sweeping backwards is the same as reversing the images before and after, to the last bit."""
    x, *arguments = _case(seed, 2, images, np.float64)
    x = _laid_out(x, order)

    def flipped(images):
        rows, columns = (-1 if flip else 1 for flip in flips)
        return np.ascontiguousarray(images[:, :, ::rows, ::columns])

    for operation in OPERATIONS:
        expected = flipped(fast(operation, flipped(x), *arguments))
        assert np.array_equal(fast(operation, x, *arguments, flips), expected)


@pytest.mark.parametrize("channels", [3, 5])
@pytest.mark.parametrize("order", ORDERS)
def test_same_bits_in_any_batch_and_on_any_number_of_lanes(channels, order):
    for seed in (3, 4):
        x, *arguments = _case(seed, channels, 150, np.float32)
        for operation in OPERATIONS:
            whole = fast(operation, x, *arguments)
            for images in (1, 2, 5, 9, 20, 40, 149):
                part = fast(operation, _laid_out(x[-images:], order), *arguments)
                assert np.array_equal(part, whole[-images:])
