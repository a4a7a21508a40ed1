"""The fast kernels do what the textbook loops do, whatever the tails of batch and channels."""

from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref.kernels import (
    batched,
    blocks,
    copying,
    layout,
    loops,
    memory,
    textbook,
    tiling,
    weight_gradient,
    weights,
)
from cinc_ref.theory.random_kernels import random_kernel
from tests.support.oracles import DTYPES

OPERATIONS = ("conv", "conv_transpose", "substitute", "substitute_transpose")


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


def _equals_textbook(x, *arguments):
    for operation, order in product(OPERATIONS, ORDERS):
        ours = getattr(batched, operation)(_laid_out(x, order), *arguments)
        expected = getattr(textbook, operation)(x, *arguments)
        scale = np.max(np.abs(expected), initial=1)
        in_memory = ours if order == "batch first" else ours.transpose(1, 2, 3, 0)
        assert ours.dtype == x.dtype and in_memory.flags.c_contiguous
        assert np.max(np.abs(ours - expected), initial=0) <= 50 * np.finfo(x.dtype).eps * scale


@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([0, 1, 3, 7, 31, 100]),
    st.sampled_from(DTYPES),
)
def test_equal_to_the_textbook_up_to_rounding(seed, channels, images, dtype):
    _equals_textbook(*_case(seed, channels, images, dtype))


