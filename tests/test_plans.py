"""Plans of the fast kernels: images, pixels and taps are covered, and memory suffices."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinc_ref.kernels.causal import descriptor, plan, weight_gradient
from cinc_ref.kernels.causal.schedule import (
    reaching_taps,
    row_ring_schedule,
    wavefront_schedule,
    wavefront_steps,
)
from cinc_ref.kernels.causal.tiles import cut_batch
from cinc_ref.kernels.causal.transfer import IN_PLACE
from cinc_ref.kernels.causal.tuning import TUNING
from cinc_ref.kernels.simd import cpu
from cinc_ref.kernels.simd.cpu import LINE_BYTES
from cinc_ref.theory.random_kernels import random_kernel
from tests.support.oracles import DTYPES

OPERATIONS = (plan.CONV, plan.CONV_TRANSPOSE, plan.SOLVE, plan.SOLVE_TRANSPOSE)
FLIPS = st.tuples(st.booleans(), st.booleans())
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
KERNELS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))


def parts_of(made):
    """Decode the parts of a plan."""
    tables, size = made.descriptor, descriptor.PART_FIELDS
    starts = range(1, 1 + tables[0] * size, size)
    return [descriptor.Part(*map(int, tables[start : start + size])) for start in starts]


@given(
    st.integers(0, 300),
    SIZES,
    st.integers(1, 12),
    st.integers(1, 30),
    st.sampled_from([2, 4, 8, 16]),
    st.booleans(),
)
def test_tiles_cover_the_batch(count, size, rows, multiply_adds, vector, quadrant):
    lanes, parts = cut_batch(count, size, rows, multiply_adds, vector, quadrant)
    tiles = [
        range(first, first + part.images) for part in parts for first in part.first_images.tolist()
    ]
    assert sorted({*range(count)}) == sorted({image for tile in tiles for image in tile})
    assert [*map(min, tiles)] == sorted(map(min, tiles))
    assert all(left.stop == right.start for left, right in pairwise(tiles[:-1]))
    for part in parts:
        assert part.images == lanes or part is parts[-1]
        assert part.wavefront or part.images == min(count, lanes)
        assert quadrant or not part.wavefront
    if parts and parts[-1].wavefront:  # which does no image again
        assert sum(map(len, tiles)) == count and len(parts[-1].first_images) == 1


def _taps(kernel, size, dilation):
    """List the taps of a kernel: its sides, and what of them is behind the anchor."""
    height, width, behind_rows, behind_columns = kernel
    shape = (1, 1, height + behind_rows, width + behind_columns)
    return reaching_taps(shape, size, dilation, (height - 1, width - 1))


@given(KERNELS, SIZES, st.integers(1, 3))
def test_taps_are_those_that_meet_the_image(kernel, size, dilation):
    height, width, behind_rows, behind_columns = kernel
    pixels = set(product(*map(range, size)))
    expected = []
    for a, b in product(range(height + behind_rows), range(width + behind_columns)):
        up, left = (height - 1 - a) * dilation, (width - 1 - b) * dilation
        met = {(i - up, j - left) for i, j in pixels} & pixels
        if (a, b) < (height - 1, width - 1) and met:
            expected.append((up, left, a, b))
    assert _taps(kernel, size, dilation) == tuple(expected)


def _reads_of_step(schedule, step):
    """Return {(place, weight)} of the vectors that the runs of a step read."""
    place, _, phase, column, first_run, _ = schedule.steps[step].tolist()
    reads = []
    for run in range(first_run, schedule.run_offsets.shape[1]):
        first, last = schedule.run_bounds[column, 2 * run : 2 * run + 2].tolist()
        vectors = place + schedule.run_offsets[phase, run]
        reads += [
            (int(vectors + t * schedule.channel_stride), int(schedule.run_weights[run] + t))
            for t in range(first, last)
        ]
    assert len(reads) == len(set(reads))
    return set(reads)


def _assert_strips_partition(schedule, pixels):
    """Strips follow one another through all steps, and hold every pixel once."""
    first_pixels, last_pixels, first_steps, last_steps = schedule.strips.T.tolist()
    assert sorted(p for s in zip(first_pixels, last_pixels, strict=True) for p in range(*s)) == [
        *range(pixels)
    ]
    assert [*first_steps, len(schedule.steps)] == [0, *last_steps]


@given(
    KERNELS,
    SIZES,
    st.integers(1, 2),
    FLIPS,
    st.integers(1, 3),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 20),
    st.integers(1, 3),
)
def test_row_rings_read_each_tap_inside_the_image(
    kernel, size, dilation, flips, slots, lanes, strip_pixels, strip_rows
):
    """Every pixel that is read was computed before, and its place was not used again meanwhile."""
    taps = _taps(kernel, size, dilation)
    schedule = row_ring_schedule(size, taps, flips, slots, lanes, strip_pixels, strip_rows)
    height, width = size
    _assert_strips_partition(schedule, height * width)
    holders, computed = {}, set()
    for first_pixel, last_pixel, first_step, last_step in schedule.strips.tolist():
        of_strip = [*range(first_pixel, last_pixel)]
        numbers = schedule.steps[first_step:last_step, 5].tolist()
        assert sorted(numbers) == of_strip
        scratch = schedule.scratch_offsets[of_strip] // (slots * lanes)
        assert sorted(scratch) == [*range(len(of_strip))]
        rows = (last_pixel - first_pixel) // width
        assert rows >= min(strip_rows, height) and len(of_strip) >= min(
            strip_pixels, height * width
        )
        assert rows < 2 * max(strip_rows, -(-strip_pixels // width))
        for number in of_strip:  # as transferred
            holders[int(schedule.pixel_offsets[number])] = _swept(number, size, flips)
        for step in range(first_step, last_step):
            number = int(schedule.steps[step, 5])
            i, j = _swept(number, size, flips)
            assert schedule.steps[step, 0] == schedule.pixel_offsets[number]
            assert schedule.steps[step, 1] == schedule.scratch_offsets[number]
            expected = {}
            for t, (up, left, _, _) in enumerate(taps):
                if i >= up and 0 <= j - left < width:
                    assert (i - up, j - left) in computed
                    expected[i - up, j - left] = t * slots
            reads = _reads_of_step(schedule, step)
            assert len(reads) == slots * len(expected)
            for place, weight in reads:
                pixel, channel = divmod(place, slots * lanes)
                channel, rest = divmod(channel, lanes)
                source = holders[pixel * slots * lanes]
                assert rest == 0 and weight == expected[source] + channel
            computed.add((i, j))
    assert 0 <= min(holders) and max(holders) + slots * lanes <= schedule.memory_length
    ups, rows = max((tap[0] for tap in taps), default=0), np.diff(schedule.strips[:, 2:]).max()
    assert schedule.memory_length <= (ups * width + rows) * slots * lanes + lanes
    assert max(schedule.scratch_offsets) + slots * lanes <= schedule.scratch_length
    assert schedule.scratch_length <= rows * slots * lanes + lanes
    assert schedule.run_weights[-1] == len(taps) * slots
    places = {tap[:2] for tap in taps} | {(0, 0)}
    ends = [tap for tap in taps if (tap[0], tap[1] - 1) not in places]
    assert schedule.run_offsets.shape[1] == len(ends) + 1


def _swept(number, size, flips):
    """Return row and column of a pixel in the order of the sweep."""
    place = divmod(number, size[1])
    return tuple(n - 1 - k if flip else k for k, n, flip in zip(place, size, flips, strict=True))


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    SIZES,
    st.integers(1, 2),
    FLIPS,
    st.integers(1, 3),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 5),
)
def test_wavefronts_read_each_tap_inside_the_image(
    kernel, size, dilation, flips, slots, lanes, images
):
    taps = _taps((*kernel, 0, 0), size, dilation)
    schedule = wavefront_schedule(size, taps, flips, slots, lanes, images)
    height, width = size
    _assert_strips_partition(schedule, height * width)
    stride = schedule.channel_stride
    pixels = {_swept(number, size, flips): number for number in range(height * width)}
    holders = {
        int(schedule.pixel_offsets[number]) + image: (*pixel, image)
        for pixel, number in pixels.items()
        for image in range(images)
    }
    assert len(holders) == height * width * images
    computed = set()
    for step in range(len(schedule.steps)):
        place = int(schedule.steps[step, 0])
        assert 0 <= place and place + (slots - 1) * stride + lanes <= schedule.memory_length
        reads = _reads_of_step(schedule, step)
        of_step = [holders[place + k] for k in range(lanes) if place + k in holders]
        assert of_step
        for k in range(lanes):
            if place + k not in holders:
                continue
            i, j, image = holders[place + k]
            sources = {}
            for vector, weight in reads:
                tap, channel = divmod(weight, slots)
                if channel == 0:
                    sources[tap] = vector + k
                assert (vector - channel * stride, weight - channel) in reads
                assert vector >= 0
            for t, (up, left, _, _) in enumerate(taps):
                source = (i - up, j - left, image)
                if i >= up and j >= left:
                    assert holders[sources[t]] == source and source in computed
                elif t in sources:  # zero, since no image and no step is there
                    assert sources[t] not in holders
                    assert j < left or sources[t] not in computed
        computed.update(of_step)
    assert len(computed) == len(holders)
    assert np.array_equal(schedule.scratch_offsets, schedule.pixel_offsets)
    assert schedule.scratch_length == schedule.memory_length
    assert schedule.run_weights[-1] == len(taps) * slots


@given(SIZES, st.sampled_from([1, 2, 4]), st.integers(1, 9))
def test_steps_of_a_wavefront_are_the_vectors_that_meet_the_image(size, lanes, images):
    height, width = size
    expected = {
        (i + j, (i * images + n) // lanes)
        for i, j, n in product(range(height), range(width), range(images))
    }
    steps = [*zip(*wavefront_steps(size, lanes, images), strict=True)]
    assert steps == sorted(expected)


SHAPES = [(n, c) for n in (1, 3, 16, 33, 70) for c in (1, 2, 13)]


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("images, channels", SHAPES)
def test_descriptors_point_inside_themselves(images, channels, batch_first):
    for operation, itemsize in product(OPERATIONS, (4, 8)):
        kernel, shape = (channels, channels, 2, 2), (images, channels, 3, 4)
        geometry = (1, (1, 1), (False, True))
        made = plan.make_plan(operation, kernel, shape, batch_first, itemsize, geometry)
        tables, first, pixels = made.descriptor, 1, 12
        first += len(parts_of(made)) * descriptor.PART_FIELDS
        for part in parts_of(made):
            steps = int(tables[part.strips + 4 * part.strip_count - 1])
            phases = tables[part.steps + 2 : part.steps + 6 * steps : 6]
            columns = tables[part.steps + 3 : part.steps + 6 * steps : 6]
            lengths = {
                "first_images": part.tile_count,
                "pixel_offsets": pixels,
                "scratch_offsets": pixels,
                "strips": 4 * part.strip_count,
                "steps": 6 * steps,
                "run_offsets": (1 + max(phases)) * part.run_count,
                "run_weights": part.run_count + 1,
                "run_bounds": 2 * (1 + max(columns)) * part.run_count,
            }
            starts = sorted((getattr(part, name), length) for name, length in lengths.items())
            for start, length in starts:
                assert start >= first
                first = start + length
            rows = made.block[0]
            assert part.padded_channels % rows == 0 <= part.padded_channels - channels < rows
            used = part.tiles_in_group * part.memory_length
            assert part.packed_length + LINE_BYTES // itemsize + used <= made.work_length
        assert first == made.channels[0]
        ascending, descending = (
            tables[start:][: 2 * part.padded_channels].reshape(2, -1) for start in made.channels
        )
        stride = pixels if batch_first else pixels * images
        channel = np.minimum(np.arange(part.padded_channels), channels - 1) * stride
        assert np.array_equal(ascending, [channel, channel])
        assert np.array_equal(descending, (channels - 1) * stride - ascending)
        assert len(tables) == made.channels[1] + 2 * part.padded_channels


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("images, channels", SHAPES)
def test_parts_know_what_they_write(images, channels, batch_first):
    """Full tiles alone fill all lanes; others need memory that is cleared."""
    for itemsize in (4, 8):
        kernel, shape = (channels, channels, 2, 2), (images, channels, 3, 4)
        call = kernel, shape, batch_first, itemsize, (1, (1, 1), (False, False))
        made = plan.make_plan(plan.SOLVE, *call)
        for part in parts_of(made):
            full = part.images_per_tile == made.block[1]
            assert part.fully_written <= full
            assert (part.mode == IN_PLACE) <= (full and not batch_first)
            assert part.mode == IN_PLACE or part.tiles_in_group == 1
            assert part.tiles_in_group <= part.tile_count


class PoisonedNumpy:
    """NumPy, but for `empty`: its arrays hold NaN, and stand between guards that do as well."""

    def __init__(self, offset):
        self.offset, self.arrays = offset, []

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype):
        """Return an array that starts `offset` numbers behind the start of a cache line."""
        if np.dtype(dtype).kind != "f":
            return np.empty(shape, dtype)
        guard = 8 * LINE_BYTES // dtype.itemsize
        memory = np.empty(shape + 3 * guard, dtype)
        memory.view("u1")[:] = 255
        start = -memory.ctypes.data % LINE_BYTES // dtype.itemsize + guard + self.offset
        self.arrays.append((memory, start, start + shape))
        return memory[start : start + shape]

    def assert_guards_untouched(self):
        """Compare the bytes around every array."""
        for memory, start, stop in self.arrays:
            for guard in (memory[:start], memory[stop:]):
                assert np.all(guard.view("u1") == 255)


@pytest.mark.parametrize("kind", ["lower", "upper", "dense"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("offset", [0, 1])
def test_results_do_not_depend_on_what_memory_held(
    operation, kind, batch_first, offset, monkeypatch
):
    """Working memory that starts behind the start of a line needs all of its slack."""
    rng = np.random.default_rng(11)
    for dtype, images, channels in product(DTYPES, (1, 2, 7, 16, 33), (2, 7)):
        shape = (channels, 3, 4, images)
        x = rng.normal(size=shape).astype(dtype).transpose(3, 0, 1, 2)
        x = np.ascontiguousarray(x) if batch_first else x
        kernel = random_kernel(rng, (channels, channels, 2, 3), (1, 1), kind).astype(dtype)
        geometry = (1, (1, 1), (False, False))
        call = kernel.shape, x.shape, bool(x.flags.c_contiguous), x.itemsize, geometry
        made = plan.make_plan(operation, *call)
        expected, _ = plan.run(made, x, kernel)
        poisoned = PoisonedNumpy(offset)
        with monkeypatch.context() as patched:
            patched.setattr(plan, "np", poisoned)
            result, status = plan.run(made, x, kernel)
        assert not status & plan.CHECK_RESULT
        assert np.array_equal(result, expected)
        assert len(poisoned.arrays) == 1
        poisoned.assert_guards_untouched()


@pytest.mark.parametrize("limit", [{}, {"gradient_tile_bytes": 0}, {"gradient_copy_bytes": 0}])
@pytest.mark.parametrize("batch_first", [True, False])
def test_weight_gradients_do_not_depend_on_what_memory_held(batch_first, limit, monkeypatch):
    rng = np.random.default_rng(12)
    for dtype, images, channels in product(DTYPES, (1, 2, 19), (2, 7)):
        shape = (channels, 3, 4, images)
        x, g = rng.normal(size=(2, *shape)).astype(dtype).transpose(0, 4, 1, 2, 3)
        if batch_first:
            x, g = np.ascontiguousarray(x), np.ascontiguousarray(g)
        call = (channels, channels, 2, 3), (1, (1, 1), (False, True)), TUNING._replace(**limit)
        expected = weight_gradient.conv_weight_grad(x, g, *call)
        poisoned = PoisonedNumpy(0)
        with monkeypatch.context() as patched:
            patched.setattr(weight_gradient, "np", poisoned)
            result = weight_gradient.conv_weight_grad(x, g, *call)
        assert np.array_equal(result, expected)
        poisoned.assert_guards_untouched()


def _status(operation, x, kernel):
    """Return the status of a call whose anchor has taps before it and behind it."""
    call = kernel.shape, x.shape, bool(x.flags.c_contiguous), x.itemsize
    made = plan.make_plan(operation, *call, (1, (0, 1), (False, False)))
    with np.errstate(all="ignore"):
        return plan.run(made, x, kernel)[1]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", ["lower", "upper"])
@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("images", [1, 16])
def test_status_reports_what_is_not_finite(operation, kind, side, images):
    """Also where a tap is not read, because it is behind the anchor or outside of the image."""
    rng = np.random.default_rng(13)
    kernel = random_kernel(rng, (2, 2, 2, 3), (0, 1), kind)
    x = rng.normal(size=(2, side, side, images)).transpose(3, 0, 1, 2)
    for laid_out in (x, np.ascontiguousarray(x)):
        assert _status(operation, laid_out, kernel) == 0
        for value, place in product([np.nan, np.inf, -np.inf], np.ndindex(kernel.shape)):
            spoiled = kernel.copy()
            spoiled[place] = value
            assert _status(operation, laid_out, spoiled) != 0
        for value, image in product([np.nan, np.inf], {0, images - 1}):
            before, laid_out[image, 0, -1, 0] = laid_out[image, 0, -1, 0], value
            assert _status(operation, laid_out, kernel) & plan.CHECK_RESULT
            laid_out[image, 0, -1, 0] = before


@pytest.mark.parametrize("solve", [False, True])
@pytest.mark.parametrize("kind", ["lower", "upper", "dense"])
def test_status_reports_kernels_without_inverse(solve, kind):
    kernel = random_kernel(np.random.default_rng(14), (3, 3, 1, 2), (0, 1), kind)
    kernel[1, :, 0, 1] = 0
    operation = plan.SOLVE if solve else plan.CONV
    status = _status(operation, np.ones((2, 3, 2, 2)), kernel)
    assert bool(status & plan.CHECK_KERNEL) == solve


@pytest.mark.parametrize(
    "features, expected",
    [
        ({"avx512f": True, "avx2": True}, 64),
        ({"avx512f": False, "avx2": True}, 32),
        ({"avx2": False}, 16),
        ({}, 16),
        (None, 16),
    ],
)
def test_registers_are_as_wide_as_the_processor_says(features, expected, monkeypatch):
    def of_host():
        if features is None:
            raise RuntimeError("unknown processor")
        return features

    monkeypatch.setattr(cpu.config, "CPU_FEATURES", None)
    monkeypatch.setattr(cpu.binding, "get_host_cpu_features", of_host)
    assert cpu._vector_bytes() == expected


@pytest.mark.parametrize(
    "name, features, expected",
    [
        ("znver5", "+avx512f,+avx2,+fma", (64, True)),
        ("haswell", "-avx512f,+avx2,+fma", (32, False)),
        ("x86-64", "", (16, False)),
        ("generic", "-avx2", (16, False)),
    ],
)
def test_registers_are_those_of_the_processor_that_numba_compiles_for(
    name, features, expected, monkeypatch
):
    monkeypatch.setattr(cpu.config, "CPU_NAME", name)
    monkeypatch.setattr(cpu.config, "CPU_FEATURES", features)
    assert (cpu._vector_bytes(), cpu._name().startswith("znver")) == expected