@pytest.mark.parametrize("channels", [6, 12, 13])
def test_channel_tails(channels):
    for dtype, images in zip(DTYPES, (7, 31), strict=True):
        for seed in range(3):
            _equals_textbook(*_case(seed, channels, images, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotients_are_those_of_division(dtype):
    """With one channel and one pixel the inverse is y / d: every bit of it."""
    rng = np.random.default_rng(7)
    for divisor in rng.uniform(1, 2, 50) * 2.0 ** rng.integers(-20, 20, 50):
        y = (rng.normal(size=300) * 2.0 ** rng.integers(-20, 20, 300)).astype(dtype)
        kernel = np.full((1, 1, 1, 1), divisor, dtype)
        x = batched.substitute(y.reshape(-1, 1, 1, 1), kernel, 1, (0, 0))
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
    expected = textbook.substitute(y, kernel, 1, (1, 1))
    assert np.all(np.isfinite(expected))
    x = batched.substitute(y, kernel, 1, (1, 1))
    unit = max(limits.eps, limits.smallest_subnormal / scale)  # to which products are rounded
    assert np.max(np.abs(x - expected)) <= 20 * unit * np.max(np.abs(expected))


@pytest.mark.parametrize("images", [1, 2, 3, 9, 20])
def test_images_of_several_strips_and_waves_of_several_vectors(images):
    for seed in range(4):
        _equals_textbook(*_case(seed, 2, images, np.float32, sides=(4, 23)))


@pytest.mark.parametrize("images", [9, 20, 50])
def test_more_images_on_a_wave_than_lanes(images):
    """As large kernels on small images have them: more diagonals would cost more than vectors."""
    for dtype, side in product(DTYPES, (2, 4)):
        x, kernel, *_ = _case(images, 3, images, dtype, sides=(side, side + 1))
        rng = np.random.default_rng(images)
        kernel = random_kernel(rng, (3, 3, 5, 5), (4, 4), "lower").astype(dtype)
        _equals_textbook(x, kernel, 1, (4, 4))


def _check_weight_gradient(x, g, kernel, dilation, anchor, flips=(False, False)):
    rows, columns = (-1 if flip else 1 for flip in flips)
    x_flipped, g_flipped = (np.ascontiguousarray(a[:, :, ::rows, ::columns]) for a in (x, g))
    ours = batched.conv_weight_grad(x, g, kernel.shape, dilation, anchor, flips)
    expected = textbook.conv_weight_grad(x_flipped, g_flipped, kernel.shape, dilation, anchor)
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


@pytest.mark.parametrize("limit", [None, "SUMMED_BYTES", "SECOND_CACHE_BYTES"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("images", [4, 40])
def test_weight_gradient_in_pieces(images, order, limit, monkeypatch):
    """Of rows and columns, at the least of one pixel; of images, at the least of half a vector."""
    if limit:
        monkeypatch.setattr(weight_gradient, limit, 0)
    weight_gradient._arrangement.cache_clear()
    for seed in range(3):
        x, kernel, dilation, anchor = _case(seed, 3, images, np.float64, sides=(9, 20))
        g = np.random.default_rng(seed).normal(size=x.shape)
        x, g = (_laid_out(array, order) for array in (x, g))
        _check_weight_gradient(x, g, kernel, dilation, anchor)
    weight_gradient._arrangement.cache_clear()


@pytest.mark.parametrize(
    ("caller", "callees"),
    [  # in this order, since the callers are callees of others
        (copying, (blocks, tiling)),
        (memory, (tiling,)),
        (weights, (blocks, layout, textbook, tiling)),
        (weight_gradient, (blocks, copying, tiling)),
        (loops, (blocks, copying, layout, memory, tiling, weights)),
    ],
)
def test_an_edit_of_callees_is_one_of_their_caller(caller, callees):
    """Or Numba's disk cache goes on serving the old code."""
    texts = [Path(module.__file__).read_text(encoding="utf-8") for module in callees]
    digest = sha256("".join(texts).encode()).hexdigest()[:8]
    assert caller.CALLEES == digest, f"{caller.__name__} should have CALLEES = {digest!r}"


def test_kernels_close_over_integers_alone():
    """What else they close over differs in every process, and the disk cache would never be hit."""
    for kernel in (loops.compiled_loops(2, 4, 4, False), weight_gradient._kernel(2, 2, 4)):
        function = getattr(kernel, "py_func", kernel)
        assert all(isinstance(cell.cell_contents, int) for cell in function.__closure__)


def test_plain_loops_are_not_compiled_for_a_dense_corner_block(interpreted):
    """They could do nothing with it."""
    if interpreted:
        pytest.skip("nothing is compiled")
    loops.compiled_loops.cache_clear()
    batched.arrangement.cache_clear()
    kernel = random_kernel(np.random.default_rng(0), (2, 2, 2, 2), (1, 1), "dense")
    y = np.ones((20, 2, 3, 3))
    batched.substitute(y, kernel, 1, (1, 1))
    arranged = batched.arrangement(
        batched.SUBSTITUTE, kernel.shape, y.shape, True, 8, 1, (1, 1), (False, False)
    )
    assert all(general.overloads and not plain.overloads for plain, general, _ in arranged.calls)


@pytest.mark.parametrize("channels", [3, 13])
def test_tiles_that_are_walked_one_by_one(channels, monkeypatch):
    """Because the memory of two would exceed the cache. Thirteen channels leave a slot over."""
    monkeypatch.setattr(batched, "SIDE_BY_SIDE_BYTES", 0)
    batched.arrangement.cache_clear()
    for seed, images in ((0, 33), (1, 100)):
        x, kernel, dilation, anchor = _case(seed, channels, images, np.float32, sides=(3, 7))
        _equals_textbook(x, kernel, dilation, anchor)
    batched.arrangement.cache_clear()


@pytest.mark.parametrize("channels", [3, 13])
@pytest.mark.parametrize("few", [1, 2, 3])
def test_a_few_images_whose_results_a_tile_writes(channels, few, monkeypatch):
    """They lie beside the last of two; more of them than a quarter of a vector are copied."""

    def cut(count, size, rows, uses, vector, quadrant):
        if not quadrant:  # where there are no waves
            return tiling.parts(count, size, rows, uses, vector, quadrant)
        tiles = tiling.Part(np.arange(0, count - few, vector), vector, vector, False)
        return tiles, tiling.Part(np.array([count - few]), vector, few, True)

    monkeypatch.setattr(batched, "parts", cut)
    batched.arrangement.cache_clear()
    for dtype in DTYPES:
        vector = tiling.VECTOR_BYTES // np.dtype(dtype).itemsize
        images = 2 * vector + few
        for seed in range(4):
            _equals_textbook(*_case(seed, channels, images, dtype))
        (call,), *_ = batched.arrangement(
            batched.CONV, (channels, channels, 2, 2), (images, channels, 5, 5), False,
            np.dtype(dtype).itemsize, 1, (1, 1), (False, False),
        )  # fmt: skip
        first = layout.Layout(*call[-1][: layout.LAYOUT])
        then = layout.Layout(*call[-1][first.after :][: layout.LAYOUT])
        if few < tiling.sides(vector)[-1]:
            assert (first.keeps, then.beside) == (1, few)
    batched.arrangement.cache_clear()


@pytest.fixture
def small_results_past_the_caches(monkeypatch):
    """All results count as large; what is arranged for them must not outlive this."""
    assert batched.PAST_CACHES_BYTES >= memory.ALIGNED_BYTES
    monkeypatch.setattr(batched, "PAST_CACHES_BYTES", 0)
    monkeypatch.setattr(memory, "ALIGNED_BYTES", 0)
    batched.arrangement.cache_clear()
    yield
    batched.arrangement.cache_clear()


@pytest.mark.parametrize("channels", [3, 13])
@pytest.mark.usefixtures("small_results_past_the_caches")
def test_results_written_past_the_caches(channels):
    """Where images fill cache lines; 96 and 33 end with tiles of other sizes."""
    for seed, images in enumerate((64, 96, 33)):
        for dtype in DTYPES:
            _equals_textbook(*_case(seed, channels, images, dtype, sides=(3, 7)))


@given(
    st.integers(0, 2**32),
    st.tuples(st.booleans(), st.booleans()),
    st.sampled_from([1, 9, 64]),
    st.sampled_from(ORDERS),
)
def test_flips_are_those_of_the_images(seed, flips, images, order):
    """Walking backwards is the same as reversing the images before and after, to the last bit."""
    x, *arguments = _case(seed, 2, images, np.float64)
    x = _laid_out(x, order)

    def flipped(images):
        rows, columns = (-1 if flip else 1 for flip in flips)
        return np.ascontiguousarray(images[:, :, ::rows, ::columns])

    for operation in OPERATIONS:
        function = getattr(batched, operation)
        expected = flipped(function(flipped(x), *arguments))
        assert np.array_equal(function(x, *arguments, flips), expected)


@pytest.mark.parametrize("channels", [3, 5])
@pytest.mark.parametrize("order", ORDERS)
def test_same_bits_in_any_batch_and_on_any_number_of_lanes(channels, order):
    for seed in (3, 4):
        x, *arguments = _case(seed, channels, 150, np.float32)
        for operation in OPERATIONS:
            function = getattr(batched, operation)
            whole = function(x, *arguments)
            for images in (1, 2, 5, 9, 20, 40, 149):
                part = function(_laid_out(x[-images:], order), *arguments)
                assert np.array_equal(part, whole[-images:])
